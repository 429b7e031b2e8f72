"""Take a word that no document of the scope has for the word that was meant.

Asked only about words the scope does not know, so that a question whose words are all known pays nothing. Two looks
at the vocabulary: first every spelling one edit away (a letter missing, added, changed, or two swapped), each in its
index form, which also finds slips in an ending that stemming takes off; then, for long words, the vocabulary of the
same first letter and about the same length for index terms two edits away.

A word that the embedding model knows whole is a word, only not one of these documents: its meaning may still find them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from knowledge.analysis import word_terms

__all__ = ["Correction", "Lookup", "corrections", "replaced", "suspects"]

SHORTEST = 6
"""Letters; shorter words have too many neighbours."""
LONG = 10
"""From here on two slips are forgiven."""
LONGEST = 24
_LATIN = "abcdefghijklmnopqrstuvwxyz"
LETTERS: Mapping[str, str] = {
    "en": _LATIN, "de": f"{_LATIN}äöüß", "fr": f"{_LATIN}àâçèéêëîïôùû", "es": f"{_LATIN}áéíñóúü",
    "it": f"{_LATIN}àèéìòù", "pt": f"{_LATIN}àáâãçéêíóôõú", "nl": f"{_LATIN}ëï",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюя", "el": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ",
}  # fmt: skip
"""What may be typed by mistake or left out; words of other languages are not corrected."""

_WORD = re.compile(r"(?<![\w@.:/+-])[^\W\d_]+(?![\w@:/+-]|\.\w)")
"""A word of letters alone; no part of an identifier, an address or a hyphenated word."""

Known = Callable[[Sequence[str]], Mapping[str, int]]
"""Index terms -> in how many chunks each is; terms in none may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the scope knows."""

    known: Known
    near: Callable[[str, int, int], Mapping[str, int]] | None = None
    """First letter, least and greatest length -> terms with their frequencies; None: only one slip is forgiven."""
    pieces: Callable[[Sequence[str]], Sequence[int]] | None = None
    """In how many pieces the embedding model takes each word, one where it knows it whole; None: nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    typed: str  # as it stands in the question
    meant: str
    sure: bool = True  # False: it may be no word, so what was typed is searched beside it

    @property
    def note(self) -> str:
        how = "instead of" if self.sure else "beside"
        return f"Searched for “{self.meant}” {how} “{self.typed}”, which no document here has."


def suspects(text: str, *, languages: Sequence[str]) -> list[str]:
    """Return the words that could be slips where no document has them: long enough, and of letters alone."""
    found = dict.fromkeys(match.group() for match in _WORD.finditer(text))
    return [word for word in found if SHORTEST <= len(word) <= LONGEST and _letters(word, languages)]


def corrections(words: Sequence[str], *, lookup: Lookup, languages: Sequence[str]) -> tuple[Correction, ...]:
    """Return what was meant by each of the words, where the vocabulary has something near."""
    found = []
    for word in words:
        plain = word.casefold()
        if lookup.pieces is not None and lookup.pieces([plain])[0] == 1:
            continue
        meant = _one_slip(plain, lookup, languages)
        if meant is not None:
            found.append(Correction(typed=word, meant=meant[0], sure=meant[1]))
        elif term := _two_slips(plain, lookup, languages):
            found.append(Correction(typed=word, meant=term, sure=False))
    return tuple(found)


def replaced(text: str, found: Sequence[Correction]) -> str:
    """Return the text with what was meant in the place of what was typed, or beside it."""
    meant = {one.typed: one.meant if one.sure else f"{one.typed} {one.meant}" for one in found}
    return _WORD.sub(lambda match: meant.get(match.group(), match.group()), text)


def _letters(word: str, languages: Sequence[str]) -> str:
    """Return the alphabet a word is written in, if it is one of the languages'; else nothing."""
    letters = dict.fromkeys("".join(LETTERS.get(code, "") for code in languages))
    return "".join(letters) if all(letter in letters for letter in word.casefold()) else ""


def _one_slip(word: str, lookup: Lookup, languages: Sequence[str]) -> tuple[str, bool] | None:
    spellings: dict[str, list[str]] = {}
    for spelling in dict.fromkeys(_edits(word, _letters(word, languages))):
        for term in word_terms(spelling, languages=languages):
            spellings.setdefault(term, []).append(spelling)
    frequency = lookup.known(list(spellings))
    for term in sorted(spellings, key=lambda term: (-frequency.get(term, 0), term)):
        if not frequency.get(term):
            break
        if meant := _usual(term, spellings[term], word, lookup):
            return meant
    return None


def _usual(term: str, spellings: Sequence[str], typed: str, lookup: Lookup) -> tuple[str, bool] | None:
    """Return the spelling of an index form that was meant ("managment": "management", not "managments"), and whether
    that is sure: the embedding model knows it whole, or the index has it as it is."""
    if lookup.pieces is None:
        return (term, True) if term in spellings else (max(spellings, key=len), False)
    typed_pieces, *counts = lookup.pieces([typed, *spellings])
    pieces, _, fewest = min(zip(counts, map(len, spellings), spellings, strict=True))
    if pieces == 1:
        return fewest, True
    if term in spellings and counts[spellings.index(term)] <= typed_pieces:
        return term, True
    # As many pieces as what was typed: "summarie" has the index form of "summary" and is no better than "summarize".
    return (fewest, False) if pieces < typed_pieces else None


def _edits(word: str, letters: str) -> Iterator[str]:
    """Yield every spelling one edit away that keeps the first letter."""
    for at in range(1, len(word) + 1):
        head, tail = word[:at], word[at:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters if letter != tail[0])
        if len(tail) > 1 and tail[0] != tail[1]:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)


def _two_slips(word: str, lookup: Lookup, languages: Sequence[str]) -> str:
    if lookup.near is None or len(word) < LONG:
        return ""
    best: tuple[int, int, str] | None = None
    for own in word_terms(word, languages=languages):
        for term, count in lookup.near(own[0], len(own) - 2, len(own) + 2).items():
            if len(term) < SHORTEST or count < 1 or (distance := _distance(own, term, most=2)) > 2:
                continue
            if best is None or (distance, -count, term) < best:
                best = distance, -count, term
    return best[2] if best else ""


def _distance(one: str, two: str, *, most: int) -> int:
    """Return how many letters must be added, taken, changed or swapped; ``most + 1`` for all that is further."""
    if abs(len(one) - len(two)) > most or len(set(one) ^ set(two)) > 2 * most:
        return most + 1
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(two, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
