"""From pieces of text to chunks: none longer than the embedding model reads, with overlap where it is asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from knowledge.chunking.base import TokenCounter, search_text
from knowledge.chunking.cutting import even_parts, grapheme_border, sentence_ends, strip
from knowledge.errors import DocumentTooLarge
from knowledge.types import ChunkRange, ParsedDocument

__all__ = ["Limits", "Piece", "finish"]

MAX_TOKENS = 254
"""Word pieces of search text that the local embedding model reads."""

MAX_CHUNKS = 50_000

_COUNT_BATCH = 512
_SHORTEST = 40  # characters below which the token limit gives up; only a prefix can be at fault then


@dataclass(frozen=True, slots=True)
class Piece:
    """A stripped range on its way to becoming a chunk. One overlaps another only within their ``run``."""

    start: int
    end: int
    path: tuple[str, ...]
    run: int = 0
    page_first: int | None = None
    page_last: int | None = None
    inner: tuple[int, ...] = ()  # where its later members (paragraphs, rows) begin: it is rather cut there


ContextOf = Callable[[int, tuple[str, ...]], str | None]
"""What the search text of a range has before it, by its start and path (``ChunkRange.context``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    max_tokens: int = MAX_TOKENS  # of title, headings and text together
    max_chunks: int = MAX_CHUNKS

    def check(self, count: int) -> None:
        """:raises DocumentTooLarge: there are more chunks than a document may have."""
        if count > self.max_chunks:
            raise DocumentTooLarge(f"The document makes more than {self.max_chunks:,} passages.")


def finish(
    document: ParsedDocument, pieces: Sequence[Piece], *, title: str, count_tokens: TokenCounter, limits: Limits,
    context_of: ContextOf = lambda start, path: None, overlap: int = 0,
) -> list[ChunkRange]:  # fmt: skip
    """Cut what has too many tokens, let each range begin ``overlap`` characters earlier, and number them.

    :raises DocumentTooLarge: there are more chunks than a document may have.
    """
    counted = _Counted(document.text, title, count_tokens, context_of)
    sized = _within(counted, pieces, limits)
    if overlap:
        sized = _overlapping(counted, sized, limits, overlap)
    page_starts = [page.start for page in document.pages]
    return [
        ChunkRange(
            ordinal=ordinal,
            start=p.start,
            end=p.end,
            heading_path=p.path,
            page_first=bisect_right(page_starts, p.start) or None if page_starts else p.page_first,
            page_last=bisect_right(page_starts, p.end - 1) or None if page_starts else p.page_last,
            tokens=tokens,
            context=context_of(p.start, p.path),
        )
        for ordinal, (p, tokens) in enumerate(sized)
    ]


class _Counted:
    """Counts the tokens of search texts and of what stands before the text in them."""

    def __init__(self, text: str, title: str, count_tokens: TokenCounter, context_of: ContextOf) -> None:
        self.text = text
        self._title, self._count_tokens, self._context_of = title, count_tokens, context_of
        self._prefixes: dict[str, int] = {}

    def of(self, pieces: Sequence[Piece]) -> list[tuple[int, int]]:
        """Return ``(tokens of the search text, tokens of what stands before the text)`` of each piece."""
        before = [self._search_text(p, "") for p in pieces]
        new = list(dict.fromkeys(prefix for prefix in before if prefix not in self._prefixes))
        self._prefixes.update(zip(new, self._count(new), strict=True))
        whole = self._count([self._search_text(p, self.text[p.start : p.end]) for p in pieces])
        return [(count, self._prefixes[prefix]) for count, prefix in zip(whole, before, strict=True)]

    def _search_text(self, p: Piece, text: str) -> str:
        context = self._context_of(p.start, p.path)
        return search_text(title=self._title, heading_path=p.path, text=text, context=context)

    def _count(self, texts: Sequence[str]) -> list[int]:
        counts: list[int] = []
        for first in range(0, len(texts), _COUNT_BATCH):
            counts += self._count_tokens(texts[first : first + _COUNT_BATCH])
        return counts


def _within(counted: _Counted, pieces: Sequence[Piece], limits: Limits) -> list[tuple[Piece, int]]:
    """Cut pieces until each has few enough tokens; return them with the tokens of their own text."""
    done: list[tuple[Piece, int]] = []
    pending = list(pieces)
    limits.check(len(pending))
    while pending:
        again: list[Piece] = []
        for p, (count, prefix) in zip(pending, counted.of(pending), strict=True):
            own = max(1, count - prefix)
            if count <= limits.max_tokens or p.end - p.start <= _SHORTEST:
                done.append((p, own))
            else:
                again += _cut(counted.text, p, tokens=own, budget=limits.max_tokens - prefix, limits=limits)
        limits.check(len(done) + len(again))
        pending = again
    return sorted(done, key=lambda pair: (pair[0].start, pair[0].end))


def _cut(text: str, p: Piece, *, tokens: int, budget: int, limits: Limits) -> list[Piece]:
    """Cut a piece in two between its members, else into parts that should keep the token budget, two at least."""
    if p.inner:
        return _halves(text, p)
    length = p.end - p.start
    fitting = int(length * max(budget, limits.max_tokens // 4) / tokens * 0.9)
    target = max(_SHORTEST // 2, min(length // 2 + 1, fitting))
    parts = even_parts(text, p.start, p.end, target=target, limit=target + target // 8 + 1)
    return [replace(p, start=first, end=last) for first, last in parts]


def _halves(text: str, p: Piece) -> list[Piece]:
    """Cut a piece between its members as near to the middle as can be."""
    middle = (p.start + p.end) / 2
    at = min(p.inner, key=lambda border: abs(border - middle))
    ranges = (strip(text, p.start, at), strip(text, at, p.end))
    return [
        replace(p, start=r[0], end=r[1], inner=tuple(border for border in p.inner if r[0] < border < r[1]))
        for r in ranges
        if r
    ]


def _overlapping(
    counted: _Counted, sized: Sequence[tuple[Piece, int]], limits: Limits, overlap: int
) -> list[tuple[Piece, int]]:
    """Let each piece begin earlier within its run, by half of the piece before at most.

    One that would have too many tokens stays as it is.
    """
    wider: list[Piece] = []
    before: Piece | None = None
    for p, _ in sized:
        start = p.start
        if before is not None and before.run == p.run:
            half = before.end - (before.end - before.start) // 2
            start = _earlier(counted.text, max(half, p.start - overlap), p.start)
        wider.append(replace(p, start=start))
        before = p
    return [
        (wide, max(1, count - prefix)) if count <= limits.max_tokens else (p, own)
        for (p, own), wide, (count, prefix) in zip(sized, wider, counted.of(wider), strict=True)
    ]


def _earlier(text: str, first: int, start: int) -> int:
    """Return where the first sentence between two offsets begins, else the first word, else what parts no grapheme."""
    sentences = (end for end in sentence_ends(text, first, start) if text[end:start].strip())
    spaces = (at + 1 for at in range(first, start) if text[at].isspace())
    letters = (at for at in range(first, start) if grapheme_border(text, at, 0) == at)
    begin = next(chain(sentences, spaces, letters), start)
    while begin < start and text[begin].isspace():
        begin += 1
    return begin
