"""Numbers of a statement that its source has, but with other words: "opened in 1957" where the source's 1957 is another
sentence's."""

from __future__ import annotations

from collections.abc import Sequence

from chatapp.answering.evidence import analysed
from chatapp.answering.figures import displaced_numbers
from knowledge.analysis import terms

__all__ = ["displaced"]

NEARLY_SAID = 0.75
"""Share of the statement's words, numbers aside, that one sentence of a source holds: from here on it is where the
statement was taken from, and its numbers are the ones that count (measured)."""

FEWEST = 3
"""Words; with fewer, a sentence about something else holds them all."""


def displaced(words: str, sources: Sequence[str], *, question: str = "") -> list[str]:
    """Return the numbers that no sentence has which says nearly the same, where those have others instead."""
    wanted = frozenset(term for term in terms(words) if not any(c.isdigit() for c in term))
    if len(wanted) < FEWEST or not any(c.isdigit() for c in words):
        return []
    held = tuple(
        source[start:end]
        for source in sources
        for (start, end), found in zip(analysed(source).ranges, analysed(source).terms, strict=True)
        if len(wanted & found) >= NEARLY_SAID * len(wanted)
    )
    return displaced_numbers(words, held, question=question) if held else []
