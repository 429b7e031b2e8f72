"""Three trials of a model: does it answer and stream, does it keep to a JSON schema, does it cite as it is asked to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chatapp.answering.events import Answer, AnswerEvent
from chatapp.answering.generate import answer
from knowledge.errors import KnowledgeError, LanguageModelError, ModelNotConfigured, ModelTimeout
from knowledge.llm import Delta, Message, ModelSettings, StreamEvent
from knowledge.types import Passage

__all__ = ["TRIALS", "Outcome", "StreamFunction", "run_trials"]

StreamFunction = Callable[[ModelSettings, Sequence[Message]], AsyncIterator[StreamEvent]]

TRIALS: Final = {"hello": "Answers and streams", "json": "Keeps to a JSON schema", "citations": "Cites its sources"}
TRIAL_SECONDS: Final = 40.0
ALL_SECONDS: Final = 100.0
SHOWN: Final = 2000  # characters of what it said that are kept
FEW_TOKENS: Final = 1024  # those that think need more than a line's worth

HELLO: Final = "Say in two short sentences what a footnote is."

# The question does not name the parts of the schema: who gives them has read it.
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"town": {"type": "string"}, "founded_in": {"type": "integer"}, "has_river": {"type": "boolean"}},
    "required": ["town", "founded_in", "has_river"],
    "additionalProperties": False,
}
_TYPES: Final[Mapping[str, type]] = {"town": str, "founded_in": int, "has_river": bool}
ABOUT_TOWN: Final = "Tell about Prague in JSON. It was founded in 870 and lies on a river."
IN_WORDS: Final = (
    f"{ABOUT_TOWN} Answer with one JSON object and nothing else. Its keys are town (text), founded_in (a whole number) "
    "and has_river (true or false)."
)

QUESTION: Final = "Until when do visitors register, and how many places does the car park have?"
_SOURCES: Final = (
    ("Rules for visitors", "Visitors register at the front desk before 18:00. Badges are handed back on the same day."),
    ("The car park", "The car park of the main building has 140 places. Guests pay three euros for each hour."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one trial showed. ``result`` is its verdict for machines, ``words`` for people; milliseconds."""

    trial: str
    ok: bool
    words: str
    result: Any = None
    said: str = ""
    first_token: float | None = None
    total: float | None = None
    error: LanguageModelError | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Heard:
    text: str = ""
    pieces: int = 0
    first_token: float | None = None
    total: float | None = None


async def run_trials(settings: ModelSettings, stream: StreamFunction) -> list[Outcome]:
    """Try a model; where it does not answer at all, the others are not tried. Raises nothing of the model's."""
    short = min(settings.deadlines.total, TRIAL_SECONDS)
    quick = replace(
        settings,
        deadlines=replace(settings.deadlines, total=short),
        max_output_tokens=min(settings.max_output_tokens, FEW_TOKENS),
    )
    outcomes: list[Outcome] = []
    try:
        async with asyncio.timeout(ALL_SECONDS):
            for trial in (_hello, _json, _citations):
                outcomes.append(await trial(quick, stream))
                if trial is _hello and outcomes[0].error is not None:
                    break
    except TimeoutError:
        outcomes.append(_failed(list(TRIALS)[len(outcomes)], ModelTimeout()))
    return outcomes


async def _hello(settings: ModelSettings, stream: StreamFunction) -> Outcome:
    heard = _Heard()
    try:
        await _listen(heard, settings, HELLO, stream)
    except LanguageModelError as error:
        return _failed("hello", error, heard)
    streams = heard.pieces > 1
    words = f"It streams: {heard.pieces} pieces." if streams else (
        "It answers, but all at once: readers wait for the whole answer."
    )  # fmt: skip
    if not heard.text.strip():
        words = "It ended without writing anything. Allow it a longer answer, or less reasoning."
    return _heard(
        "hello", heard, ok=bool(heard.text.strip()), words=words, result=streams, measured={"pieces": heard.pieces}
    )


async def _json(settings: ModelSettings, stream: StreamFunction) -> Outcome:
    """Ask with the schema; where that is refused, fails or is not kept, ask in words."""
    form = {"type": "json_schema", "json_schema": {"name": "town", "strict": True, "schema": SCHEMA}}
    asked = replace(settings, extra={**settings.extra, "response_format": form})
    strict, refused = _Heard(), ""
    try:
        await _listen(strict, asked, ABOUT_TOWN, stream)
    except (ModelNotConfigured, ModelTimeout) as error:
        return _failed("json", error, strict)
    except LanguageModelError as error:
        refused = error.code
    if _fits(strict.text):
        return _heard("json", strict, ok=True, words="It keeps to a schema that is sent along.", result="strict")
    heard = _Heard()
    try:
        await _listen(heard, settings, IN_WORDS, stream)
    except LanguageModelError as error:
        return _failed("json", error, heard)
    why = "It does not take a schema" if refused else "It does not keep to a schema"
    if _fits(_unfenced(heard.text)):
        words = f"{why}; asked in words, it writes the JSON that is wanted."
        return _heard("json", heard, ok=True, words=words, result="plain", measured={"refused": refused})
    words = f"{why}, and asked in words it writes other JSON or none. Use it for text alone."
    return _heard("json", heard, ok=False, words=words, result="no", measured={"refused": refused})


