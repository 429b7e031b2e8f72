"""Errors that are put into true sentences on purpose: how many of them the verifier sees.

Sentences of documents are taken as they stand, and altered in one place each: what a model does when it copies badly.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chatapp.answering.figures import missing_numbers
from chatapp.answering.names import missing_names, names_in
from chatapp.answering.polarity import negations
from chatapp.answering.verification import Claim, Verifier
from chatapp.evaluation.labelled import LabelledSet
from knowledge.chunking.cutting import even_parts, sentence_ends, strip

__all__ = ["FAULTS", "Fault", "Injected", "faults_of", "injected"]

PASSAGE, LONGEST = 900, 1_200
"""Characters of the passages that sentences are cited from."""

SHORTEST, LONG = 40, 300
"""Characters of a sentence that is altered."""

_NUMBER = re.compile(r"(?<![\w.,])\d{1,6}(?![\w.,]*\d)")
_VERB = re.compile(r"\b(?:is|are|was|were|can|must|should|will|may|has|have|had|ist|sind|war|kann|muss|wird|hat)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A sentence of a passage, what became of it, and the passage it is said to rest on."""

    kind: str
    sentence: str
    altered: str
    passage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    kind: str
    sentences: int
    flagged: int  # whose verdict is not that they are supported
    missed: tuple[Fault, ...]


def injected(source: LabelledSet, *, verifier: Verifier, most: int, seed: int = 0) -> Iterator[Injected]:
    """Judge sentences with each kind of fault, ``most`` of each, and as they are."""
    for kind, found in faults_of(source, most=most, seed=seed).items():
        judged = verifier.judge([Claim(statement=each.altered, sources=(each.passage,)) for each in found])
        missed = [each for each, verdict in zip(found, judged, strict=True) if verdict.verdict == "supported"]
        yield Injected(kind=kind, sentences=len(found), flagged=len(found) - len(missed), missed=tuple(missed))


def faults_of(source: LabelledSet, *, most: int, seed: int = 0) -> Mapping[str, list[Fault]]:
    """Return altered sentences of the documents by kind of fault; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311
    sentences = list(_sentences(source))
    chance.shuffle(sentences)
    names = sorted({name for sentence, _ in sentences[:2_000] for name in names_in(sentence)})
    found: dict[str, list[Fault]] = {}
    for kind, alter in FAULTS.items():
        made: list[Fault] = []
        for number, (sentence, passage) in enumerate(sentences):
            if len(made) >= most:
                break
            other = sentences[(number + len(sentences) // 2) % len(sentences)][1]
            fault = alter(_Place(sentence, passage, other, names, chance))
            if fault is not None:
                made.append(Fault(kind=kind, sentence=sentence, altered=fault[0], passage=fault[1]))
        found[kind] = made
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    sentence: str
    passage: str
    other_passage: str
    names: Sequence[str]
    chance: random.Random


_Altered = tuple[str, str] | None


def _nothing(place: _Place) -> _Altered:
    return place.sentence, place.passage


def _number(place: _Place) -> _Altered:
    found = list(_NUMBER.finditer(place.sentence))
    if not found:
        return None
    at = place.chance.choice(found)
    for added in (1, 2, 3, 10, 100):
        altered = f"{place.sentence[: at.start()]}{int(at.group()) + added}{place.sentence[at.end() :]}"
        if missing_numbers(altered, (place.passage,)):  # another number of the passage would be a true one elsewhere
            return altered, place.passage
    return None


def _name(place: _Place) -> _Altered:
    found = names_in(place.sentence)
    if not found or not place.names:
        return None
    old = place.chance.choice(found)
    for _ in range(20):
        new = place.chance.choice(place.names)
        if new != old and missing_names(f"Of {new}.", [place.passage]):
            return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, place.sentence), place.passage
    return None


def _negation(place: _Place) -> _Altered:
    verb = _VERB.search(place.sentence)
    if verb is None or negations(place.sentence):
        return None
    word = "nicht" if verb.group() in ("ist", "sind", "war", "kann", "muss", "wird", "hat") else "not"
    return f"{place.sentence[: verb.end()]} {word}{place.sentence[verb.end() :]}", place.passage


def _passage(place: _Place) -> _Altered:
    return (place.sentence, place.other_passage) if place.sentence not in place.other_passage else None


FAULTS: Mapping[str, Callable[[_Place], _Altered]] = {
    "none": _nothing, "number": _number, "name": _name, "negation": _negation, "wrong passage": _passage,
}  # fmt: skip
"""How to alter a sentence, by what is altered; None where it has nothing of the kind."""


def _sentences(source: LabelledSet) -> Iterator[tuple[str, str]]:
    """Yield sentences of the documents with the passage each stands in."""
    for document in source.documents:
        for start, end in even_parts(document.text, 0, len(document.text), target=PASSAGE, limit=LONGEST):
            passage = document.text[start:end]
            edges = [0, *sentence_ends(passage, 0, len(passage)), len(passage)]
            for first, last in pairwise(edges):
                inside = strip(passage, first, last)
                if inside and SHORTEST <= inside[1] - inside[0] <= LONG and passage[inside[1] - 1] in ".!":
                    yield passage[slice(*inside)], passage
