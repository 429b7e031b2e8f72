"""The stretches of text a page draws, cut at the borders of the marked range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chatapp.reader.inline import PLAIN, Range, Span, Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text, marked or not; the first marked one of a page is the anchor."""

    text: str
    marked: bool = False
    anchor: bool = False
    style: Style = PLAIN


Pieces = tuple[Piece, ...]


@dataclass(slots=True)
class Marker:
    """Cuts ranges of the text at the borders of the marked range."""

    text: str
    start: int
    end: int
    links: Mapping[str, str] | None  # by name, in Markdown; None in any other format
    anchored: bool = field(default=False)

    def cut(self, spans: Iterable[Span]) -> Pieces:
        return tuple(piece for span in spans for piece in self._cut(span))

    def _cut(self, span: Span) -> Pieces:
        start, end, style = span.start, span.end, span.style
        low, high = max(start, self.start), min(end, self.end)
        if low >= high:
            return (Piece(text=self.text[start:end], style=style),) if start < end else ()
        anchor, self.anchored = not self.anchored, True
        middle = Piece(text=self.text[low:high], marked=True, anchor=anchor, style=style)
        before, after = (Piece(text=self.text[a:b], style=style) for a, b in ((start, low), (high, end)))
        return tuple(piece for piece in (before, middle, after) if piece.text)

    def shown(self, raw: Range, parts: Sequence[Sequence[Span]]) -> Sequence[Sequence[Span]]:
        """Return the parts, or the raw range where they would show nothing or hide all of the mark."""
        spans = [(span.start, span.end) for part in parts for span in part]
        if not spans or (self._touches(raw) and not any(self._touches(span) for span in spans)):
            return [[Span(start=raw[0], end=raw[1])]]
        return parts

    def _touches(self, part: Range) -> bool:
        return max(part[0], self.start) < min(part[1], self.end)