async def _citations(settings: ModelSettings, stream: StreamFunction) -> Outcome:
    """Ask a question over two sources with the very prompt of answers, read as answers are read."""
    passages = [_passage(number, *source) for number, source in enumerate(_SOURCES, start=1)]
    started, final, answered = time.monotonic(), None, _Heard()
    try:
        # Its own generator, so that a deadline in the middle closes the connection.
        async with aclosing(
            answer(question=QUESTION, passages=passages, model=settings, citation_mode="mark", stream_fn=stream)
        ) as events:
            async for event in events:
                _note(answered, event, started)
                final = event if isinstance(event, Answer) else final
    except LanguageModelError as error:
        return _failed("citations", error, answered)
    assert final is not None
    answered.text, answered.total = final.raw_output, _ms(started)
    return _judged(final, answered)


def _judged(final: Answer, heard: _Heard) -> Outcome:
    """Say how many statements carry a label of a source that holds them, and which labels no source has."""
    stated = [sentence for sentence in final.sentences if sentence.kind == "statement"]
    cited = [sentence for sentence in stated if sentence.citations]
    held = [sentence for sentence in cited if sentence.verdict == "supported"]
    invented = sum(anomaly.kind == "out_of_range" for anomaly in final.anomalies)
    share = round(len(cited) / len(stated), 3) if stated else 0.0
    if final.no_answer or not stated:
        words = "It did not answer from the sources, although they hold the answer."
    elif not cited:
        words = "It cites nothing. Answers by it have no sources, and Require would withhold them all."
    else:
        words = (
            f"{len(cited)} of {len(stated)} sentences cite a source; {len(held)} of those are held by it word for word."
        )
    if invented:
        words += f" It made up {invented} label{'s' if invented > 1 else ''}; made-up ones are never shown."
    measured = {"sentences": len(stated), "cited": len(cited), "supported": len(held), "invented": invented}
    return _heard(
        "citations", heard, ok=share >= 0.5 and not invented, words=words, result=share, measured=measured
    )  # fmt: skip


def _note(heard: _Heard, event: AnswerEvent, started: float) -> None:
    if heard.first_token is None and not isinstance(event, Answer):
        heard.first_token = _ms(started)


async def _listen(heard: _Heard, settings: ModelSettings, question: str, stream: StreamFunction) -> None:
    """Ask, and note what comes while it comes. :raises LanguageModelError: it failed; what had come is noted."""
    started = time.monotonic()
    events: Any = stream(settings, [{"role": "user", "content": question}])
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Delta):
                heard.pieces += 1
                heard.text += event.text
                heard.first_token = heard.first_token or _ms(started)
    heard.total = _ms(started)


def _fits(text: str) -> bool:
    """Whether the text is one JSON object of just the schema's parts."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    if not isinstance(found, dict) or found.keys() != _TYPES.keys():
        return False
    return all(type(found[name]) is kind for name, kind in _TYPES.items())


def _unfenced(text: str) -> str:
    """Without the fence of a code block, which many put around JSON."""
    body = text.strip()
    return body.removeprefix("```json").removeprefix("```").removesuffix("```") if body.startswith("```") else body


def _passage(number: int, title: str, text: str) -> Passage:
    return Passage(
        key=f"trial-{number}", document=f"trial-{number}", version_id=f"trial-{number}", version=1,
        knowledge_base="trial", title=title, heading_path=(), page_first=None, page_last=None, start=0, end=len(text),
        text=text, tokens=len(text) // 4, score=1.0,
    )  # fmt: skip


def _heard(trial: str, heard: _Heard, **more: Any) -> Outcome:
    return Outcome(
        trial=trial, said=heard.text[:SHOWN], first_token=heard.first_token, total=heard.total, **more
    )  # fmt: skip


def _failed(trial: str, error: KnowledgeError, heard: _Heard | None = None) -> Outcome:
    found = error if isinstance(error, LanguageModelError) else LanguageModelError(error.message)
    return _heard(trial, heard or _Heard(), ok=False, words=found.message, error=found)


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
