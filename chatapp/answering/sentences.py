"""Cut text into sentences: an incremental splitter for answers and a quick one for documents.

Light on language: terminators, CJK full stops, English and German abbreviations, decimals and dates;
list items, table rows, headings and blank lines end a sentence as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

__all__ = ["Sentence", "SentenceKind", "SentenceSplitter", "split_document", "split_text"]

SentenceKind: TypeAlias = Literal["statement", "question", "heading", "lead", "code", "markup", "value"]
"""``lead`` ends in a colon and introduces what follows; ``markup`` has no words (rules, table dashes); ``value`` is a
number or a truth value of structured output, which has no place for a mark."""

_WIDE = "。！？｡．؟۔।॥"  # end a sentence without a space after them
_NARROW = ".!?…"
_CLOSERS = "\"'”’»›)]}」』】）〉》*_~`"
_OPENERS = "([{\"'“‘„«‹*_~`"
_SENTINEL = re.compile("\ue000\\d+\ue001")
_BULLET = re.compile(r"\s*(?:[-*+•>]\s+|\d{1,3}[.)]\s+)*")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")

_ABBREVIATIONS = frozenset(
    """
    dr mr mrs ms prof st sr jr gen col sgt capt lt gov sen rep rev hon pres vs cf al approx appr dept viz incl excl
    eds bzw ggf evtl inkl exkl zzgl vgl sog gest ziff mio mrd tsd hrsg tel allg bspw einschl etwa dipl lfd mind nachf
    österr spez std stv tägl ungef urspr verh versch zit bes betr bez hr fr ca
    """.split()
)
# Words of their own unless a number follows: "No. 5", but "He said no."
_BEFORE_NUMBER = frozenset(
    """
    no nos nr nrn fig figs eq eqs sec ch vol vols ed p pp est ref refs art para max min jan feb mar apr jun jul aug sept
    sep oct okt nov dec dez mon tue wed thu fri sat tab abs kap bd bde abb anm lit geb gem ab seit um
    """.split()
)
_CLOCK = frozenset({"a.m", "p.m"})
# Before "3." these words make it a German ordinal: "am 3. Oktober", "die 2. Kammer".
_BEFORE_ORDINAL = frozenset("am der dem den des die das vom zum zur im ab bis seit ein eine einer einem".split())


@dataclass(frozen=True, slots=True)
class Sentence:
    """A range of the canonical answer text, its trailing citation marks included."""

    index: int
    start: int
    end: int
    kind: SentenceKind


class SentenceSplitter:
    """Find sentences in an answer that arrives character by character.

    A sentence is closed by the first character of the next one, so that marks which follow the full
    stop still belong to it. ``code`` marks characters of code, formulas, links and tags.
    """

    def __init__(self) -> None:
        self.position = 0
        self.index = 0
        self._start: int | None = None
        self._end = 0
        self._text: list[str] = []
        self._newlines = 0
        self._gap = False  # white space or a citation since the last character of text
        self._terminator = ""
        self._word = ""
        self._words = ("", "")  # the two words before the last white space
        self._in_code = False
        self._in_table = False

    @property
    def is_open(self) -> bool:
        return self._start is not None

    @property
    def start(self) -> int:
        """Where the open sentence begins."""
        return self.position if self._start is None else self._start

    def char(self, c: str, *, code: bool = False) -> Sentence | None:
        """Take the next character; return the sentence that it closes, if any."""
        if c.isspace():
            self._space(c)
            return None
        closed = self._close() if self._is_boundary(c, code) else None
        self._open()
        self._text.append(c)
        self._note_word(c, code)
        self._in_code = code
        self._gap = False
        self._newlines = 0
        self.position += 1
        self._end = self.position
        return closed

    def cite(self, length: int, *, attach: bool) -> Sentence | None:
        """Take a citation mark of ``length`` characters; ``attach`` keeps it with the open sentence."""
        closed = None
        if not attach and self._is_boundary("\ue000", False):
            closed = self._close()
        self._open()
        self._gap = True
        self._newlines = 0
        self._in_code = False
        self.position += length
        self._end = self.position
        return closed

    def close(self) -> Sentence | None:
        """End the text; return the open sentence, if any."""
        return self._close(at_end=True) if self.is_open else None

    def _open(self) -> None:
        if self._start is None:
            self._start = self.position

    def _space(self, c: str) -> None:
        self.position += 1
        if self.is_open:
            self._text.append(c)
        self._newlines += c == "\n"
        if self._word:
            self._words = (self._words[1], self._word)
            self._word = ""
        self._gap = True

    def _note_word(self, c: str, code: bool) -> None:
        if code:
            self._terminator = self._word = ""
            return
        if c in _NARROW or c in _WIDE:
            self._terminator = c
        elif c not in _CLOSERS:
            self._terminator = ""
        if len(self._word) < 40:
            self._word += c

    def _is_boundary(self, c: str, code: bool) -> bool:
        if not self.is_open or (code and self._in_code):
            return False
        if self._newlines > 1:
            return True
        if self._newlines == 1 and (not c.islower() or self._text[:1] in (["#"], ["|"]) or self._is_fence()):
            return True
        if not self._terminator:
            return False
        if self._terminator in _WIDE or (_CJK.match(c) and self._terminator in "!?…"):
            return self._gap or c not in _CLOSERS + _WIDE + _NARROW
        if not self._gap:
            return False
        previous, word = (self._words[1], self._word) if self._word else self._words
        return _ends_sentence(word, previous, self._terminator, c, first=self._only_word(word))

    def _only_word(self, word: str) -> bool:
        """Tell whether the sentence so far is this one word, as in the ``1.`` of a list."""
        return len(self._text) <= len(word) + 2 and "".join(self._text).strip() == word

    def _is_fence(self) -> bool:
        return "".join(self._text[:3]) in ("```", "~~~")

    def _close(self, *, at_end: bool = False) -> Sentence:
        text = "".join(self._text).strip()
        line_end = at_end or self._newlines > 0
        in_table = text.startswith("|")
        kind = "heading" if in_table and not self._in_table else _kind(text, line_end=line_end)
        self._in_table = in_table
        assert self._start is not None
        sentence = Sentence(self.index, self._start, self._end, kind)
        self.index += 1
        self._start, self._text = None, []
        self._terminator = self._word = ""
        self._words = ("", "")
        return sentence


def split_text(text: str) -> list[Sentence]:
    """Cut a finished answer, citation sentinels included, into the sentences the stream would give."""
    splitter = SentenceSplitter()
    found: list[Sentence | None] = []
    at = 0
    for match in _SENTINEL.finditer(text):
        found += [splitter.char(c) for c in text[at : match.start()]]
        found.append(splitter.cite(len(match.group()), attach=splitter.is_open))
        at = match.end()
    found += [splitter.char(c) for c in text[at:]]
    found.append(splitter.close())
    return [sentence for sentence in found if sentence is not None]


def _kind(text: str, *, line_end: bool) -> SentenceKind:
    if text.startswith(("```", "~~~")) and "\n" in text:
        return "code"
    body = _BULLET.sub("", text, count=1).strip()
    if not any(c.isalnum() for c in body):
        return "markup"
    if re.match(r"#{1,6}\s", body):
        return "heading"
    if line_end and body.startswith("**") and body.rstrip(": ").endswith("**") and body.count("**") == 2:
        return "heading"
    last = body.rstrip(_CLOSERS + " ")[-1:]
    if last in ("?", "？", "؟"):
        return "question"
    if line_end and last in (":", "："):
        return "lead"
    return "statement"


def _ends_sentence(word: str, previous: str, terminator: str, following: str, *, first: bool) -> bool:
    """Decide whether a terminator at the end of ``word``, before a gap, ends the sentence."""
    if following.islower():
        return False
    if terminator != ".":
        return True
    stem = word.rstrip(_CLOSERS).removesuffix(".").lstrip(_OPENERS)
    low = stem.lower()
    if low in _ABBREVIATIONS or (low in _BEFORE_NUMBER and following.isdigit()):
        return False
    if "." in stem:
        return low in _CLOCK or not all(len(part) == 1 and part.isalpha() for part in stem.split("."))
    if len(stem) == 1 and stem.isalpha():
        return not stem.isupper() and not first
    if stem.isdigit():
        return not first and not (len(stem) <= 2 and previous.lower().lstrip(_OPENERS) in _BEFORE_ORDINAL)
    return True


_CANDIDATE = re.compile(
    rf"[{re.escape(_NARROW)}]+[{re.escape(_CLOSERS)}]*(?=\s)|[{_WIDE}]+[{re.escape(_CLOSERS)}]*|[^\S\n]*\n\s*"
)
_BLOCK_START = re.compile(r"(?:[-*+•>]|\d{1,3}[.)])\s|#{1,6}\s|\|")
_SHORT_LINE = 50  # characters; a shorter line that is followed by another one is a heading or an item


def split_document(text: str) -> list[tuple[int, int]]:
    """Cut document text into sentences, as ``(start, end)`` ranges without surrounding white space.

    A single line break inside a paragraph does not end a sentence; a blank line, a list item, a
    table row and a short line do.
    """
    cuts = [0, *_document_cuts(text), len(text)]
    ranges = []
    for start, end in pairwise(cuts):
        piece = text[start:end]
        lead = len(piece) - len(piece.lstrip())
        if lead < len(piece):
            ranges.append((start + lead, start + len(piece.rstrip())))
    return ranges


def _document_cuts(text: str) -> Iterator[int]:
    start = 0
    for match in _CANDIDATE.finditer(text):
        end = match.end()
        if "\n" in match.group():
            is_cut = _breaks_at_line(text, start, match)
        else:
            is_cut = _breaks_at_terminator(text, start, match)
        if is_cut and end > start:
            yield end
            start = end


def _breaks_at_terminator(text: str, start: int, match: re.Match[str]) -> bool:
    if match.group()[0] in _WIDE:
        return True
    following = text[match.end() : match.end() + 16].lstrip()[:1]
    head = text[max(start, match.start() - 60) : match.end()].split()
    if not following or not head:
        return bool(head)
    terminator = match.group().rstrip(_CLOSERS)[-1]
    first = len(head) == 1 and match.end() - start <= len(head[0]) + 2
    return _ends_sentence(head[-1], head[-2] if len(head) > 1 else "", terminator, following, first=first)


def _breaks_at_line(text: str, start: int, match: re.Match[str]) -> bool:
    if match.group().count("\n") > 1 or _BLOCK_START.match(text, match.end()):
        return True
    line_start = max(start, text.rfind("\n", 0, match.start()) + 1)
    line = text[line_start : match.start()]
    following = text[match.end() : match.end() + 1]
    if line.startswith(("#", "|")):
        return True
    return not following.islower() and (len(line) < _SHORT_LINE or line.rstrip(_CLOSERS)[-1:] in _NARROW + ":")
