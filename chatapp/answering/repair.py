"""Have sentences that their sources do not hold written anew, before anybody sees them (enforcement ``repair``)."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chatapp.answering.assembly import AnswerAssembly
from chatapp.answering.check import check_sentence
from chatapp.answering.checking import Checks, Judge
from chatapp.answering.events import Answer, AnswerEvent, Citation, CitationUsed, Partial, SentenceChecked
from chatapp.answering.evidence import Evidence
from chatapp.answering.gate import REFUSED, TABLE, Rewritten, list_marks
from chatapp.answering.prompt import LabelledPassage
from chatapp.answering.sentinels import PATTERN, sentinel
from knowledge.errors import KnowledgeError
from knowledge.llm import Delta, Finish, Message, Usage, estimate_usage

__all__ = ["ROUNDS", "Repairs", "Writer", "close_stream", "together"]

logger = logging.getLogger(__name__)

ROUNDS = 2
MOST = 12
"""Sentences of an answer that are written anew; with more of them wrong, the answer is not worth it."""

LIMIT = 16 * 1024
"""Characters of one reply."""

REWRITTEN = "written anew: the sources did not support it as it was"

_INSTRUCTION = """An answer to this question was written before. Of the sentences below the sources do not say what \
they claim. Write each of them anew so that it says only what the sources say, with the label of its source, such as \
[S1], before the final punctuation mark. Write DELETE for one that the sources say nothing about. Reply with one line \
for each: its number, a full stop, the sentence. Nothing else."""
_LINE = re.compile(r"\s*(?:\*\*)?(\d{1,3})(?:\*\*)?[.):]\s*(.*)")
_DELETE = re.compile(r"\W*delete\W*", re.IGNORECASE)

Writer = Callable[[Sequence[Message]], AsyncIterator[object]]
"""Streams the model's reply to messages."""


@dataclass(slots=True)
class _Reply:
    text: str = ""
    usage: Usage | None = None
    finish: str = ""
    lines: dict[int, str] = field(default_factory=dict)


