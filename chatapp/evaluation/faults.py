"""Errors that are put into true sentences on purpose: how many of them the verifier sees.

Sentences of documents are taken as they stand, and altered in one place each: what a model does when it copies badly.
What is put in is chosen by its characters alone, by nothing that the verifier itself looks at.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from chatapp.answering.verification import Claim, Verifier
from chatapp.evaluation.labelled import LabelledSet
from knowledge.chunking.cutting import even_parts, sentence_ends, strip

__all__ = ["FAULTS", "Fault", "Injected", "faults_of", "injected"]

PASSAGE, LONGEST = 900, 1_200
"""Characters of the passages that sentences are cited from."""

SHORTEST, LONG = 40, 300
"""Characters of a sentence that is altered."""

_NUMBER = re.compile(r"(?<![\w.,])\d{1,6}(?![\w.,]*\d)")
_NAME = re.compile(r"(?<=[a-zäöüß,] )[A-Z][a-zäöüß]{2,}(?![\w'’-])")
"""A capitalised word after a small one. Of English documents only: elsewhere these are nouns."""

_MARKUP = re.compile(r"[\[\]<>【】{}|*#_`\n]|\$|^[^A-ZÄÖÜ\d]|https?:")
"""Signs of a sentence that is left out: what markup becomes is the parser's own matter, which has its own tests; what
begins in the middle is a piece of a list; the digits of an address are no statement."""

_SMALL = re.compile(r"(?<=[a-z] )[a-z]{6,}(?=[ .,;])")
"""Of six letters on, there are few stop words."""

_LETTERS = re.compile(r"[^\W\d_]{2,}")
APART = 2
"""Words between two numbers that change places."""

_VERB = re.compile(r"\b(?:is|are|was|were|can|must|should|will|may|has|have|had|ist|sind|war|kann|muss|wird|hat)\b")
_DENIED = re.compile(r"\b(?:not|nicht)\b ?", re.IGNORECASE)
_DENIES = re.compile(r"\b(?:not?|nor|never|none|nothing|without|nicht|kein\w*|nie|ohne)\b|n['’]t\b", re.IGNORECASE)


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
    names = sorted({name for sentence, _ in sentences[:2_000] for name in _NAME.findall(sentence)})
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
        other = str(int(at.group()) + added)
        if other not in place.passage:  # else it might be true of something else there, and has a kind of its own
            return _replaced(place, at, other), place.passage
    return None


def _elsewhere(place: _Place) -> _Altered:
    own = list(_NUMBER.finditer(place.sentence))
    rest = place.passage.replace(place.sentence, " ")
    others = sorted({n.group() for n in _NUMBER.finditer(rest)} - {n.group() for n in own})
    if not own or not others:
        return None
    altered = _replaced(place, place.chance.choice(own), place.chance.choice(others))
    return (altered, place.passage) if altered not in place.passage else None


def _swapped(place: _Place) -> _Altered:
    """Have two numbers change places. Not those of one list or range: "3, 5 and 8" says the same in any order."""
    found = list(_NUMBER.finditer(place.sentence))
    pairs = [
        (one, two) for one, two in combinations(found, 2)
        if one.group() != two.group() and len(_LETTERS.findall(place.sentence[one.end() : two.start()])) >= APART
    ]  # fmt: skip
    if not pairs:
        return None
    one, two = place.chance.choice(pairs)
    between = place.sentence[one.end() : two.start()]
    altered = f"{place.sentence[: one.start()]}{two.group()}{between}{one.group()}{place.sentence[two.end() :]}"
    return (altered, place.passage) if altered not in place.passage else None


def _name(place: _Place) -> _Altered:
    found = list(_NAME.finditer(place.sentence))
    if not found or not place.names:
        return None
    at = place.chance.choice(found)
    for _ in range(20):
        new = place.chance.choice(place.names)
        if new.casefold() not in place.passage.casefold():
            return _replaced(place, at, new), place.passage
    return None


def _word(place: _Place) -> _Altered:
    """Put another word of the documents in the place of a small one that is no stop word."""
    found = list(_SMALL.finditer(place.sentence))
    others = [word for word in _SMALL.findall(place.other_passage) if word not in place.passage.casefold()]
    if not found or not others:
        return None
    return _replaced(place, place.chance.choice(found), place.chance.choice(others)), place.passage


def _replaced(place: _Place, at: re.Match[str], new: str) -> str:
    return f"{place.sentence[: at.start()]}{new}{place.sentence[at.end() :]}"


def _negation(place: _Place) -> _Altered:
    verb = _VERB.search(place.sentence)
    if verb is None or _DENIES.search(place.sentence):
        return None
    word = "nicht" if verb.group() in ("ist", "sind", "war", "kann", "muss", "wird", "hat") else "not"
    return f"{place.sentence[: verb.end()]} {word}{place.sentence[verb.end() :]}", place.passage


def _affirmed(place: _Place) -> _Altered:
    """Take the only word that denies out of a sentence."""
    if len(_DENIES.findall(place.sentence)) != 1:
        return None
    altered = _DENIED.sub("", place.sentence)
    return (altered, place.passage) if altered != place.sentence else None


def _passage(place: _Place) -> _Altered:
    return (place.sentence, place.other_passage) if place.sentence not in place.other_passage else None


FAULTS: Mapping[str, Callable[[_Place], _Altered]] = {
    "none": _nothing, "number": _number, "number of elsewhere": _elsewhere, "numbers swapped": _swapped, "name": _name,
    "word": _word, "negation": _negation, "negation taken away": _affirmed, "wrong passage": _passage,
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
                    sentence = passage[slice(*inside)]
                    if not _MARKUP.search(sentence):
                        yield sentence, passage
