"""Turn text into the terms of the keyword index; the same for documents and queries of a language.

Stores index our terms as they are (white space tokenizer, no stemming), so that every store finds
the same records and BM25 can be computed again, exactly, from ``Hit.terms``.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from knowledge.languages import ENGLISH, STEMMERS, is_latin, stop_words

__all__ = ["index_terms", "terms", "variants", "word_terms"]

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


def terms(text: str, *, language: str = ENGLISH) -> list[str]:
    """Return the index terms of a text in a language (ISO 639; "" counts as English), in order and with repeats.

    Identifiers (``AB-12/3``, ``v1.2.3``, ``foo_bar``) come out whole and in parts, numbers without
    their thousands separators, scripts without spaces as character bigrams.
    """
    return [found[0] for found in variants(text, languages=(language,))]


def variants(text: str, *, languages: Sequence[str], without: Collection[str] = ()) -> Iterator[tuple[str, ...]]:
    """Yield for each term what it is called in the index in each of the languages, without repeats.

    A word that is a stop word in some of them is there as the others know it; those in ``without`` are left out.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _APOSTROPHES.sub(" ", text)
    for word in _TOKEN.finditer(text):
        if word.lastgroup == "unspaced":
            yield from ((pair,) for pair in _bigrams(word.group()))
            continue
        token = word.group()
        parts = [part for part in _SPLIT.split(token) if part]
        if len(parts) > 1 and _is_identifier(token):
            yield (token[:LONGEST_TERM],)
        for part in parts:
            if part not in without:
                stems = dict.fromkeys(
                    _stem(part[:LONGEST_TERM], code) for code in languages if part not in stop_words(code)
                )
                if stems:
                    yield tuple(stems)


def index_terms(title: str, heading_path: Sequence[str], text: str, *, language: str = ENGLISH) -> str:
    """Return what ``IndexRecord.terms`` holds: title, headings and text, analysed, space separated.

    Title and headings in the keyword text are worth 20 points MRR on heading questions.
    """
    return " ".join(terms("\n".join((title, *heading_path, text)), language=language))


def word_terms(word: str, *, languages: Sequence[str]) -> tuple[str, ...]:
    """Return what one word of letters is called in the index in each of the languages; nothing for a stop word.

    For guesses by the hundred: nothing is remembered.
    """
    word = unicodedata.normalize("NFKC", word).casefold()[:LONGEST_TERM]
    return tuple(dict.fromkeys(_stem.__wrapped__(word, code) for code in languages if word not in stop_words(code)))


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
    if word.isascii() and not is_latin(language):
        language = ENGLISH  # foreign words in another script are English ones more often than not
    with _stemmer_lock:  # a stemmer keeps the word it works on in itself
        return str(_stemmer(language).stemWord(word)) or word


_stemmer_lock = threading.Lock()


@lru_cache(maxsize=32)
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(STEMMERS.get(language, STEMMERS[ENGLISH]))
