"""The lines of a text that are not blank, as ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Line", "lines", "runs"]

_LINE: Final = re.compile(r"([^\S\n]*+)(\S[^\n]*+)?(\n*+)")
_LONGEST_RUN = 2_000


class Line(NamedTuple):
    number: int  # from 1
    start: int  # of the line, its white space included
    end: int  # without the white space behind it
    indent: int  # columns
    after_blank: bool  # a blank line, or nothing, is above


def lines(text: str, start: int = 0) -> Iterator[Line]:
    """Yield the lines that are not blank from the offset ``start`` on, in linear time."""
    number, blank, position = text.count("\n", 0, start) + 1, True, start
    while position < len(text):
        match = _LINE.match(text, position)
        assert match is not None
        if match.group(2):
            end = match.end(2) - (len(match.group(2)) - len(match.group(2).rstrip()))
            yield Line(number, match.start(), end, len(match.group(1).expandtabs(4)), blank)
            blank = False
        newlines = len(match.group(3))
        blank = blank or newlines > 1
        number += newlines
        position = match.end()


def runs(text: str) -> Iterator[list[Line]]:
    """Yield the lines between blank lines together, at most 2,000 at a time."""
    run: list[Line] = []
    for line in lines(text):
        if run and (line.after_blank or len(run) == _LONGEST_RUN):
            yield run
            run = []
        run.append(line)
    if run:
        yield run
