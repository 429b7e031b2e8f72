"""Make an answer: prompt, stream, citations, checks. The one way in for chat, API and commands."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from chatapp.answering.assembly import BARE_REFUSAL, AnswerAssembly
from chatapp.answering.check import SentenceChecker, check_sentence
from chatapp.answering.checking import Checks, Judge
from chatapp.answering.events import AnswerEvent
from chatapp.answering.gate import Enforcement, Gate
from chatapp.answering.handover import hand_over
from chatapp.answering.modes import RETRIEVAL, AnswerMode
from chatapp.answering.output import OutputRun
from chatapp.answering.prompt import LabelledPassage, build_messages, fit_to_window, label_passages
from chatapp.answering.prose import ProseRun
from chatapp.answering.repair import Repairs, Writer
from chatapp.answering.schemas import OutputSchema
from chatapp.answering.small_talk import is_small_talk
from chatapp.answering.structured import StructuredAssembly
from chatapp.answering.unsourced import REFUSAL, check_nothing, unsourced_messages
from knowledge.llm import (
    Message,
    ModelSettings,
    StreamEvent,
    Usage,
    dialect,
)
from knowledge.types import Passage, Turn

__all__ = ["CitationMode", "answer", "no_answer_text"]

CitationMode: TypeAlias = Literal["off", "mark", "require"]
"""From the least to the strictest."""

StreamFunction: TypeAlias = Callable[[ModelSettings, Sequence[Message]], AsyncIterator[StreamEvent]]


async def answer(
    *,
    question: str,
    passages: Sequence[Passage],
    model: ModelSettings,
    history: Sequence[Turn] = (),
    system_prompt: str | None = None,
    citation_mode: str = "mark",
    today: str | None = None,
    searched: Sequence[str] = (),
    should_stop: Callable[[], bool] | None = None,
    stream_fn: StreamFunction | None = None,
    judge: Judge | None = None,
    enforcement: Enforcement = "withhold",
    mode: AnswerMode = RETRIEVAL,
    output: OutputSchema | None = None,
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield the events of one answer; the last one is the ``Answer``.

    Without passages the model is not called, but for small talk and in a ``mode`` that does not search; ``searched``
    names the places for the reply of that case. With ``output`` the answer is an object that fits a schema, and comes
    once it is whole. ``should_stop`` is asked before each piece; the answer then ends with finish ``stopped``.
    ``judge`` looks closer at sentences that are neither word for word in their sources nor wrong for certain; their
    events may come later than those of sentences after them. With ``require`` a sentence comes only once it has its
    verdict, and ``enforcement`` says what becomes of one that its sources do not hold.

    :raises ValueError: the citation mode is not known.
    :raises LanguageModelError: the model failed, or its object does not fit; a ``Partial`` with what came was yielded.
    """
    _known(citation_mode)
    if mode.searches and not passages and not is_small_talk(question):
        for event in _without_passages(question, searched):
            yield event
        return
    told = {"system_prompt": system_prompt, "today": today}
    labelled, messages = _handed_over(question, passages, history, model, mode=mode, **told)
    write = stream_fn or _default_stream()
    stop = should_stop or (lambda: False)
    build: dict[str, Any] = {
        "question": question, "passages": labelled, "checker": _checker(mode, citation_mode),
        "defer": judge is not None, "refusal": BARE_REFUSAL if mode.searches else REFUSAL,
    }  # fmt: skip
    if output is None:
        asked = _asking_for_citations(model, question, labelled, today)
        events, checks = _prose(build, partial(write, asked), messages, stop, judge)
    else:
        events, checks = _object(build, partial(write, output.asked_of(model)), messages, stop, judge, output)
    released = events
    if citation_mode == "require":
        released = _gated(
            events, enforcement, question=question, passages=labelled, messages=messages, write=partial(write, model),
            judge=judge, should_stop=stop, structured=output is not None,
        )  # fmt: skip
    try:
        async for event in released:
            yield event
    finally:
        await released.aclose()
        await events.aclose()
        checks.cancel()


Written: TypeAlias = tuple[AsyncGenerator[AnswerEvent, None], Checks]


def _prose(
    build: Mapping[str, Any], write: Writer, messages: list[dict[str, str]], stop: Callable[[], bool],
    judge: Judge | None,
) -> Written:  # fmt: skip
    assembly = AnswerAssembly(**build)
    checks = Checks(assembly, judge)
    return ProseRun(write(messages), messages, assembly, stop, checks).events(), checks


