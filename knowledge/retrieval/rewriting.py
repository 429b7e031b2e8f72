"""Let a language model rewrite a question before it is searched; whatever goes wrong, the question stands as it is.

The one stage of retrieval that waits for a language model, so it comes before ``retrieve`` and is awaited: no thread
and no connection is held meanwhile. Without a model, and for a first question, nothing is asked and nothing waits.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from knowledge import llm
from knowledge.analysis import terms
from knowledge.errors import KnowledgeError, ModelTimeout, ModelUnavailable
from knowledge.languages import detect
from knowledge.llm import Completion, Deadlines, Message, ModelSettings
from knowledge.reranking.circuit import Circuit
from knowledge.retrieval.base import RetrievalProfile
from knowledge.retrieval.prompts import condense_messages, parts_messages, wordings_messages
from knowledge.retrieval.query import readable
from knowledge.types import Query, Rewritten, Turn

__all__ = ["can_rewrite", "checked_lines", "checked_question", "rewrite"]

logger = logging.getLogger(__name__)

SECONDS = 4.0
"""For everything a question has rewritten, together: it stands before the first word of the answer."""
TOKENS = 160
"""Of one reply."""
MOST = 3
"""Wordings that are searched beside the question."""
MOST_PARTS = 4
LONGEST = 300
"""Characters of a rewritten question, or twice the question and what it may refer to, if that is more."""
FROM_CONVERSATION = 0.5
"""Least share of the words of a rewritten question that stand in the conversation: more would be an answer."""

UNUSABLE = "The question was searched as it was asked: what the language model made of it was not a question like it."

Complete = Callable[[ModelSettings, Sequence[Message]], Awaitable[Completion]]

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_LABEL = re.compile(
    r"^(?:(?:the )?(?:standalone|rewritten|condensed|last)\s*(?:question|message)?|question)\s*[:：]\s*", re.IGNORECASE
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s+")
_EXACT = re.compile(r"[^\W_]*\d[\w.,:/-]*\w|\d")


def can_rewrite(model: ModelSettings | None) -> bool:
    """Tell whether there is a language model; one of our own inside this process only quotes."""
    return model is not None and not llm.is_local(model.model)


async def rewrite(
    query: Query, *, model: ModelSettings | None, profile: RetrievalProfile, complete: Complete = llm.complete,
    seconds: float = SECONDS,
) -> Query:  # fmt: skip
    """Return the query with what the model made of it, as far as the profile asks for it."""
    condense = profile.condense and any(turn.role == "user" and turn.text.strip() for turn in query.history)
    text = query.text.strip()
    if model is None or not can_rewrite(model) or not text or not (condense or profile.expand or profile.decompose):
        return query
    caller = _Caller(model, complete, time.monotonic() + seconds)
    found = Rewritten()
    if condense:
        found = await _condensed(text, query.history, caller)
    question = found.standalone or text
    wordings, parts = await asyncio.gather(
        _lines(question, wordings_messages, caller, most=MOST, what="other wordings") if profile.expand else _nobody(),
        _lines(question, parts_messages, caller, most=MOST_PARTS, what="the questions it consists of",
               own_words=True)
        if profile.decompose else _nobody(),
    )  # fmt: skip
    return replace(
        query, rewritten=replace(
            found, wordings=wordings[0], parts=parts[0], notes=(*found.notes, *wordings[1], *parts[1]),
            prompt_tokens=caller.prompt_tokens, completion_tokens=caller.completion_tokens,
        ),
    )  # fmt: skip


class _Caller:
    """Asks the model within what is left of the time."""

    def __init__(self, model: ModelSettings, complete: Complete, ends: float) -> None:
        self._model, self._complete, self._ends = model, complete, ends
        self.prompt_tokens = self.completion_tokens = 0
        """Of all calls that were answered."""

    async def __call__(self, messages: Sequence[Message]) -> str:
        """Return the reply.

        :raises KnowledgeError: the model failed or was too slow, or did so three times in a row a moment ago.
        """
        circuit = _circuit(self._model.model, self._model.api_base)
        if circuit.wait() > 0:
            raise ModelUnavailable("The language model was too slow for this, or away, a moment ago.")
        left = max(0.05, self._ends - time.monotonic())
        settings = replace(
            self._model, max_output_tokens=TOKENS, temperature=0.0,
            deadlines=Deadlines(first_token=left, gap=left, total=left, hurried=True),
        )  # fmt: skip
        try:
            async with asyncio.timeout(left):
                reply = await self._complete(settings, messages)
        except (KnowledgeError, TimeoutError) as err:
            circuit.failed()
            raise err if isinstance(err, KnowledgeError) else ModelTimeout() from err
        self.prompt_tokens += reply.usage.prompt_tokens
        self.completion_tokens += reply.usage.completion_tokens
        if reply.finish == "length":  # a model that thinks first may always be cut off before it says anything
            circuit.failed()
            raise ModelUnavailable(f"The language model did not come to an end within {TOKENS} tokens.")
        circuit.succeeded()
        return _THOUGHT.sub("", readable(reply.text))


@lru_cache(maxsize=64)
def _circuit(model: str, api_base: str | None) -> Circuit:
    """Of each model: one that is slow must not cost every question its deadline."""
    return Circuit()


async def _condensed(text: str, history: Sequence[Turn], ask: _Caller) -> Rewritten:
    try:
        reply = await ask(condense_messages(text, history))
    except KnowledgeError as err:
        logger.warning("a question was not condensed: %s", err)
        return Rewritten(notes=(f"The question was searched as it was asked: {err.message}",))
    standalone = checked_question(reply, question=text, history=history)
    if standalone is None:
        logger.info("what a model made of a question is not used")
        return Rewritten(notes=(UNUSABLE,))
    return Rewritten(standalone=standalone)


async def _lines(
    question: str, messages: Callable[[str], list[dict[str, str]]], ask: _Caller, *, most: int, what: str,
    own_words: bool = False,
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:  # fmt: skip
    try:
        reply = await ask(messages(question))
    except KnowledgeError as err:
        logger.warning("a question was not rewritten: %s", err)
        return None, (f"The language model did not write {what}: {err.message}",)
    lines = checked_lines(reply, question=question, most=most, own_words=own_words)
    return lines, () if lines is not None else (f"The language model did not write {what}.",)


async def _nobody() -> tuple[None, tuple[str, ...]]:
    return None, ()


def checked_question(reply: str, *, question: str, history: Sequence[Turn]) -> str | None:
    """Return the standalone question a model wrote, or None where it is none: empty, too long, in another language,
    without a number the question names, or mostly of words nobody said."""
    lines = [line.strip() for line in reply.split("\n") if line.strip()]
    if len(lines) != 1:
        return None
    text = _LABEL.sub("", lines[0]).strip().strip("\"'“”«»„").strip()
    if not any(c.isalnum() for c in text) or len(text) > max(LONGEST, 2 * len(question)):
        return None
    if _other_language(text, question) or not _keeps_exact(text, question):
        return None
    said = set(terms(" ".join([question, *(turn.text for turn in history)])))
    written = terms(text)
    if written and sum(term in said for term in written) < FROM_CONVERSATION * len(written):
        return None
    return text


def checked_lines(reply: str, *, question: str, most: int, own_words: bool = False) -> tuple[str, ...] | None:
    """Return the lines of a reply that are other questions or sentences; None where nothing of it is usable.

    The question itself is left out: a reply that only repeats it says that there is nothing else. ``own_words``: the
    words of a line must mostly be those of the question, as those of its parts are.
    """
    said = set(terms(question))
    found: dict[str, str] = {}
    for line in reply.split("\n"):
        text = _BULLET.sub("", line).strip().strip('"“”«»„').strip()
        written = terms(text)
        if not any(c.isalnum() for c in text) or len(text) > max(LONGEST, 2 * len(question)):
            continue
        if own_words and written and sum(term in said for term in written) < FROM_CONVERSATION * len(written):
            continue
        if not _other_language(text, question):
            found.setdefault(" ".join(written) or text.casefold(), text)
    if not found:
        return None
    found.pop(" ".join(terms(question)), None)
    return tuple(found.values())[:most]


def _other_language(text: str, question: str) -> bool:
    one, other = detect(text), detect(question)
    return bool(one and other and one != other)


def _keeps_exact(text: str, question: str) -> bool:
    """Numbers and identifiers of the question must stand in the new one as they are."""
    return all(exact.casefold() in text.casefold() for exact in _EXACT.findall(question))
