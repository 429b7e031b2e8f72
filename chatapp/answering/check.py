"""Judge one sentence of an answer against the passages it cites.

The first floor of checking: structure, exact words, quotations and numbers. It finds what is wrong
for certain and what is right to the letter; everything between stays ``unchecked``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from chatapp.answering.evidence import Evidence, locate, quotations, whole_sentences
from chatapp.answering.figures import missing_numbers
from chatapp.answering.folding import fold, plain
from chatapp.answering.polarity import negations
from chatapp.answering.sentences import SentenceKind

__all__ = ["JudgedBy", "SentenceChecker", "Verdict", "VerdictName", "check_sentence"]

VerdictName: TypeAlias = Literal["supported", "weak", "unsupported", "uncited", "exempt", "unchecked"]

JudgedBy: TypeAlias = Literal["", "check", "words", "vectors", "encoder", "judge"]
"""Who a verdict is of: nobody; exact words, quotations, numbers, names and negations; the fitted chance, by words alone
or with token vectors; a local entailment model; a language model."""

_SMALL_TALK = re.compile(
    r"(hello|hi|hey|welcome|thanks?|thank you|sure|certainly|of course|you're welcome|great question|good question|"
    r"i hope|let me know|please let|please ask|feel free|if you (?:need|have|want|would)|here (?:is|are)|in summary|"
    r"hallo|guten (?:tag|morgen|abend)|gerne|danke|natürlich|ich hoffe|falls sie|wenn sie (?:noch|weitere))\b",
    re.IGNORECASE,
)
_SMALL_TALK_WORDS = 14
MOST_QUOTATIONS = 12  # of a sentence


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said about a sentence. ``score`` is the share of its content found in the sources."""

    verdict: VerdictName
    score: float
    reasons: tuple[str, ...] = ()


class SentenceChecker(Protocol):
    """A check; ``sources`` are the texts of the passages that the sentence cites."""

    def __call__(
        self, *, sentence: str, kind: SentenceKind, sources: Sequence[str], question: str, no_answer: bool
    ) -> Verdict: ...


def check_sentence(
    *,
    sentence: str,
    kind: SentenceKind = "statement",
    sources: Sequence[str] = (),
    question: str = "",
    no_answer: bool = False,
) -> Verdict:
    """Check a sentence of canonical answer text; ``no_answer`` says that the answer is a refusal."""
    words = plain(sentence)
    if not sources:
        return _without_source(words, kind, no_answer)
    places = [locate(sentence, source, question=question) for source in sources]
    verbatim = [(place, source) for place, source in zip(places, sources, strict=True) if place.verbatim]
    if any(_means_the_same(words, place, source) for place, source in verbatim):
        return Verdict("supported", 1.0, ("the sentence stands in the source word for word",))
    score = max(place.score for place in places)
    folded = [fold(source) for source in sources]
    wrong = [
        f"quotation not in the source: “{quote[:80]}”"
        for quote in quotations(words)[:MOST_QUOTATIONS]
        if not any(source.find(fold(quote).text.strip(" .,!?;:")) for source in folded)
    ]
    missing = missing_numbers(words, tuple(sources), question=question)
    wrong += [f"number {number} not in the source" for number in dict.fromkeys(missing)]
    if wrong:
        return Verdict("unsupported", score, tuple(wrong))
    return Verdict("unchecked", score, ("not word for word in the source",))


def _means_the_same(words: str, place: Evidence, source: str) -> bool:
    """Tell whether the sentences that the words stand in deny what they do: "It is not true that the hall is open"."""
    start, end = whole_sentences(source, place.start, place.end)
    return negations(words) % 2 == negations(source[start:end]) % 2


def _without_source(words: str, kind: SentenceKind, no_answer: bool) -> Verdict:
    if no_answer:
        return Verdict("exempt", 0.0, ("the answer says that the sources do not hold it",))
    if kind != "statement":
        return Verdict("exempt", 0.0)
    if _SMALL_TALK.match(words) and len(words.split()) <= _SMALL_TALK_WORDS and not re.search(r"\d", words):
        return Verdict("exempt", 0.0)
    return Verdict("uncited", 0.0, ("no source given",))
