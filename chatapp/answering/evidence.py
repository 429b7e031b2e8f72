"""Find the words of a passage that a sentence rests on."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from chatapp.answering.folding import fold, plain
from chatapp.answering.sentences import split_document
from knowledge.analysis import terms

__all__ = ["AnalysedText", "Evidence", "analysed", "locate", "quotations", "whole_sentences"]

WIDEST = 3  # sentences
_WORTH = 0.08  # share of the sentence's weight that one more sentence of evidence must add
_NUMBER_WEIGHT = 2.0
_QUESTION_WEIGHT = 0.5  # words taken over from the question say little about where the answer stands
_QUOTED = re.compile('[“„"«»]([^“”„"«»\n]{8,}?)[”“"»«]')


@dataclass(frozen=True, slots=True)
class Evidence:
    """A range of the passage text. ``score`` is the share of the sentence's content found there, 0 to 1."""

    start: int
    end: int
    score: float
    verbatim: bool  # the passage holds the whole sentence, word for word


_CLOSING = re.compile(r"[.!?…。！？\"”’)\]]+(?=\s|$)")
_OPENING = re.compile(r"(?<!\S)[\"“„‘«(\[]+$")
_MOST_OPENING = 8  # signs in a row


@lru_cache(maxsize=256)  # the check, the verifier and the citation all ask for the same
def locate(sentence: str, passage_text: str, *, question: str = "") -> Evidence:
    """Return the best range for ``sentence``: its exact words, a quotation in it, or 1 to 3 sentences."""
    words = plain(sentence)
    folded = fold(passage_text)
    whole = folded.find(fold(words).text.strip(" .!?;:。"))
    if whole and sum(c.isalnum() for c in words) >= 3:
        start, end = _with_signs(passage_text, *whole)
        return Evidence(start, end, score=1.0, verbatim=True)
    best = _best_window(words, passage_text, question)
    quotes = sorted(quotations(words), key=len, reverse=True)
    for quote in quotes:
        exact = folded.find(fold(quote).text.strip(" .,!?;:"))
        if exact:
            return Evidence(*exact, score=best.score, verbatim=False)
    return best


def whole_sentences(text: str, start: int, end: int, *, around: int = 0) -> tuple[int, int]:
    """Return the range of the sentences of a text that a range of it touches, and of so many on both sides."""
    ranges = analysed(text).ranges
    touched = [at for at, each in enumerate(ranges) if each[0] < end and start < each[1]]
    if not touched:
        return start, end
    first, last = max(0, touched[0] - around), min(len(ranges) - 1, touched[-1] + around)
    return min(start, ranges[first][0]), max(end, ranges[last][1])


def _with_signs(text: str, start: int, end: int) -> tuple[int, int]:
    """Take in the signs that open and close the sentence in its source; the point of a decimal is none."""
    opening = _OPENING.search(text, max(0, start - _MOST_OPENING), start)
    closing = _CLOSING.match(text, end)
    return opening.start() if opening else start, closing.end() if closing else end


def quotations(text: str) -> list[str]:
    """Return what stands in quotation marks, if it is longer than a name: two words or twelve characters."""
    inside = (match.strip() for match in _QUOTED.findall(text))
    return [quote for quote in inside if " " in quote or len(quote) >= 12]


@dataclass(frozen=True, slots=True)
class AnalysedText:
    """The sentences of a text: their ranges, their terms, and in how many of them each term is."""

    ranges: tuple[tuple[int, int], ...]
    terms: tuple[frozenset[str], ...]
    frequency: Mapping[str, int]


@lru_cache(maxsize=256)
def analysed(text: str) -> AnalysedText:
    """Return the sentences of a passage."""
    ranges = tuple(split_document(text))
    found = tuple(frozenset(terms(text[start:end])) for start, end in ranges)
    return AnalysedText(ranges, found, Counter(term for each in found for term in each))


def _best_window(words: str, text: str, question: str) -> Evidence:
    source = analysed(text)
    weights = _weights(words, question, source)
    total = sum(weights.values())
    best, best_value = (0, len(source.ranges)), 0.0
    gains = [_gain(each, weights) for each in source.terms]
    for first in range(len(source.ranges)):
        if not gains[first]:
            continue
        for count in range(1, min(WIDEST, len(source.ranges) - first) + 1):
            if count > 1 and not gains[first + count - 1]:
                continue
            found = frozenset().union(*source.terms[first : first + count])
            value = _gain(found, weights) / total - _WORTH * (count - 1)
            if value > best_value + 1e-9:
                best, best_value = (first, first + count), value
    if not best_value:
        return _whole(text)
    start, end = source.ranges[best[0]][0], source.ranges[best[1] - 1][1]
    return Evidence(start, end, min(1.0, best_value + _WORTH * (best[1] - best[0] - 1)), verbatim=False)


def _weights(words: str, question: str, source: AnalysedText) -> dict[str, float]:
    count = len(source.ranges)
    asked = frozenset(terms(question)) if question else frozenset[str]()
    weights = {}
    for term in terms(words):
        frequency = source.frequency.get(term, 0)
        weight = math.log1p((count - frequency + 0.5) / (frequency + 0.5))
        if any(c.isdigit() for c in term):
            weight *= _NUMBER_WEIGHT
        elif term in asked:
            weight *= _QUESTION_WEIGHT
        weights[term] = weight
    return weights


def _gain(found: frozenset[str], weights: Mapping[str, float]) -> float:
    return sum(weight for term, weight in weights.items() if term in found)


def _whole(text: str) -> Evidence:
    """Without a shared word there is no better place than the whole passage."""
    start = len(text) - len(text.lstrip())
    end = max(len(text.rstrip()), min(start + 1, len(text)))
    return Evidence(min(start, max(0, end - 1)), end, score=0.0, verbatim=False)
