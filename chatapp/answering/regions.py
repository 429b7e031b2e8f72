"""Stretches of an answer in which brackets are no citations: code, formulas, links and tags."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

__all__ = ["Fence", "InlineCode", "Math", "Region", "Step", "Tag", "Url"]

SQUARE_OPENERS = "[【［"


class Step(Enum):
    """What a region makes of a character."""

    INSIDE = "inside"
    LAST = "last"  # the character closes the region
    OUTSIDE = "outside"  # the region ended before the character


class Region(Protocol):
    def step(self, c: str) -> Step: ...


class InlineCode:
    """Code between runs of ``ticks`` backticks. Ends with its line: a lone backtick is common prose."""

    def __init__(self, ticks: int, *, run: int = 0) -> None:
        self._ticks = ticks
        self._run = run

    def step(self, c: str) -> Step:
        if c == "`":
            self._run += 1
            return Step.INSIDE
        if c == "\n" or self._run == self._ticks:
            return Step.OUTSIDE
        self._run = 0
        return Step.INSIDE


class Fence:
    """A fenced block, from the end of its opening run of ``mark`` to the end of the closing line."""

    def __init__(self, mark: str, length: int) -> None:
        self.mark = mark
        self.length = length
        self.in_info = True
        self._run = 0
        self._only_marks = True

    def step(self, c: str) -> Step:
        if c == "\n":
            if not self.in_info and self._only_marks and self._run >= self.length:
                return Step.OUTSIDE
            self.in_info = False
            self._run, self._only_marks = 0, True
        elif c == self.mark and self._only_marks:
            self._run += 1
        elif c not in " \t" or 0 < self._run < self.length:
            self._only_marks = False
        return Step.INSIDE


class Math:
    r"""A formula that ends with ``end``: ``$``, ``$$``, ``\)`` or ``\]``."""

    def __init__(self, end: str) -> None:
        self._end = end
        self._display = end in ("$$", r"\]")
        self._before = ""

    def step(self, c: str) -> Step:
        before, self._before = self._before, c
        if c == "\n" and (not self._display or before == "\n"):
            return Step.OUTSIDE
        if self._end == "$":
            if c in SQUARE_OPENERS and before.isspace():
                return Step.OUTSIDE  # the dollar was a price, and this may be a citation
            return Step.LAST if c == "$" and before != "\\" else Step.INSIDE
        return Step.LAST if before + c == self._end else Step.INSIDE


class Url:
    """The address of a link, from its opening parenthesis on."""

    def __init__(self) -> None:
        self._depth = 0
        self._length = 0

    def step(self, c: str) -> Step:
        self._length += 1
        if c.isspace() or self._length > 2000:
            return Step.OUTSIDE
        self._depth += (c == "(") - (c == ")")
        return Step.LAST if self._depth == 0 else Step.INSIDE


class Tag:
    """An HTML tag after its name."""

    def __init__(self) -> None:
        self._length = 0
        self._has_attributes = False

    def step(self, c: str) -> Step:
        self._length += 1
        self._has_attributes = self._has_attributes or c in "=\"'"
        if c in "<\n" or self._length > 200 or (c in SQUARE_OPENERS and not self._has_attributes):
            return Step.OUTSIDE
        return Step.LAST if c == ">" else Step.INSIDE
