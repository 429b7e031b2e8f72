"""Tables drawn with characters (reStructuredText): one range for each row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from knowledge.parsing.lines import Line

__all__ = ["SIMPLE_BORDER", "GridTable", "SimpleTable"]

SIMPLE_BORDER: Final = re.compile(r"={2,}(?: +={2,})+$")
_UNDERLINE: Final = re.compile(r"-{2,}(?: +-{2,})*$")
_GRID_BORDER: Final = re.compile(r"\+[-=+]{2,}\+?$")
_COLUMN: Final = re.compile(r"=+")

Row = tuple[int, int, dict[str, Any] | None]
"""``(start, end, attrs)``; without attributes it goes on with the row before"""


class GridTable:
    """A table with ``+---+`` between its rows."""

    def __init__(self, text: str) -> None:
        self._text = text

    @staticmethod
    def begins(first: str) -> bool:
        return _GRID_BORDER.match(first) is not None

    def rows(self, run: Sequence[Line]) -> Iterator[Row]:
        """Yield the rows; the lines of one stand between two borders."""
        number, row = 0, []
        header: list[str] = []
        for line in [*run, None]:
            words = self._text[line.start : line.end].strip() if line else ""
            if line is not None and not _GRID_BORDER.match(words):
                row.append(line)
                continue
            if row:
                number += 1
                start, end, attrs = self._row(row, number, header)
                yield start, end, attrs
                if "=" in words and number == 1:
                    header = [self._text[a:b] for a, b in attrs.get("cells", ())]
            row = []

    def _row(self, row: list[Line], number: int, header: list[str]) -> tuple[int, int, dict[str, Any]]:
        start, end = row[0].start + _lead(self._text, row[0]), row[-1].end
        attrs: dict[str, Any] = {"row": number, "header": header} if header else {"row": number}
        if len(row) == 1:  # the words of a cell of several lines do not lie side by side
            attrs["cells"] = _between_bars(self._text, start, end)
        return start, end, attrs


class SimpleTable:
    """A table between ``=== ===`` borders; blank lines may stand in it."""

    def __init__(self, text: str) -> None:
        self.closed = False
        self._text = text
        self._columns: list[int] = []  # where they begin, from the start of the line
        self._borders = 0
        self._number = 0
        self._first: list[str] = []
        self._header: list[str] = []

    def line(self, line: Line, *, last: bool) -> Iterator[Row]:
        """Take a line; ``last`` says that a blank line or nothing follows."""
        words = self._text[line.start : line.end]
        start = line.start + _lead(self._text, line)
        if SIMPLE_BORDER.match(words.strip()):
            self._borders += 1
            if not self._columns:
                self._columns = [match.start() for match in _COLUMN.finditer(words)]
            self.closed = self._borders == 3 or (self._borders == 2 and last)
            if self._borders == 2:
                self._header = self._first
        elif line.indent < self._columns[0]:
            self.closed = True  # never ended: what stands further out is no row
            yield start, line.end, {}
        elif self._number and start - line.start >= self._columns[1]:
            yield start, line.end, None
        elif not _UNDERLINE.match(words.strip()):
            self._number += 1
            attrs: dict[str, Any] = {"row": self._number, "cells": self._cells(line)}
            if self._header:
                attrs["header"] = self._header
            elif self._number == 1:
                self._first = [self._text[a:b] for a, b in attrs["cells"]]
            yield start, line.end, attrs

    def _cells(self, line: Line) -> list[list[int]]:
        ends = [*self._columns[1:], line.end - line.start]
        spans = zip(self._columns, ends, strict=True)
        return _stripped(self._text, [(line.start + a, min(line.start + b, line.end)) for a, b in spans])


def _lead(text: str, line: Line) -> int:
    words = text[line.start : line.end]
    return len(words) - len(words.lstrip())


def _between_bars(text: str, start: int, end: int) -> list[list[int]]:
    bars = [at for at in range(start, end) if text[at] == "|"]
    return _stripped(text, [(a + 1, b) for a, b in pairwise(bars)])


def _stripped(text: str, spans: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The ranges without outer white space; those that hold nothing go."""
    found = []
    for start, end in spans:
        words = text[start:end] if start < end else ""
        if words.strip():
            low = start + len(words) - len(words.lstrip())
            found.append([low, low + len(words.strip())])
    return found
