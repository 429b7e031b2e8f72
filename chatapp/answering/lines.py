"""Whole lines with a meaning of their own: ``NO_ANSWER`` and the source list a model appends."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum

__all__ = ["LINE_STARTS", "NO_ANSWER", "Line", "SourceList", "read_line"]

NO_ANSWER = "NO_ANSWER"
_NO_ANSWER_FORMS = (NO_ANSWER, "NO ANSWER")
_HEADINGS = (
    "sources used",
    "sources cited",
    "sources",
    "source",
    "references",
    "reference list",
    "citations",
    "bibliography",
    "works cited",
    "quellenverzeichnis",
    "quellenangaben",
    "quellen",
    "quelle",
    "literaturverzeichnis",
)
_DECORATION = "#*_` \t"
LINE_STARTS = frozenset("#*_`N" + "".join({h[0] for h in _HEADINGS} | {h[0].upper() for h in _HEADINGS}))
"""The first characters a line must have to be held at all."""

_LONGEST = 48  # characters of a heading with its decoration
_LIST_LIMIT = 4096
_ITEM_STARTS = '-*+•–[【［(0123456789|>"“'
_LABEL = re.compile(r"[\[【［(]\s*(?:source\s*)?S?\d|\bS\d|\bsource \d|https?://", re.IGNORECASE)


class Line(Enum):
    OPEN = "open"
    TEXT = "text"
    NO_ANSWER = "no_answer"
    SOURCES = "sources"


def read_line(held: str) -> Line:
    """Decide what the beginning of a line is, as early as possible."""
    body = held.lstrip(_DECORATION)
    if not body:
        return Line.OPEN if len(held) < 12 else Line.TEXT
    for form in _NO_ANSWER_FORMS:
        if form.startswith(body):
            return Line.OPEN
        if body.startswith(form):
            return Line.TEXT if body[len(form)].isalnum() or body[len(form)] == "_" else Line.NO_ANSWER
    if len(held) > _LONGEST:
        return Line.TEXT
    word = body.lower()
    if any(heading.startswith(word) for heading in _HEADINGS):
        return Line.OPEN
    return max((_read_heading(word[len(h) :]) for h in _HEADINGS if word.startswith(h)), key=_ORDER, default=Line.TEXT)


_ORDER = [Line.TEXT, Line.OPEN, Line.SOURCES, Line.NO_ANSWER].index


def _read_heading(rest: str) -> Line:
    """Read what follows the word: decoration, at most one colon, then the line's end or items."""
    bare = rest.strip("*_` \t")
    if bare in ("", ":"):
        return Line.OPEN
    if bare in ("\n", ":\n"):
        return Line.SOURCES
    return Line.SOURCES if bare.startswith(":") and _may_be_item(bare[1:].strip("*_` \t")) else Line.TEXT


def _may_be_item(line: str) -> bool:
    """Tell whether a line, of which one or more characters are known, may be an entry of a list."""
    if line[:1] in ("S", "s"):
        return len(line) < 2 or line[1].isdigit() or "source".startswith(line.lower()[:6])
    return line[:1] in _ITEM_STARTS


class SourceList:
    """What follows a heading such as ``Sources:``. Held back, because a list at the very end is dropped."""

    def __init__(self, titles: Collection[str]) -> None:
        self._titles = [title.casefold() for title in titles if len(title) > 3]
        self._text: list[str] = []
        self._line = ""

    def begin(self, heading: str) -> None:
        self._text = [heading]
        self._line = "" if heading.endswith("\n") else heading.partition(":")[2].strip("*_` \t")

    def take(self, c: str) -> bool:
        """Take the next character; return False when this cannot be a source list."""
        self._text.append(c)
        if c == "\n":
            self._line = ""
            return True
        if (self._line or not c.isspace()) and len(self._line) < 8:
            self._line += c
            return _may_be_item(self._line)
        return len(self._text) < _LIST_LIMIT

    def is_source_list(self) -> bool:
        """Tell a list of our sources from a list about sources of something."""
        _, _, items = "".join(self._text).partition(":" if ":" in self._text[0] else "\n")
        if not items.strip() or _LABEL.search(items):
            return True
        folded = items.casefold()
        return any(title in folded for title in self._titles)
