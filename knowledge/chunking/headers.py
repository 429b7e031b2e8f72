"""What the search text of a chunk has before its text: title and headings, and the header of a table cut in two."""

from __future__ import annotations

from bisect import bisect_right

from knowledge.chunking.base import search_text
from knowledge.chunking.pieces import ContextOf
from knowledge.types import Block, BlockKind, ParsedDocument

__all__ = ["contexts"]

_LONGEST_RULE = 1_000
"""Characters between two rows that are looked at."""

_LONGEST = 300
"""Characters of a table header: more would take the place of what the rows say."""


def contexts(document: ParsedDocument, *, title: str, header: bool, table_header: bool) -> ContextOf:
    """Return what tells the context of a range by its start and headings.

    ``header``: title and headings are part of it. ``table_header``: so is the header of the table whose later rows a
    range begins with. Rows that carry their header themselves ("Price: 3") have no other.
    """
    rows = [block for block in document.blocks if _lacks_header(block)] if table_header else []
    ends = [block.end for block in rows]

    def context_of(start: int, path: tuple[str, ...]) -> str | None:
        at = bisect_right(ends, start)  # the row that holds it, else the next one
        names = ""
        if at < len(rows) and not _has_words(document.text, start, rows[at].start):
            names = _names(rows[at])
        if not names:
            return None if header else ""
        return search_text(title=title, heading_path=path, text=names) if header else names

    return context_of


def _lacks_header(block: Block) -> bool:
    names = block.attrs.get("header")  # of a CSV file: True, on the row of names itself
    later = block.attrs.get("row", 2) > 1  # rows of a PDF have no number, and names below the row of names alone
    return block.kind is BlockKind.TABLE_ROW and isinstance(names, list) and later


def _has_words(text: str, start: int, end: int) -> bool:
    """Tell whether something else stands between two offsets than the rule between two rows."""
    return end - start > _LONGEST_RULE or any(c.isalnum() for c in text[start:end])


def _names(row: Block) -> str:
    names = " | ".join(str(name) for name in row.attrs["header"] if name)
    return names if len(names) <= _LONGEST else names[:_LONGEST].rsplit(" | ", 1)[0]
