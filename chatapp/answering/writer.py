"""Write canonical answer text: place citations, tidy the space around them, find sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chatapp.answering.sentences import Sentence, SentenceSplitter
from chatapp.answering.sentinels import sentinel

__all__ = ["Anomaly", "CanonicalWriter", "Cite", "Event", "NoAnswer", "SentenceEnd", "Text"]

_PREFIX = re.compile(r"[\s>]*(?:[-*+•]|#{1,6}|\d{1,3}[.)]|\|)?")  # what a line may hold before its own words
_LONGEST_PREFIX = 16
_HELD_SPACE = 32


@dataclass(frozen=True, slots=True)
class Text:
    """Visible text, in order."""

    text: str


@dataclass(frozen=True, slots=True)
class Cite:
    """A valid citation. Its sentinel stands at ``position`` of the canonical text."""

    label: str
    number: int
    position: int
    sentence: int  # index of the sentence it belongs to


@dataclass(frozen=True, slots=True)
class SentenceEnd:
    sentence: Sentence

    @property
    def index(self) -> int:
        return self.sentence.index


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something the model should not have written, and what became of it: it is not shown."""

    kind: str
    raw: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The model says that the sources do not hold the answer."""


Event: TypeAlias = Text | Cite | SentenceEnd | Anomaly | NoAnswer


class CanonicalWriter:
    """Takes characters and citations in order and keeps the list of events.

    White space waits until the next character, because it is dropped before a citation.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.last = ""  # last character of text; empty at the beginning and after a citation
        self.word = ""  # the word that ``last`` ends, at most 8 characters
        self._splitter = SentenceSplitter()
        self._events: list[Event] = []
        self._text: list[str] = []
        self._space = ""
        self._glue = False  # white space was dropped before the citation written last
        self._waiting: list[str] = []  # citations at the beginning of a line, not yet attached
        self._after_waiting = ""
        self._run: set[int] = set()  # citations since the last character of text
        self._here: set[str] = set()  # cited in the open sentence
        self._beside: set[str] = set()  # cited in it beside the text
        self._line = ""  # the beginning of the line

    @property
    def position(self) -> int:
        return self._splitter.position

    @property
    def has_space(self) -> bool:
        """Tell whether white space is waiting."""
        return bool(self._space)

    @property
    def in_prefix(self) -> bool:
        """Tell whether the line so far is empty or only a bullet, a number, a quote or heading mark."""
        return "\n" in self._space or _PREFIX.fullmatch(self._line) is not None

    @property
    def held(self) -> int:
        """Characters of output that are decided but still waiting, at most."""
        return len(self._space) + len(self._after_waiting) + 16 * len(self._waiting)

    def drain(self) -> list[Event]:
        """Return the events so far and forget them."""
        self._flush_text()
        events, self._events = self._events, []
        return events

    def put(self, c: str, *, code: bool = False) -> None:
        """Write the next character."""
        if c.isspace():
            self._put_space(c)
            return
        if self._waiting:
            self._place_waiting(attach=False)
        if self._run and not self._space and c in ",;":
            self._space = c  # a comma between two citations goes with the brackets
            return
        if self._glue and not self._space and c.isalnum():
            self._space = " "
        self._write_space()
        self._write(c, code)

    def cite(self, labels: Sequence[str]) -> None:
        """Place citations here; without labels, only tidy the space a dropped marker leaves."""
        if "\n" in self._space and self.position and labels:
            self._place_waiting(attach=True)
            self._waiting = list(labels)
            return
        if self._waiting:
            self._waiting += labels
            self._after_waiting = ""
            return
        if self.in_prefix:
            if labels:
                self._write_space()
        else:
            self._glue = bool(self._space) or self._glue
            self._space = ""
        for label in labels:
            self._write_cite(label, attach=self._splitter.is_open)

    def cite_beside(self, label: str) -> bool:
        """Cite behind the last word of the open sentence, unless it cites the label; False where no mark may stand."""
        self._place_waiting(attach=True)
        line = self._line.lstrip()
        if not self._splitter.is_open or line.startswith(("#", "```", "~~~")) or (line[:1] == "|" == self.last):
            return False
        if label not in self._here:
            space, self._space = self._space, ""
            self._write_cite(label, attach=True)
            self._space = space
            self._beside.add(label)
        return True

    def anomaly(self, kind: str, raw: str) -> None:
        self._flush_text()
        self._events.append(Anomaly(kind, raw[:64]))

    def no_answer(self) -> None:
        self._flush_text()
        self._events.append(NoAnswer())

    def finish(self) -> None:
        """End the text. White space at its end is not part of it."""
        self._place_waiting(attach=True)
        self._space = ""
        self._end_sentence(self._splitter.close())

    def _put_space(self, c: str) -> None:
        if self._waiting:
            self._after_waiting += c
            if c == "\n":
                self._place_waiting(attach=True)
            return
        if not self.position:
            return
        self._space += c
        if len(self._space) > _HELD_SPACE:
            self._write_space()

    def _place_waiting(self, *, attach: bool) -> None:
        """Write citations that began a line: alone on it, they belong to the sentence before."""
        if not self._waiting:
            return
        labels, self._waiting = self._waiting, []
        after, self._after_waiting = self._after_waiting, ""
        # A mark behind a closing fence, table row or heading would become part of it.
        if attach and not self._line.lstrip().startswith(("#", "|", "```", "~~~")):
            self._space = ""
        else:
            self._write_space()
            self._run.clear()  # of the line before
        for label in labels:
            self._write_cite(label, attach=attach and self._splitter.is_open)
            attach = True
        self._space = after

    def _write_space(self) -> None:
        space, self._space = self._space, ""
        for c in space:
            self._write(c, False)

    def _write(self, c: str, code: bool) -> None:
        closed = self._splitter.char(c, code=code)
        if closed is not None:
            self._end_sentence(closed)
        self._text.append(c)
        self.last = c
        self.word = (self.word + c)[-8:] if c.isalnum() or c == "_" else ""
        if not c.isspace():
            self._glue = False
            self._run.clear()
        if c == "\n":
            self._line = ""
        elif len(self._line) <= _LONGEST_PREFIX:
            self._line += c

    def _write_cite(self, label: str, *, attach: bool) -> None:
        if attach and label in self._beside:
            return
        number = self.numbers.setdefault(label, len(self.numbers) + 1)
        if number in self._run:
            return
        position = self.position
        mark = sentinel(number)
        self._end_sentence(self._splitter.cite(len(mark), attach=attach))
        self._flush_text()
        self._events.append(Cite(label, number, position, self._splitter.index))
        self._run.add(number)
        self._here.add(label)
        self.last = self.word = ""
        self._line = self._line or sentinel(number)

    def _end_sentence(self, sentence: Sentence | None) -> None:
        if sentence is not None:
            self._here.clear()
            self._beside.clear()
            self._flush_text()
            self._events.append(SentenceEnd(sentence))

    def _flush_text(self) -> None:
        if self._text:
            self._events.append(Text("".join(self._text)))
            self._text = []
