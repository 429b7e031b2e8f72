"""Numbers in text, comparable across the ways to write them (English and German)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Number", "displaced_numbers", "missing_numbers", "numbers", "values_of"]

_NUMBER = re.compile(r"\d+(?:[.,'’\u00a0\u202f]\d+)*(?: \d{3}(?!\d))*")
_SCALE = re.compile(
    r"[\s\u00a0-]*(thousand|million|billion|trillion|tausend|millionen|milliarden?|mio|mrd|mn|bn|tsd|k)\b",
    re.IGNORECASE,
)
_SCALES = {
    "thousand": 1e3, "tausend": 1e3, "tsd": 1e3, "k": 1e3,
    "million": 1e6, "millionen": 1e6, "mio": 1e6, "mn": 1e6,
    "billion": 1e9, "milliarde": 1e9, "milliarden": 1e9, "mrd": 1e9, "bn": 1e9, "trillion": 1e12,
}  # fmt: skip
_WORDS = {
    word: float(value)
    for value, forms in enumerate(
        "zero null|one once first eins ein eine einer|two twice second zwei|three third drei|four fourth vier|"
        "five fifth fünf|six sixth sechs|seven seventh sieben|eight eighth acht|nine ninth neun|ten tenth zehn|"
        "eleven eleventh elf|twelve twelfth zwölf".split("|")
    )
    for word in forms.split()
} | {"twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "half": 0.5, "dozen": 12.0, "hundred": 100.0}
_MONTHS = {
    name: float(number)
    for number, names in enumerate(
        "january januar jan|february februar feb|march märz mar|april apr|may mai|june juni jun|july juli jul|"
        "august aug|september sept sep|october oktober oct okt|november nov|december dezember dec dez".split("|"),
        start=1,
    )
    for name in names.split()
}
_WORD = re.compile(r"[^\W\d_]+")
_LIST_ORDINAL = re.compile(r"\s*(?:[-*+•>]\s+)*\d{1,3}[.)]\s")


class Number(NamedTuple):
    """A number of a text: where it stands, and every value it may mean; more than one for ``1.000``."""

    start: int
    end: int
    written: str
    values: frozenset[float]


def missing_numbers(sentence: str, sources: tuple[str, ...], *, question: str = "") -> list[str]:
    """Return the numbers of a sentence, as written, that occur in no source and not in the question."""
    known = values_of(question).union(*(values_of(source) for source in sources))
    body = _LIST_ORDINAL.sub("", sentence, count=1)
    return [number.written for number in numbers(body) if not number.values & known]


def displaced_numbers(sentence: str, held: tuple[str, ...], *, question: str = "") -> list[str]:
    """Return the numbers of a sentence that the sentences nearest to it do not have, where those have others instead.

    ``held`` are these sentences. Without a number of their own that the sentence lacks, nothing was put in the place of
    anything: who sums up adds the year that stands one sentence earlier.
    """
    missing = missing_numbers(sentence, held, question=question)
    own = [number.values for number in numbers(sentence)]
    own += [frozenset({value}) for _, value in _spelt(sentence, _WORDS, _MONTHS)]
    for text in held if missing else ():
        theirs = [number.values for number in numbers(text)]
        # Counted, for a number may stand twice and be replaced once.
        if any(_times(values, theirs) > _times(values, own) for values in theirs):
            return missing
    return []


def numbers(text: str, *, spelt: bool = False) -> list[Number]:
    """Return the numbers of a text in order; ``spelt``: also those that are words, from two on."""
    found = []
    for match in _NUMBER.finditer(text):
        values, end = _readings(match.group()), match.end()
        scale = _SCALE.match(text, end)
        if scale:
            factor, end = _SCALES[scale.group(1).lower()], scale.end()
            values = {round(value * factor, 6) for value in values}
        found.append(Number(match.start(), end, match.group(), frozenset(values)))
    if spelt:  # "one" and its like are articles as often
        words = (
            Number(m.start(), m.end(), m.group(), frozenset({value})) for m, value in _spelt(text, _WORDS) if value > 1
        )
        taken = {at for number in found for at in range(number.start, number.end)}
        found = sorted([*found, *(word for word in words if word.start not in taken)])
    return found


@lru_cache(maxsize=256)
def values_of(text: str) -> frozenset[float]:
    """Return every value that a number of a text may mean, those of words too."""
    return frozenset().union(
        *(number.values for number in numbers(text)), (value for _, value in _spelt(text, _WORDS, _MONTHS))
    )


def _times(values: frozenset[float], among: Sequence[frozenset[float]]) -> int:
    return sum(not values.isdisjoint(each) for each in among)


def _spelt(text: str, *tables: Mapping[str, float]) -> list[tuple[re.Match[str], float]]:
    """Return the words of a text that a table knows, with their values."""
    words = [(match, match.group().casefold()) for match in _WORD.finditer(text)]
    return [(match, table[word]) for match, word in words for table in tables if word in table]


def _readings(written: str) -> set[float]:
    """Return every value a number may mean: ``1.000`` is one or a thousand, ``2,700,000`` only one thing."""
    bare = re.sub(r"['’\s\u00a0\u202f]", "", written)
    parts = re.split(r"[.,]", bare)
    values = set()
    if len(parts) == 1 or all(len(part) == 3 for part in parts[1:]):
        values.add(float("".join(parts)))
    marks = [c for c in bare if c in ".,"]
    if len(marks) == 1:
        values.add(float(f"{parts[0]}.{parts[1]}"))
    elif len(marks) > 1 and marks[-1] not in marks[:-1]:
        values.add(float("".join(parts[:-1]) + "." + parts[-1]))
    elif len(marks) > 1 and not values:  # a date or a version: each part counts for itself
        values |= {float(part) for part in parts}
    return values
