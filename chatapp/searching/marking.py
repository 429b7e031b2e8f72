"""Mark the words of a question in a passage. Offsets count the code points of the passage as it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from chatapp.markup.visible import cut, dotted, visible
from knowledge.analysis import variants
from knowledge.languages import ENGLISH
from knowledge.parsing.formats import MARKDOWN, RST

Range: TypeAlias = tuple[int, int]

_WHOLE = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])|\w+(?:[-./:@+\u2010-\u2015]\w+)*")
_WORD = re.compile(r"[^\W_]+")
_SOFT_END = re.compile(r"(?<![\n|])\n(?![\n\s|#>*+:\d-])")  # not beside rows of tables, lists, headings
_FLOWING = (MARKDOWN, RST)
LONGEST = 200
"""Characters of a run without spaces that is looked at; a longer one is no word that anybody asks for."""


class Piece(NamedTuple):
    """A stretch of text, marked or not."""

    text: str
    marked: bool


def flowing(text: str, media_type: str) -> str:
    """Return the text with a space for each line end that means nothing: where a format breaks lines as it likes.

    It stays as long as it was, so offsets into it stay too.
    """
    return _SOFT_END.sub(" ", text) if media_type in _FLOWING and "```" not in text else text


def without_marks(found: Sequence[Piece], text: str) -> list[Piece]:
    """Return the pieces of a Markdown text as people read it: without its marks, and with dots between cells.

    ``text`` is what they were cut from, with the line ends that tell its blocks.
    """
    joined, shown = dotted("".join(piece.text for piece in found)), visible(text, bars=False)
    kept, at = list[Piece](), 0
    for piece in found:
        words = cut(joined, shown, at, at + len(piece.text))
        kept += [piece._replace(text=words)] if words else []
        at += len(piece.text)
    return kept


def pieces(text: str, terms: Collection[str], *, languages: Sequence[str] = (ENGLISH,)) -> list[Piece]:
    """Cut a text at the borders of the words whose index terms were searched. Joined, the pieces are the text.

    A text may be in any of the languages, in which its words were analysed.
    """
    found: list[Piece] = []
    at = 0
    for start, end in _merged(_places(text, frozenset(terms), languages)):
        if start > at:
            found.append(Piece(text[at:start], marked=False))
        found.append(Piece(text[start:end], marked=True))
        at = end
    if at < len(text):
        found.append(Piece(text[at:], marked=False))
    return found


def _places(text: str, wanted: frozenset[str], languages: Sequence[str]) -> Iterator[Range]:
    """Yield the ranges of identifiers and numbers as a whole, else of words, in scripts without spaces of pairs."""
    for match in _WHOLE.finditer(text) if wanted else ():
        token = match.group()[:LONGEST]
        found = [term for group in variants(token, languages=languages) for term in group]
        if wanted.isdisjoint(found):
            continue
        if "," in token or unicodedata.normalize("NFKC", token).casefold() in wanted.intersection(found):
            yield match.start(), match.start() + len(token)
            continue
        for word in _WORD.finditer(token):
            yield from _in_word(word.group(), match.start() + word.start(), wanted, languages)


def _in_word(word: str, offset: int, wanted: frozenset[str], languages: Sequence[str]) -> Iterator[Range]:
    found = list(variants(word, languages=languages))
    if wanted.isdisjoint(term for group in found for term in group):
        return
    if len(found) == 1:
        yield offset, offset + len(word)
        return
    for at, pair in enumerate(pairwise(word)):
        if any(not wanted.isdisjoint(group) for group in variants("".join(pair), languages=languages)):
            yield offset + at, offset + at + 2


def _merged(places: Iterator[Range]) -> list[Range]:
    """Join ranges that touch or overlap; they come in order."""
    merged: list[Range] = []
    for start, end in places:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
