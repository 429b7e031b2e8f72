"""Walks the tree of a page and gives its blocks to a ``TextBuilder``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.parsing.decode import clean
from knowledge.parsing.html_nodes import BLOCKS, BREAK, KINDS, fold, is_page_furniture, skipped, text_of
from knowledge.parsing.html_tables import header_of, is_data_table, rows_of, tables_around_tables
from knowledge.parsing.tables import unseen_columns
from knowledge.types import BlockKind

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_FURNITURE: Mapping[str, Any] = {}  # told by identity


class Walker:
    """Walks with a stack of its own: the tree may be deeper than Python recurses."""

    def __init__(
        self,
        builder: TextBuilder,
        max_cells: int,
        *,
        page: bool = False,
        attrs_of: Callable[[LexborNode], Mapping[str, Any] | None] | None = None,
    ) -> None:
        """``page``: header and footer of the page become furniture. ``attrs_of``: attrs for all below an element."""
        self.builder = builder
        self.content = False  # whether a block came that is not furniture
        self._buffer: list[str] = []
        self._kinds: list[str] = []  # open elements that give a block its kind
        self._terms: list[str] = []  # terms of a definition list that wait for their definition
        self._regions: list[tuple[int, Mapping[str, Any]]] = []  # open elements whose blocks are marked
        self._page = page
        self._attrs_of = attrs_of
        self._max_cells = max_cells
        self._cells = 0

    def walk(self, root: LexborNode) -> None:
        around = tables_around_tables(root)
        stack: list[tuple[LexborNode, bool]] = [(root, True)]
        while stack:
            node, opening = stack.pop()
            tag = node.tag or ""
            if not opening:
                self._leave(node, tag)
                continue
            if tag == "-text":
                self._buffer.append(node.text_content or "")
            elif tag == "br":
                self._buffer.append(BREAK)
            elif tag == "table" and is_data_table(node, around):
                self._flush()
                self._flush_terms()
                self._table(node)
            elif not skipped(node):
                self._enter(node, tag)
                stack.append((node, False))
                stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))
        self._flush()
        self._flush_terms()

    def _enter(self, node: LexborNode, tag: str) -> None:
        if tag not in BLOCKS:
            return
        self._flush()
        if tag in KINDS:
            self._kinds.append(tag)
        if self._page and not self._regions and is_page_furniture(node):
            self._regions.append((node.mem_id, _FURNITURE))
        elif self._attrs_of and (attrs := self._attrs_of(node)):
            self._regions.append((node.mem_id, attrs))

    def _leave(self, node: LexborNode, tag: str) -> None:
        if tag not in BLOCKS:
            return
        if tag == "dt":
            self._terms += [text] if (text := fold("".join(self._buffer))) else []
            self._buffer.clear()
        self._flush()
        if tag == "dl":
            self._flush_terms()
        if tag in KINDS:
            self._kinds.pop()
        if self._regions and self._regions[-1][0] == node.mem_id:
            self._flush_terms()
            self._regions.pop()

    def _flush(self) -> None:
        raw = clean("".join(self._buffer))  # character references may stand for anything
        self._buffer.clear()
        if not raw or raw.isspace():
            return
        tag = self._kinds[-1] if self._kinds else ""
        kind = KINDS.get(tag, BlockKind.PARAGRAPH)
        text = raw.replace(BREAK, "\n").strip("\n").rstrip() if kind is BlockKind.CODE else fold(raw)
        if self._terms and kind in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM) and text:
            kind, text = BlockKind.LIST_ITEM, "\n".join((*self._terms, text))
            self._terms.clear()
        self._flush_terms()
        level = int(tag[1]) if kind is BlockKind.HEADING else None
        self._add(kind, text.replace("\n", " ") if level else text, level=level)

    def _flush_terms(self) -> None:
        """Terms that got no definition."""
        if self._terms:
            text = "\n".join(self._terms)
            self._terms.clear()
            self._add(BlockKind.LIST_ITEM, text)

    def _add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int | None = None,
        attrs: Mapping[str, Any] | None = None,
        cells: list[tuple[int, int]] | None = None,
    ) -> None:
        region = self._regions[-1][1] if self._regions else None
        if region is _FURNITURE:
            kind, level = BlockKind.FURNITURE, None
        elif text.strip():
            self.content = True
        marked = {**(attrs or {}), **(region or {})}
        self.builder.add(kind, text, level=level, attrs=marked, cells=cells)

    def _table(self, table: LexborNode) -> None:
        rows = rows_of(table)
        self._cells += sum(len(cells) for cells, _ in rows)
        if self._cells > self._max_cells:
            raise DocumentTooLarge(f"The page has more than {self._max_cells:,} table cells.")
        for caption in table.css("caption")[:1]:
            self._add(BlockKind.CAPTION, fold(text_of(caption)))
        self.builder.end_table()
        titles, names, depth = header_of(rows)
        for title in titles:
            self._add(BlockKind.CAPTION, title)
        body = [cells for cells, _ in rows[depth:]]
        if not body or unseen_columns(names, body):
            for number, (cells, _) in enumerate(rows[len(titles) : depth], start=len(titles) + 1):
                self._row([], cells, number)
        for number, cells in enumerate(body, start=depth + 1):
            self._row(names, cells, number)
        self.builder.end_table()

    def _row(self, names: list[str], cells: list[str], number: int) -> None:
        text, spans = format_row(names, cells)
        self._add(BlockKind.TABLE_ROW, text, attrs={"row": number}, cells=spans)
