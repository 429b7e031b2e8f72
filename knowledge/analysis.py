"""Turn text into the terms of the keyword index; the same for documents and queries.

Stores index our terms as they are (white space tokenizer, no stemming), so that every store finds
the same records and BM25 can be computed again, exactly, from ``Hit.terms``.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

__all__ = ["index_terms", "terms"]

LONGEST_TERM = 64
"""Characters kept of one term: a base64 blob must not become a megabyte of vocabulary."""

# Scripts written without spaces: cut into overlapping pairs of characters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
)
# Vowel signs and accents that Python does not count as word characters, though they are inside words.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0dff"
_PART = rf"(?:[^\W_{_UNSPACED}]|[{_MARKS}])+"
_TOKEN = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<word>{_PART}(?:[-_./:@+\u2010-\u2015]{_PART})*)")
_SPLIT = re.compile(r"[-_./:@+\u2010-\u2015]")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_APOSTROPHES = re.compile(r"['\u2019\u02bc]")

_STOP_WORDS = frozenset(
    """
    a about above after again against all am an and any are as at be because been before being below between
    both but by can could did do does doing down during each few for from further had has have having he her
    here hers herself him himself his how i if in into is it its itself just me more most my myself no nor not
    now of off on once only or other our ours ourselves out over own same she should so some such than that
    the their theirs them themselves then there these they this those through to too under until up very was
    we were what when where which while who whom why will with would you your yours yourself yourselves s t d
    m ll re ve don doesn didn isn aren wasn weren hasn haven hadn won wouldn shouldn couldn
    """.split()
)


def terms(text: str, *, language: str = "english") -> list[str]:
    """Return the index terms of a text, in order and with repeats.

    Identifiers (``AB-12/3``, ``v1.2.3``, ``foo_bar``) come out whole and in parts, numbers without
    their thousands separators, scripts without spaces as character bigrams.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _APOSTROPHES.sub(" ", text)
    return list(_expand(text, language))


def index_terms(title: str, heading_path: Sequence[str], text: str, *, language: str = "english") -> str:
    """Return what ``IndexRecord.terms`` holds: title, headings and text, analysed, space separated.

    Title and headings in the keyword text are worth 20 points MRR on heading questions.
    """
    return " ".join(terms("\n".join((title, *heading_path, text)), language=language))


def _expand(text: str, language: str) -> Iterator[str]:
    stop_words = _STOP_WORDS if language == "english" else frozenset[str]()
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "unspaced":
            yield from _bigrams(token)
            continue
        parts = [part for part in _SPLIT.split(token) if part]
        if len(parts) > 1 and _is_identifier(token):
            yield token[:LONGEST_TERM]
        for part in parts:
            if part not in stop_words:
                yield _stem(part[:LONGEST_TERM], language)


def _is_identifier(token: str) -> bool:
    """Tell ``ab-12`` and ``os.path`` from ``well-known`` and ``and/or``."""
    return any(character in "_.:@" or character.isdigit() for character in token)


def _bigrams(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for first, second in pairwise(run):
        yield first + second


@lru_cache(maxsize=131_072)
def _stem(word: str, language: str) -> str:
    if not word.isalpha():
        return word
    with _stemmer_lock:  # a stemmer keeps the word it works on in itself
        return str(_stemmer(language).stemWord(word)) or word


_stemmer_lock = threading.Lock()


@lru_cache(maxsize=8)
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(language)
