"""HTML: the main content as paragraphs, headings, list items and table rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.parsing.decode import decode
from knowledge.parsing.html_depth import depth
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_SKIPPED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
        "video",
        "head",
        "select",
        "button",
        "input",
        "textarea",
        "map",
        "dialog",
        "-comment",
    ]
)
_SKIPPED_ROLES = frozenset(("navigation", "search", "menu", "menubar", "toolbar", "dialog", "alertdialog"))
_KINDS = {
    "li": BlockKind.LIST_ITEM,
    "pre": BlockKind.CODE,
    "figcaption": BlockKind.CAPTION,
    "caption": BlockKind.CAPTION,
    **{f"h{n}": BlockKind.HEADING for n in range(1, 7)},
}
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "header",
        "hgroup",
        "hr",
        "main",
        "ol",
        "p",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "center",
    ]
) | frozenset(_KINDS)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BREAK = "\ue0ff"  # stands for <br> until white space is folded


class HtmlParser:
    name: ClassVar[str] = "html"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = ("text/html",)
    extensions: ClassVar[tuple[str, ...]] = (".html", ".htm", ".xhtml")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        from selectolax.lexbor import LexborHTMLParser

        declared = _CHARSET.search(data[:4096])
        source = decode(data, declared=declared.group(1).decode("ascii") if declared else None)
        if depth(source) > context.limits.html_depth:
            raise DocumentTooLarge(f"The page nests elements more than {context.limits.html_depth} deep.")
        tree = LexborHTMLParser(source)
        title = tree.css_first("head > title") or tree.css_first("title")
        walker = _Walker(context.limits.cells)
        root = _main(tree)
        if root is not None:
            walker.walk(root)
        return walker.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=title.text() if title is not None else None,
        )


def _main(tree: object) -> LexborNode | None:
    """The ``main`` (or only ``article``) element when it holds most of the words, else the body."""
    from selectolax.lexbor import LexborHTMLParser

    assert isinstance(tree, LexborHTMLParser)
    body = tree.body
    if body is None:
        return None
    candidates = tree.css("main, [role=main]") or tree.css("article")
    if len(candidates) == 1 and len(candidates[0].text()) * 4 > len(body.text()):
        return candidates[0]
    return body


def fold(text: str) -> str:
    """Fold white space to single spaces; a ``<br>`` becomes a line end."""
    return "\n".join(line for part in text.split(_BREAK) if (line := " ".join(part.split())))


def _skipped(node: LexborNode) -> bool:
    if node.tag in _SKIPPED:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or (attributes.get("role") or "") in _SKIPPED_ROLES
        or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))
    )


class _Walker:
    """Walks with a stack of its own: the tree may be deeper than Python recurses."""

    def __init__(self, max_cells: int) -> None:
        self.builder = TextBuilder()
        self._buffer: list[str] = []
        self._kinds: list[str] = []  # open elements that give a block its kind
        self._max_cells = max_cells
        self._cells = 0

    def walk(self, root: LexborNode) -> None:
        stack: list[tuple[LexborNode, bool]] = [(root, True)]
        while stack:
            node, opening = stack.pop()
            tag = node.tag or ""
            if not opening:
                self._leave(tag)
                continue
            if tag == "-text":
                self._buffer.append(node.text_content or "")
            elif tag == "br":
                self._buffer.append(_BREAK)
            elif tag == "table" and _is_data_table(node):
                self._flush()
                self._table(node)
            elif not _skipped(node):
                self._enter(tag)
                stack.append((node, False))
                stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))
        self._flush()

    def _enter(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._flush()
            if tag in _KINDS:
                self._kinds.append(tag)

    def _leave(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._flush()
            if tag in _KINDS:
                self._kinds.pop()

    def _flush(self) -> None:
        raw = "".join(self._buffer)
        self._buffer.clear()
        if not raw or raw.isspace():
            return
        tag = self._kinds[-1] if self._kinds else ""
        kind = _KINDS.get(tag, BlockKind.PARAGRAPH)
        text = raw.replace(_BREAK, "\n").strip("\n").rstrip() if kind is BlockKind.CODE else fold(raw)
        level = int(tag[1]) if kind is BlockKind.HEADING else None
        self.builder.add(kind, text.replace("\n", " ") if level else text, level=level)

    def _table(self, table: LexborNode) -> None:
        rows = _rows(table)
        self._cells += sum(len(cells) for cells, _ in rows)
        if self._cells > self._max_cells:
            raise DocumentTooLarge(f"The page has more than {self._max_cells:,} table cells.")
        for caption in table.css("caption")[:1]:
            self.builder.add(BlockKind.CAPTION, fold(_text(caption)))
        self.builder.end_table()
        headers: list[str] = []
        if len(rows) > 1 and len(rows[0][0]) > 1 and rows[0][1]:
            headers = rows.pop(0)[0]
        for number, (cells, _) in enumerate(rows, start=2 if headers else 1):
            text, spans = format_row(headers, cells)
            self.builder.add(BlockKind.TABLE_ROW, text, attrs={"row": number}, cells=spans)
        if not rows and headers:
            self.builder.add(BlockKind.TABLE_ROW, "; ".join(headers), attrs={"row": 1})
        self.builder.end_table()


def _is_data_table(table: LexborNode) -> bool:
    """A table of values; one that holds tables, headings or several paragraphs is layout."""
    if (table.attributes.get("role") or "") in ("presentation", "none"):
        return False
    nested = any(inner.mem_id != table.mem_id for inner in table.css("table"))
    return not nested and not table.css("h1, h2, h3, td p + p") and not _skipped(table)


def _rows(table: LexborNode) -> list[tuple[list[str], bool]]:
    """The cells of every row and whether it is a row of headers; a spanning cell is repeated in each row."""
    below: dict[int, tuple[int, str]] = {}  # column -> rows still covered, text
    return [_row(tr, below) for tr in table.css("tr")]


def _row(tr: LexborNode, below: dict[int, tuple[int, str]]) -> tuple[list[str], bool]:
    cells: list[str] = []
    headers = 0
    nodes = [node for node in tr.iter() if node.tag in ("td", "th") and not _skipped(node)]
    for node in nodes:
        _fill_from_above(cells, below)
        text = fold(_text(node)).replace("\n", " ")
        columns, rows = _span(node, "colspan"), _span(node, "rowspan")
        is_header = node.tag == "th"
        headers += is_header
        if rows > 1:
            below.update((len(cells) + n, (rows - 1, text if n == 0 or is_header else "")) for n in range(columns))
        cells += [text] * columns if is_header else [text] + [""] * (columns - 1)
    _fill_from_above(cells, below)
    in_head = tr.parent is not None and tr.parent.tag == "thead"
    return cells, in_head or (headers > 0 and headers == len(nodes))


def _fill_from_above(cells: list[str], below: dict[int, tuple[int, str]]) -> None:
    """Append the cells that reach down from rows above at this column."""
    while (spanning := below.get(len(cells))) is not None:
        rows, text = spanning
        if rows > 1:
            below[len(cells)] = (rows - 1, text)
        else:
            del below[len(cells)]
        cells.append(text)


def _span(node: LexborNode, name: str) -> int:
    value = node.attributes.get(name) or "1"
    return max(1, min(int(value), 100)) if value.isdigit() and value.isascii() and len(value) < 9 else 1


def _text(node: LexborNode) -> str:
    """The visible text below a node; block borders become spaces."""
    parts: list[str] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if current.tag == "-text":
            parts.append(current.text_content or "")
        elif current is node or not _skipped(current):
            if current.tag in _BLOCKS or current.tag == "br":
                parts.append(" ")
            stack.extend(reversed(list(current.iter(include_text=True))))
    return "".join(parts)