class Repairs:
    """Takes the events of an answer, keeps back sentences that are refused, and yields them rewritten or as they were.

    Sentences after one that is kept back wait for it in the gate: one call asks for all of them when the model is done,
    and once more for those that are still refused. What cannot be repaired is left to the gate.
    """

    def __init__(
        self, *, question: str, passages: Sequence[LabelledPassage], messages: Sequence[Message], write: Writer,
        judge: Judge | None, should_stop: Callable[[], bool] | None = None,
    ) -> None:  # fmt: skip
        self._question, self._passages = question, tuple(passages)
        self._messages, self._write, self._judge = list(messages), write, judge
        self._should_stop = should_stop or (lambda: False)
        self._held: list[SentenceChecked] = []
        self._numbers: dict[str, int] = {}  # label -> display number
        self._text = ""

    async def take(self, event: AnswerEvent) -> AsyncIterator[AnswerEvent | Rewritten]:
        """Yield what goes on to the gate."""
        if isinstance(event, CitationUsed):
            self._numbers[event.label] = event.number
        if isinstance(event, SentenceChecked) and event.verdict in REFUSED:
            self._held.append(event)
        elif isinstance(event, Partial):
            for held in self._held:
                yield held
            yield event
        elif isinstance(event, Answer):
            self._text = event.text
            answer = event
            if self._held and event.finish not in ("stopped", "interrupted"):
                async for passed in self._repaired(event):
                    if isinstance(passed, Answer):
                        answer = passed
                    else:
                        yield passed
            for held in self._held:
                yield held
            yield answer
        else:
            yield event

    async def _repaired(self, answer: Answer) -> AsyncIterator[Rewritten | Answer]:
        """Yield rewritten sentences, which are held no longer, and the answer with what it cost."""
        reasons = {held.index: held.reasons for held in self._held}
        raw, usage, finish = [answer.raw_output], answer.usage, answer.finish
        for _ in range(ROUNDS):
            wanted = [held for held in self._held if self._can_be_repaired(held)][:MOST]
            if not wanted or self._should_stop():
                break
            messages = self._asking(wanted, reasons)
            reply = await self._reply(messages)
            raw.append(reply.text)
            usage = together(usage, reply.usage or estimate_usage(messages, reply.text))
            if reply.finish in ("stopped", "interrupted"):
                finish = reply.finish
                break
            for number, held in enumerate(wanted, start=1):
                words = reply.lines.get(number, "")
                if not words or _DELETE.fullmatch(words):
                    continue
                found = await self._checked(held, words)
                if isinstance(found, Rewritten):
                    self._held.remove(held)
                    yield found
                else:
                    reasons[held.index] = found
        yield replace(answer, raw_output="\n\n".join(raw), usage=usage, finish=finish)

    def _can_be_repaired(self, held: SentenceChecked) -> bool:
        words = self._text[held.start : held.end]
        return bool(words.strip()) and not words.lstrip().startswith(TABLE)

    def _asking(self, wanted: Sequence[SentenceChecked], reasons: Mapping[int, Sequence[str]]) -> list[Message]:
        labels = {number: label for label, number in self._numbers.items()}
        lines = [_INSTRUCTION, ""]
        for number, held in enumerate(wanted, start=1):
            words = self._text[held.start : held.end]
            words = PATTERN.sub(lambda mark: f" [{labels[int(mark.group(1))]}]", words[len(list_marks(words)) :])
            lines.append(f"{number}. {' '.join(words.split())}")
            lines.append(f"   Why not: {'; '.join(reasons[held.index]) or 'no source says this'}.")
        last = dict(self._messages[-1])
        last["content"] = f"{last['content']}\n\n" + "\n".join(lines)
        return [*self._messages[:-1], last]

    async def _reply(self, messages: Sequence[Message]) -> _Reply:
        reply, stream = _Reply(), self._write(messages)
        try:
            async for item in stream:
                if self._should_stop():
                    reply.finish = "stopped"
                    break
                if isinstance(item, Delta):
                    reply.text += item.text
                    if len(reply.text) > LIMIT:
                        break
                elif isinstance(item, Finish):
                    reply.finish = item.reason
                elif isinstance(item, Usage):
                    reply.usage = item
        except KnowledgeError:  # what could not be repaired is withheld; the answer stands
            logger.warning("the language model could not write sentences anew", exc_info=True)
            return _Reply(text=reply.text, finish="failed")
        finally:
            await close_stream(stream)
        for line in reply.text.splitlines():
            if match := _LINE.fullmatch(line):
                reply.lines.setdefault(int(match.group(1)), match.group(2).strip())
        return reply

    async def _checked(self, held: SentenceChecked, words: str) -> Rewritten | tuple[str, ...]:
        """Return the sentence as it was written anew or, where it is not held either, the reasons."""
        assembly = AnswerAssembly(
            question=self._question, passages=self._passages, checker=check_sentence, defer=self._judge is not None
        )
        for _ in (*assembly.feed(words), *assembly.finish()):
            pass  # they are told about once all of it is known
        async for _ in Checks(assembly, self._judge).rest():
            pass
        written = assembly.answer(usage=None, finish="", messages=())
        # Nothing is let through here that needs no source: a rewritten sentence is a statement.
        refused = [each for each in written.sentences if each.verdict in REFUSED or each.verdict == "exempt"]
        if refused or written.no_answer or not written.citations:
            return tuple(dict.fromkeys(reason for each in refused for reason in each.reasons)) or ("no source named",)
        return self._placed(held, written)

    def _placed(self, held: SentenceChecked, written: Answer) -> Rewritten:
        """Give the citations of a sentence the numbers they have in the answer."""
        own = {citation.number: citation.label for citation in written.citations}
        for label in own.values():
            self._numbers.setdefault(label, max(self._numbers.values(), default=0) + 1)
        numbers = {number: self._numbers[label] for number, label in own.items()}
        marks = list_marks(self._text[held.start : held.end])
        text = marks + PATTERN.sub(lambda mark: sentinel(numbers[int(mark.group(1))]), written.text)
        citations = _one_each(written.citations, numbers=numbers, sentence=held.index)
        weakest = min(written.sentences, key=lambda each: (each.verdict == "supported", each.score))
        checked = replace(
            held, verdict=weakest.verdict, score=weakest.score, reasons=(REWRITTEN, *weakest.reasons),
            citations=tuple(citation.number for citation in citations), judged_by=weakest.judged_by,
        )  # fmt: skip
        used = [
            CitationUsed(
                number=citation.number, label=citation.label, passage=citation.passage,
                evidence=_evidence_of(citation),
            )
            for citation in citations
        ]  # fmt: skip
        return Rewritten(checked=checked, text=text, citations=citations, used=tuple(used))


async def close_stream(stream: Any) -> None:
    """Close a stream that was left early, so that the model's server sees it and stops."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _one_each(
    citations: Sequence[Citation], *, numbers: Mapping[int, int], sentence: int
) -> tuple[Citation, ...]:  # fmt: skip
    """Return the first citation of each passage, as part of one sentence."""
    found: dict[int, Citation] = {}
    for citation in citations:
        number = numbers[citation.number]
        found.setdefault(number, replace(citation, number=number, sentence=sentence))
    return tuple(found.values())


def _evidence_of(citation: Citation) -> Evidence:
    start = citation.passage.start
    return Evidence(citation.start - start, citation.end - start, score=citation.score, verbatim=citation.verbatim)


def together(one: Usage | None, other: Usage) -> Usage:
    """Return what two calls used."""
    if one is None:
        return other
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        estimated=one.estimated or other.estimated,
    )