def _object(
    build: Mapping[str, Any], write: Writer, messages: list[dict[str, str]], stop: Callable[[], bool],
    judge: Judge | None, output: OutputSchema,
) -> Written:  # fmt: skip
    assembly = StructuredAssembly(**build)
    checks = Checks(assembly, judge)
    return OutputRun(write, messages, assembly, stop, checks, output).events(), checks


def _handed_over(
    question: str, passages: Sequence[Passage], history: Sequence[Turn], model: ModelSettings,
    *, mode: AnswerMode, system_prompt: str | None, today: str | None,
) -> tuple[tuple[LabelledPassage, ...], list[dict[str, str]]]:  # fmt: skip
    """Return the passages that fit the model's window and the messages that hold them."""
    if not mode.searches:
        return (), unsourced_messages(
            question=question, history=history, system_prompt=system_prompt,
            context_window=model.context_window, max_output_tokens=model.max_output_tokens,
        )  # fmt: skip
    fitting, turns = fit_to_window(
        question=question, passages=passages, history=history, system_prompt=system_prompt,
        context_window=model.context_window, max_output_tokens=model.max_output_tokens,
    )  # fmt: skip
    labelled = label_passages(fitting)
    return labelled, build_messages(
        question=question, passages=labelled, history=turns, system_prompt=system_prompt, today=today
    )


def _known(citation_mode: str) -> None:
    if citation_mode not in get_args(CitationMode):
        raise ValueError(f"citation mode {citation_mode!r} is not one of {', '.join(get_args(CitationMode))}")


def _checker(mode: AnswerMode, citation_mode: str) -> SentenceChecker | None:
    if not mode.searches:
        return check_nothing
    return None if citation_mode == "off" else check_sentence


def _asking_for_citations(
    model: ModelSettings, question: str, passages: Sequence[LabelledPassage], today: str | None
) -> ModelSettings:
    """Return the settings with the passages as documents, where the model's provider is to cite by itself."""
    if not model.native_citations or dialect(model.model) is None:
        return model
    return replace(model, handover=hand_over(question=question, passages=passages, today=today))


def _gated(
    events: AsyncIterator[AnswerEvent], enforcement: Enforcement, *, question: str,
    passages: Sequence[LabelledPassage], messages: Sequence[Message], write: Writer, judge: Judge | None,
    should_stop: Callable[[], bool], structured: bool,
) -> AsyncGenerator[AnswerEvent, None]:  # fmt: skip
    """Let events out once they are checked. In an object no sentence is written anew: it would have to fit again."""
    given = [each.passage for each in passages]
    known = [text for passage in given for text in (passage.text, passage.title, *passage.heading_path)]
    gate = Gate(enforcement, question=question, sources=known, structured=structured)
    repairs = Repairs(
        question=question, passages=passages, messages=messages, write=write, judge=judge, should_stop=should_stop
    ) if enforcement == "repair" and not structured else None  # fmt: skip
    return _released(events, gate, repairs)


async def _released(
    events: AsyncIterator[AnswerEvent], gate: Gate, repairs: Repairs | None
) -> AsyncGenerator[AnswerEvent, None]:
    """Yield what may go out."""
    async for event in events:
        if repairs is None:
            for passed in gate.take(event):
                yield passed
            continue
        async for ready in repairs.take(event):
            for passed in gate.take(ready):
                yield passed


def no_answer_text(*, question: str, searched: Sequence[str] = ()) -> str:
    """Return the reply when the search found nothing: what was searched, and nothing made up.

    It names no document: the reply is kept, and a document may be erased, or closed to its reader.
    """
    asked = " ".join(question.split())
    asked = _literal(asked if len(asked) <= 200 else asked[:199].rstrip() + "…")
    where = f" Searched: {', '.join(map(_literal, searched))}." if searched else ""
    return f"Nothing was found in the documents you may read for “{asked}”.{where}"


_MARKUP = re.compile(r"[\\`*\[\]<>|~&@]|:(?=//)|(?<=www)\.|(?<!\w)_|_(?!\w)", re.IGNORECASE)


def _literal(text: str) -> str:
    """Return Markdown that shows the text as it is: the name of a base must not become a link in our own words."""
    return _MARKUP.sub(lambda match: f"\\{match.group()}", text)


def _without_passages(question: str, searched: Sequence[str]) -> list[AnswerEvent]:
    assembly = AnswerAssembly(question=question, passages=(), checker=check_sentence)
    assembly.no_answer = True
    text = no_answer_text(question=question, searched=searched)
    events = [*assembly.feed(text), *assembly.finish()]
    usage = Usage(prompt_tokens=0, completion_tokens=0, estimated=False)
    return [*events, assembly.answer(usage=usage, finish="no_passages", messages=())]


def _default_stream() -> StreamFunction:
    from knowledge.llm import stream

    return stream
