"""Build an answer from an object that a model wrote: its text is JSON, its sentences stand in the text values.

Every text value goes through the same marker parser and checks as an answer of prose. What surrounds the values belongs
to no sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from chatapp.answering.assembly import AnswerAssembly, Undecided
from chatapp.answering.check import SentenceChecker, Verdict
from chatapp.answering.events import (
    Anomaly,
    Answer,
    AnswerEvent,
    CheckedSentence,
    Citation,
    CitationUsed,
    Delta,
    SentenceChecked,
)
from chatapp.answering.markers import MarkerParser, Text
from chatapp.answering.prompt import PROMPT_VERSION, LabelledPassage
from chatapp.answering.sentinels import PATTERN, sentinel
from chatapp.answering.verification import Judgement
from knowledge.llm import Usage

__all__ = ["StructuredAssembly"]

Checked = TypeVar("Checked", bound=CheckedSentence)

_OFF = Verdict("unchecked", 0.0, ("checking is off",))
_INDENT = "  "


@dataclass(slots=True)
class _Words:
    """One text of the answer with its own assembly: how its places, sentences and numbers are those of the whole."""

    assembly: AnswerAssembly
    start: int  # of its first character in the canonical text
    first: int  # index of its first sentence
    escaped: bool
    numbers: dict[int, int] = field(default_factory=dict)  # its own display numbers to those of the answer

    @property
    def written(self) -> Answer:
        return self.assembly.answer(usage=None, finish="", messages=())

    def rendered(self, text: str) -> str:
        """Return a beginning of its text as it stands in the answer."""
        shown = PATTERN.sub(lambda mark: sentinel(self.numbers[int(mark.group(1))]), text)
        return json.dumps(shown, ensure_ascii=False)[1:-1] if self.escaped else shown

    def sentence(self, own: Checked) -> Checked:
        text = self.written.text
        start, end = (self.start + len(self.rendered(text[:at])) for at in (own.start, own.end))
        citations = tuple(self.numbers[number] for number in own.citations)
        return replace(own, index=self.first + own.index, start=start, end=end, citations=citations)

    def citation(self, own: Citation) -> Citation:
        return replace(own, number=self.numbers[own.number], sentence=self.first + own.sentence)


class StructuredAssembly:
    """``write`` takes an object, ``say`` words instead of one; once. Otherwise as ``AnswerAssembly``."""

    def __init__(
        self, *, question: str, passages: Sequence[LabelledPassage], checker: SentenceChecker | None, refusal: str,
        defer: bool = False,
    ) -> None:  # fmt: skip
        self._make = partial(
            AnswerAssembly, question=question, passages=passages, checker=checker, refusal=refusal, defer=defer
        )
        self._question, self._checker = question, checker
        self._labels = {each.label for each in passages}
        self._titles = {each.passage.title for each in passages}
        self._text = ""
        self._labelled: dict[str, int] = {}  # label -> display number
        self._parts: list[_Words | SentenceChecked] = []
        self._count = 0  # sentences
        self._waiting: dict[int, tuple[_Words, Undecided]] = {}
        self._undecided: list[Undecided] = []

    def plain(self, value: str) -> str:
        """Return a text value without its marks and what else is never shown."""
        parser = MarkerParser(self._labels, titles=self._titles)
        events = [*parser.feed(value), *parser.finish()]
        return "".join(event.text for event in events if isinstance(event, Text))

    def write(self, value: Mapping[str, Any]) -> Iterator[AnswerEvent]:
        """Take the object."""
        yield from self._value(value, "")

    def say(self, words: str) -> Iterator[AnswerEvent]:
        """Take an answer in words, as a refusal is."""
        yield from self._words(words, escaped=False)

    def take_undecided(self) -> list[Undecided]:
        """Return the sentences that wait for a closer look."""
        taken, self._undecided = self._undecided, []
        return taken

    def settle(self, undecided: Undecided, judgement: Judgement) -> SentenceChecked:
        """Keep what a closer look said of a sentence."""
        words, own = self._waiting.pop(undecided.index)
        return words.sentence(words.assembly.settle(own, judgement))

    def answer(self, *, raw: str, usage: Usage | None, finish: str, messages: Sequence[Mapping[str, str]]) -> Answer:
        """Return the record. It is no answer where a text refuses and none names a source."""
        sentences, citations, anomalies = list[CheckedSentence](), list[Citation](), list[Anomaly]()
        refused = False
        for part in self._parts:
            if isinstance(part, SentenceChecked):
                sentences.append(part)
                continue
            written = part.written
            sentences += [part.sentence(own) for own in written.sentences]
            citations += [part.citation(own) for own in written.citations]
            anomalies += written.anomalies
            refused = refused or written.no_answer
        return Answer(
            text=self._text, raw_output=raw, sentences=tuple(sentences), citations=tuple(citations),
            anomalies=tuple(anomalies), no_answer=refused and not citations, usage=usage, finish=finish,
            prompt_version=PROMPT_VERSION, messages=tuple(messages),
        )  # fmt: skip

    def _value(self, value: Any, indent: str) -> Iterator[AnswerEvent]:
        inner = indent + _INDENT
        if isinstance(value, str):
            yield from self._add('"')
            yield from self._words(value, escaped=True)
            yield from self._add('"')
        elif isinstance(value, Mapping | list) and value:
            opening, closing = "{}" if isinstance(value, Mapping) else "[]"
            rows = value.items() if isinstance(value, Mapping) else ((None, each) for each in value)
            for at, (name, each) in enumerate(rows):
                key = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
                yield from self._add(f"{',' if at else opening}\n{inner}{key}")
                yield from self._value(each, inner)
            yield from self._add(f"\n{indent}{closing}")
        elif isinstance(value, bool | int | float):
            yield from self._scalar(json.dumps(value))
        else:
            yield from self._add(json.dumps(value))

    def _add(self, text: str) -> Iterator[AnswerEvent]:
        if text:
            self._text += text
            yield Delta(text)

    def _words(self, value: str, *, escaped: bool) -> Iterator[AnswerEvent]:
        words = _Words(assembly=self._make(), start=len(self._text), first=self._count, escaped=escaped)
        events = [*words.assembly.feed(value), *words.assembly.finish()]
        self._parts.append(words)
        for used in (event for event in events if isinstance(event, CitationUsed)):
            known = used.label in self._labelled
            number = self._labelled.setdefault(used.label, len(self._labelled) + 1)
            words.numbers[used.number] = number
            if not known:
                yield replace(used, number=number)
        written = words.written
        self._count += len(written.sentences)
        yield from self._add(words.rendered(written.text))
        for event in events:
            if isinstance(event, SentenceChecked):
                yield words.sentence(event)
        for own in words.assembly.take_undecided():
            index = words.first + own.index
            self._waiting[index] = words, own
            numbers = tuple(words.numbers[number] for number in own.numbers)
            self._undecided.append(Undecided(index, numbers, own.claim))

    def _scalar(self, text: str) -> Iterator[AnswerEvent]:
        """Take a number or a truth value, which can name no source."""
        start = len(self._text)
        yield from self._add(text)
        verdict = _OFF if self._checker is None else self._checker(
            sentence=text, kind="statement", sources=[], question=self._question, no_answer=False
        )  # fmt: skip
        checked = SentenceChecked(
            index=self._count, start=start, end=len(self._text), kind="value", verdict=verdict.verdict,
            score=verdict.score, reasons=verdict.reasons, citations=(),
            judged_by="" if verdict.verdict == "unchecked" else "check",
        )  # fmt: skip
        self._count += 1
        self._parts.append(checked)
        yield checked
