"""The stretches of text a page draws, cut at the borders of the marked ranges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chatapp.markup.inline import PLAIN, Range, Span, Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text, marked or not; the first one of the current range is the anchor."""

    text: str
    marked: bool = False  # of the range the page was opened at
    faint: bool = False  # of another range: a citation of the same answer, another place found
    anchor: bool = False
    style: Style = PLAIN


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A range to light; marks of one page are in order and do not overlap."""

    start: int
    end: int
    current: bool


def marks_of(current: Range | None, others: Iterable[Range]) -> tuple[Mark, ...]:
    """Return the ranges in order without overlap; where they share characters, the current one has them."""
    merged: list[Range] = []
    for start, end in sorted(others):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    if current is None:
        return tuple(Mark(start, end, current=False) for start, end in merged if start < end)
    low, high = current
    found = [Mark(low, high, current=True)] if low < high else []
    for start, end in merged:
        found += [Mark(a, b, current=False) for a, b in ((start, min(end, low)), (max(start, high), end)) if a < b]
    return tuple(sorted(found, key=lambda mark: mark.start))


@dataclass(slots=True)
class Marker:
    """Cuts ranges of the text at the borders of the marks."""

    text: str
    marks: Sequence[Mark]
    links: Mapping[str, str] | None  # by name, in Markdown; None in any other format
    anchored: bool = field(default=False)
    current: Mark | None = field(init=False)

    def __post_init__(self) -> None:
        self.current = next((mark for mark in self.marks if mark.current), None)

    def cut(self, spans: Iterable[Span]) -> Pieces:
        return tuple(piece for span in spans for piece in self._cut(span))

    def _cut(self, span: Span) -> Iterable[Piece]:
        position, style = span.start, span.style
        first = max(0, bisect_right(self.marks, position, key=lambda mark: mark.start) - 1)
        for at in range(first, len(self.marks)):
            mark = self.marks[at]
            if mark.start >= span.end:
                break
            low, high = max(position, mark.start), min(span.end, mark.end)
            if low >= high:
                continue
            if position < low:
                yield Piece(text=self.text[position:low], style=style)
            yield self._lit(low, high, mark.current, style)
            position = high
        if position < span.end:
            yield Piece(text=self.text[position : span.end], style=style)

    def _lit(self, low: int, high: int, current: bool, style: Style) -> Piece:
        anchor = current and not self.anchored
        self.anchored = self.anchored or current
        return Piece(text=self.text[low:high], marked=current, faint=not current, anchor=anchor, style=style)

    def shown(self, raw: Range, parts: Sequence[Sequence[Span]]) -> Sequence[Sequence[Span]]:
        """Return the parts, or the raw range where they would show nothing or hide all of the current mark."""
        spans = [(span.start, span.end) for part in parts for span in part]
        if not spans or (self._touches(raw) and not any(self._touches(span) for span in spans)):
            return [[Span(start=raw[0], end=raw[1])]]
        return parts

    def _touches(self, part: Range) -> bool:
        return self.current is not None and max(part[0], self.current.start) < min(part[1], self.current.end)
