"""Take a question apart that asks for several things, and take the passages of its parts in turns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from knowledge.chunking.cutting import sentence_ends
from knowledge.types import Passage

__all__ = ["in_turns", "split_question"]

MOST = 4
FEWEST_WORDS = 3
"""A part with fewer is no question of its own ("Is it?", "Thanks!")."""

_ASKING = frozenset(
    """
    what which who whom whose when where why how is are was were do does did can could may must should will would
    welche welcher welches welchen welchem wer wem wen wessen wann wo woher wohin warum wieso weshalb wie ist sind kann
    können darf muss soll wird
    que qu quoi quel quelle quels quelles qui quand où pourquoi comment combien est peut doit
    qué cuál cuáles quién quiénes cuándo dónde cómo cuánto cuántos es puede
    che cosa quale quali chi quando dove perché come quanto è può
    qual quais quem onde quanto é pode
    wat welke welk wie wanneer waar waarom hoe zijn kan mag moet
    """.split()
)
"""Words that questions begin with, in the languages whose endings are known."""
_JOINED = re.compile(
    rf"[,;]?\s+(?:and|und|et|y|e|en|sowie|as well as)\s+(?:also\s+)?(?=(?:{'|'.join(sorted(_ASKING))})\b)",
    re.IGNORECASE,
)
_ASKED = re.compile(r"[?？;](?=\s)")
_DECIDES = re.compile(
    r"\b(?:difference|differ|compare|compared|versus|vs|between|unterschied|vergleich)\b", re.IGNORECASE
)


def split_question(text: str) -> tuple[str, ...]:
    """Return the questions a text consists of, in order; itself alone where it asks for one thing.

    Cut at question marks and the ends of sentences, and before an "and" that a question word follows. A sentence that
    asks nothing says what the others are about and goes with each of them; a part too short to be understood goes with
    the one before it.
    """
    text = " ".join(text.split()) if "\n" not in text else text.strip()
    pieces: list[str] = []
    for piece in (piece.strip() for sentence in _sentences(text) for piece in _and(sentence)):
        if pieces and piece and len(piece.split()) < FEWEST_WORDS:
            pieces[-1] = f"{pieces[-1]} {piece}"
        elif piece:
            pieces.append(piece)
    asking = [piece for piece in pieces if _asks(piece)]
    telling = [piece for piece in pieces if not _asks(piece)]
    if len(asking) < 2:
        return (text,)
    about = " ".join(telling)
    return tuple(f"{about} {piece}".strip() for piece in asking[:MOST])


def _sentences(text: str) -> Iterator[str]:
    """Yield what ends with a question mark, a sentence or a line; an abbreviation ends none."""
    start = 0
    for end in sorted({*sentence_ends(text, 0, len(text)), *(match.end() for match in _ASKED.finditer(text))}):
        yield text[start:end]
        start = end
    yield text[start:]


def _and(sentence: str) -> Iterator[str]:
    if _DECIDES.search(sentence):  # what is compared belongs together
        yield sentence
        return
    yield from _JOINED.split(sentence)


def _asks(piece: str) -> bool:
    first = re.sub(r"\W+", " ", piece).split()
    return piece.rstrip('"”») ').endswith(("?", "？")) or bool(first and first[0].casefold() in _ASKING)


def in_turns(rankings: Sequence[Sequence[Passage]]) -> list[Passage]:
    """Return the first of each, the second of each and so on; one that several have stands where it comes first."""
    found: dict[str, Passage] = {}
    for row in zip_longest(*rankings):
        for passage in row:
            if passage is not None:
                found.setdefault(passage.key, passage)
    return list(found.values())
