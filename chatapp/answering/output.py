"""Have a model write an object: collect it whole, hold it against its schema, and have it mended once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatapp.answering.assembly import ANSWER_LIMIT
from chatapp.answering.checking import IN_A_HURRY, PATIENCE, Checks
from chatapp.answering.events import Answer, AnswerEvent, Partial
from chatapp.answering.lines import NO_ANSWER
from chatapp.answering.repair import Writer, close_stream, together
from chatapp.answering.schemas import OutputSchema
from chatapp.answering.structured import StructuredAssembly
from chatapp.answering.values import OutputInvalid, read_object, strings_of
from knowledge.errors import KnowledgeError, LanguageModelError
from knowledge.llm import Delta, Finish, Message, Usage, estimate_usage

__all__ = ["OutputRefused", "OutputRun"]

logger = logging.getLogger(__name__)

_AGAIN = (
    "That is not what was asked for:\n{problems}\nWrite the whole JSON object again, so that it fits the schema, with "
    "nothing before or after it."
)
_CUT = "It was cut off before its end. Write it shorter."
_EARLY = frozenset(("stopped", "interrupted"))


class OutputRefused(LanguageModelError):
    code = "output_invalid"
    default_message = (
        "The language model did not write what the schema of the assistant asks for, also when it was asked again. "
        "What it wrote is kept in the trace of this answer. Ask again, or have the schema made simpler."
    )


class OutputRun:
    """One answer as an object: a call to the model, and one more where the object does not fit.

    Nothing is shown before it fits. Words instead of an object come through only as a refusal.
    """

    def __init__(
        self, write: Writer, messages: list[dict[str, str]], assembly: StructuredAssembly,
        should_stop: Callable[[], bool], checks: Checks, output: OutputSchema,
    ) -> None:  # fmt: skip
        self._write, self._messages, self._assembly = write, messages, assembly
        self._should_stop, self._checks, self._output = should_stop, checks, output
        self._raw: list[str] = []
        self._usage: Usage | None = None
        self._finish = ""

    async def events(self) -> AsyncGenerator[AnswerEvent, None]:
        """Yield the events; the last is the ``Answer``.

        :raises OutputRefused: it does not fit, also after it was mended.
        :raises LanguageModelError: the model failed; both after a ``Partial``.
        """
        try:
            found = await self._found()
        except KnowledgeError:
            self._finish = self._finish or "interrupted"
            yield Partial(self._answer())
            raise
        for event in self._shown(found):
            yield event
        async for checked in self._checks.rest(patience=IN_A_HURRY if self._finish in _EARLY else PATIENCE):
            yield checked
        yield self._answer()

    def _shown(self, found: Mapping[str, Any] | str) -> Iterator[AnswerEvent]:
        if isinstance(found, str):
            return self._assembly.say(found)
        return self._assembly.write(found)

    async def _found(self) -> Mapping[str, Any] | str:
        """Return the object, or words where the model refuses or the reader has gone."""
        written = await self._written(self._messages)
        try:
            return await self._read(written)
        except OutputInvalid as invalid:
            problems = invalid.problems
        logger.info("the output of the language model does not fit its schema and is asked for again")
        written = await self._written(self._asking_again(written, problems))
        try:
            return await self._read(written)
        except OutputInvalid as invalid:
            raise OutputRefused from invalid

    async def _read(self, written: str) -> Mapping[str, Any] | str:
        """:raises OutputInvalid: it does not fit."""
        if self._finish in _EARLY:
            return ""
        if written.lstrip().startswith(NO_ANSWER):
            return written
        if self._finish == "length":
            raise OutputInvalid(_CUT)
        reading = asyncio.to_thread(read_object, written, self._output.schema, plain=self._assembly.plain)
        found = await reading  # long output against a large schema takes a while, and others are answered here too
        refusal = next((text for text in strings_of(found) if text.strip()), "")
        return refusal if refusal.strip() == NO_ANSWER else found

    def _asking_again(self, written: str, problems: Sequence[str]) -> list[Message]:
        told = _AGAIN.format(problems="\n".join(f"- {problem}" for problem in problems))
        return [*self._messages, {"role": "assistant", "content": written}, {"role": "user", "content": told}]

    async def _written(self, messages: Sequence[Message]) -> str:
        """Return all that the model writes to the messages."""
        parts, usage = list[str](), None
        self._finish = ""
        self._raw.append("")
        stream: AsyncIterator[object] = self._write(messages)
        try:
            async for item in stream:
                if self._should_stop():
                    self._finish = "stopped"
                    break
                if isinstance(item, Delta):
                    parts.append(item.text)
                    self._raw[-1] += item.text
                    if len(self._raw[-1]) > ANSWER_LIMIT:
                        self._finish = "length"
                        break
                elif isinstance(item, Finish):
                    self._finish = item.reason
                elif isinstance(item, Usage):
                    usage = item
        finally:
            await close_stream(stream)
            self._usage = together(self._usage, usage or estimate_usage(messages, "".join(parts)))
        return "".join(parts)

    def _answer(self) -> Answer:
        # Some servers cut a surrogate pair in two, and no database keeps that.
        units = "\n\n".join(self._raw).encode("utf-16-le", "surrogatepass")
        raw = units.decode("utf-16-le", "replace").replace("\0", "")
        found = self._assembly.answer(raw=raw, usage=self._usage, finish=self._finish, messages=self._messages)
        return replace(found, finish=self._finish)
