"""Numbers in text, comparable across the ways to write them (English and German)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["displaced_numbers", "missing_numbers"]

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


def missing_numbers(sentence: str, sources: tuple[str, ...], *, question: str = "") -> list[str]:
    """Return the numbers of a sentence, as written, that occur in no source and not in the question."""
    known = _values(question, words=True).union(*(_values(source, words=True) for source in sources))
    body = _LIST_ORDINAL.sub("", sentence, count=1)
    return [written for written, values in _numbers(body) if not values & known]


def displaced_numbers(sentence: str, held: tuple[str, ...], *, question: str = "") -> list[str]:
    """Return the numbers of a sentence that the sentences nearest to it do not have, where those have others instead.

    ``held`` are these sentences. Without a number of their own that the sentence lacks, nothing was put in the place of
    anything: who sums up adds the year that stands one sentence earlier.
    """
    missing = missing_numbers(sentence, held, question=question)
    own = [values for _, values in _numbers(sentence)] + [{value} for value in _spelt(sentence)]
    for text in held if missing else ():
        theirs = [values for _, values in _numbers(text)]
        # Counted, for a number may stand twice and be replaced once.
        if any(_times(values, theirs) > _times(values, own) for values in theirs):
            return missing
    return []


def _times(values: set[float], numbers: Sequence[set[float]]) -> int:
    return sum(not values.isdisjoint(each) for each in numbers)


def _spelt(text: str) -> list[float]:
    """Return the values of the words that are numbers or months."""
    words = _WORD.findall(text.casefold())
    return [table[word] for word in words for table in (_WORDS, _MONTHS) if word in table]


@lru_cache(maxsize=256)
def _values(text: str, *, words: bool) -> frozenset[float]:
    found = {value for _, values in _numbers(text) for value in values}
    if words:
        found.update(_spelt(text))
    return frozenset(found)


def _numbers(text: str) -> list[tuple[str, set[float]]]:
    found = []
    for match in _NUMBER.finditer(text):
        values = _readings(match.group())
        scale = _SCALE.match(text, match.end())
        if scale:
            factor = _SCALES[scale.group(1).lower()]
            values = {round(value * factor, 6) for value in values}
        found.append((match.group(), values))
    return found


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
