"""Names and codes in text: proper names, acronyms, identifiers, compared in a way that forgives inflection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from chatapp.answering.folding import fold
from knowledge.languages import detect, stop_words

__all__ = ["missing_names", "names_in"]

_WORD = re.compile(r"[^\W_](?:[\w&'’-]*[^\W_])?")
_SENTENCE_START = re.compile(r"(?:^|(?<![A-Z])[.!?:;…]\s+|[\n|•]\s*|[\"“„»\[])$")
_BEFORE = 4  # characters before a word that tell whether a sentence begins
_POSSESSIVE = re.compile(r"['’]s?$")
_STEM = 5
"""Letters that two forms of a name share at least: “German”, “Germany”."""

_NO_NAMES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday januar februar märz mai juni juli oktober dezember montag dienstag mittwoch "
    "donnerstag freitag samstag sonntag i i'm i've i'll i'd mr mrs ms dr prof".split()
)


_OPENERS = frozenset(
    "according additionally although besides consequently finally first firstly furthermore hence however instead "
    "lastly likewise meanwhile moreover namely nevertheless next note once overall please second secondly similarly "
    "since specifically subsequently therefore third though thus today typically unlike unless upon usually whereas "
    "whether while yes within because based currently due generally given including notably often sometimes "
    "together".split()
)
"""Begin a sentence and are no names."""


def missing_names(
    sentence: str, sources: Sequence[str], *, question: str = "", openings: bool = False
) -> list[str]:  # fmt: skip
    """Return the names and codes of a sentence that stand in no source and not in the question.

    ``openings`` counts capitalised words that begin a sentence too, for sentences that say almost the same as a source.

    In German, where every noun is capitalised, only codes, acronyms and words of two capitals count.
    """
    known = _words(question).union(*(_words(source) for source in sources))
    stems = {word[:_STEM] for word in known if len(word) >= _STEM}
    initials = "\n".join(_initials(source) for source in sources)
    nouns = detect(sentence) == "de" or any(detect(source) == "de" for source in sources)
    found = []
    for written in names_in(sentence, nouns=nouns, openings=openings):
        parts = [part for part in re.split(r"[-&'’]", written.casefold()) if part]
        if written.casefold() in known or all(part in known for part in parts):
            continue
        if written.isupper() and (written.casefold() in initials or written.rstrip("S").casefold() in initials):
            continue
        if len(written) > _STEM and written.isalpha() and written[:_STEM].casefold() in stems:
            continue
        found.append(written)
    return list(dict.fromkeys(found))


def names_in(sentence: str, *, nouns: bool = False, openings: bool = False) -> list[str]:
    """Return the names and codes of a sentence as they are written; ``nouns``: where every noun is capitalised."""
    found = []
    for match in _WORD.finditer(sentence):
        written = _POSSESSIVE.sub("", match.group())
        starts = bool(_SENTENCE_START.search(sentence[max(0, match.start() - _BEFORE) : match.start()]))
        if _is_name(written, starts=starts and not openings, nouns=nouns):
            found.append(written)
    return found


def _is_name(word: str, *, starts: bool, nouns: bool) -> bool:
    plain = word.casefold()
    if plain in _NO_NAMES or len(word) < 2:
        return False
    letters = [c for c in word if c.isalpha()]
    if any(c.isdigit() for c in word):
        return bool(letters) and any(c.isupper() for c in letters)  # a code; bare numbers are looked at elsewhere
    if sum(c.isupper() for c in letters) >= 2:
        return True
    if nouns or starts or not word[0].isupper():
        return False
    return plain not in stop_words("en") and plain not in _OPENERS


@lru_cache(maxsize=256)
def _words(text: str) -> frozenset[str]:
    words = {_POSSESSIVE.sub("", word.casefold()) for word in _WORD.findall(fold(text).text)}
    return frozenset(words | {part for word in words for part in re.split(r"[-&'’]", word)})


@lru_cache(maxsize=256)
def _initials(text: str) -> str:
    """Return the first letters of the words that begin with a capital, in order: what an acronym is made of."""
    return "".join(word[0] for word in _WORD.findall(text) if word[0].isupper()).casefold()
