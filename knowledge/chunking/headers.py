"""What the search text of a chunk has before its text: title and headings, and the header of a table cut in two."""

from __future__ import annotations

from bisect import bisect_right

from knowledge.chunking.base import search_text
from knowledge.chunking.pieces import ContextOf
from knowledge.types import Block, BlockKind, ParsedDocument

__all__ = ["contexts"]

_LONGEST = 300
"""Characters of a table header: more would take the place of what the rows say."""


def contexts(document: ParsedDocument, *, title: str, header: bool, table_header: bool) -> ContextOf:
    """Return what tells the context of a range by its start and headings.

    ``header``: title and headings are part of it. ``table_header``: so is the header of the table whose later rows a
    range begins with. Rows that carry their header themselves ("Price: 3") have no other.
    """
    rows = [block for block in document.blocks if _lacks_header(block)] if table_header else []
    starts = [block.start for block in rows]

    def context_of(start: int, path: tuple[str, ...]) -> str | None:
        at = bisect_right(starts, start) - 1
        names = _names(rows[at]) if at >= 0 and start < rows[at].end else ""
        if not names:
            return None if header else ""
        return search_text(title=title, heading_path=path, text=names) if header else names

    return context_of


def _lacks_header(block: Block) -> bool:
    return block.kind is BlockKind.TABLE_ROW and bool(block.attrs.get("header")) and block.attrs.get("row", 1) > 1


def _names(row: Block) -> str:
    names = " | ".join(str(name) for name in row.attrs["header"] if name)
    return names if len(names) <= _LONGEST else names[:_LONGEST].rsplit(" | ", 1)[0]
