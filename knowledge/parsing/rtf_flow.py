"""Paragraphs, list items and tables of one flow of Rich Text: the body, a note, a text box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from knowledge.parsing.builder import format_row
from knowledge.parsing.rtf_tokens import tidy
from knowledge.types import BlockKind

__all__ = ["Entry", "Flow", "lines_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One block to come."""

    kind: BlockKind
    text: str
    level: int | None = None
    attrs: dict[str, Any] | None = None
    cells: list[tuple[int, int]] | None = None
    ends_table: bool = False


class Flow:
    """Collects text and hands finished blocks to ``emit``."""

    def __init__(self, emit: Callable[[Entry], None]) -> None:
        self._emit = emit
        self._parts: list[str] = []
        self._marker: list[str] = []
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self.merged: list[bool] = []  # by column: the cell goes on with the one above

    def text(self, text: str) -> None:
        self._parts.append(text)

    def marker(self, text: str) -> None:
        """Add to the number or bullet before the paragraph."""
        self._marker.append(text)

    def end_paragraph(self, *, level: int | None, title: bool, listed: bool, in_table: bool) -> None:
        if in_table:
            self._parts.append("\n")
            return
        self._close_table()
        text, marker = lines_of("".join(self._parts)), " ".join(tidy("".join(self._marker)).split())
        listed = listed or bool(self._marker)
        self._parts, self._marker = [], []
        if text and any(c.isalnum() for c in marker):
            text = f"{marker} {text}"
        if level or title:
            kind = BlockKind.HEADING if level else BlockKind.TITLE
            self._emit(Entry(kind=kind, text=" ".join(text.split()), level=level))
        else:
            self._emit(Entry(kind=BlockKind.LIST_ITEM if listed else BlockKind.PARAGRAPH, text=text))

    def end_cell(self) -> None:
        marker = tidy("".join(self._marker)) if any(map(str.isalnum, "".join(self._marker))) else ""
        text = " ".join(f"{marker} {tidy(''.join(self._parts))}".split())
        column = len(self._cells)
        if not text and column < len(self.merged) and self.merged[column] and self._rows:
            above = self._rows[-1]
            text = above[column] if column < len(above) else ""
        self._cells.append(text)
        self._parts, self._marker = [], []

    def end_row(self) -> None:
        if "".join(self._parts).strip():
            self.end_cell()
        if self._cells:
            self._rows.append(self._cells)
        self._cells, self._parts = [], []

    def finish(self) -> None:
        """Write what has not ended in a paragraph or row."""
        if self._cells:
            self.end_row()
        self._close_table()
        if self._parts:
            self.end_paragraph(level=None, title=False, listed=False, in_table=False)

    def _close_table(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        if max(map(len, rows)) <= 1:  # one column: a frame around paragraphs
            for row in rows:
                self._emit(Entry(kind=BlockKind.PARAGRAPH, text=row[0]))
            return
        headers = rows.pop(0) if len(rows) > 1 and _looks_like_header(rows[0]) else []
        for number, row in enumerate(rows, start=2 if headers else 1):
            text, cells = format_row(headers, row)
            attrs, last = {"row": number}, row is rows[-1]
            self._emit(Entry(kind=BlockKind.TABLE_ROW, text=text, attrs=attrs, cells=cells, ends_table=last))


def lines_of(text: str) -> str:
    """The lines of a paragraph that hold something, each without outer space."""
    lines = (line.strip() for line in tidy(text).split("\n"))
    return "\n".join(filter(None, lines))


def _looks_like_header(cells: list[str]) -> bool:
    """Every column is named, briefly and not by a bare number."""
    return all(cell and len(cell) <= 80 and not cell.replace(".", "").isdigit() for cell in cells)
