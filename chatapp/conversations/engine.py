"""One run from question to stored answer, as numbered events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from chatapp import answering
from chatapp.answering import Answer, CitationUsed, Delta, LabelledPassage, Partial, SentenceChecked
from chatapp.answering.small_talk import is_small_talk
from chatapp.conversations import services
from chatapp.conversations.citations import citation_row
from chatapp.conversations.costs import cost_of
from chatapp.conversations.database import PATIENT_SECONDS, in_thread, in_thread_by
from chatapp.conversations.events import RunLog
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.search_trace import search_trace
from chatapp.conversations.services import Outcome, StartedRun
from chatapp.conversations.verifying import judge
from chatapp.language_models.models import UsageEntry
from chatapp.language_models.usage import Ledger
from knowledge import llm
from knowledge.documents.searching import search
from knowledge.errors import KnowledgeError, LanguageModelError
from knowledge.llm import Answering, Finish, Message, Meter, ModelSettings, StreamEvent, Usage
from knowledge.retrieval.rewriting import rewrite
from knowledge.types import Passage, Query, RetrievalResult, Rewritten

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.04
INTERRUPTED = "The answer was interrupted because the server stopped. Ask again to get a complete answer."
UNEXPECTED = "Something went wrong while this was answered."


def _nothing() -> None:
    """There are no passages to store yet."""


class Engine:
    """Executes one run. ``stop`` ends it as asked for, ``interrupt`` because the process ends."""

    def __init__(self, started: StartedRun, *, arrived: float) -> None:
        self.started = started
        self.log = RunLog(str(started.run.pk))
        self._arrived = arrived
        self._timings: dict[str, float] = {}
        self._pending: list[str] = []
        self._flushed = 0.0
        self._unstored: Callable[[], None] | None = None
        self._keep_passages: Callable[[], None] = _nothing
        self._storing: asyncio.Task[None] | None = None
        self._partial: Answer | None = None
        self._ended_by = ""  # "stopped" or "interrupted"
        self._stopped = asyncio.Event()
        self._rewriting: Rewritten | None = None
        self._ledger = Ledger(started.actor, run_ref=started.run.pk)
        self._asked = False  # for the answer: what is asked for later mends it
        self._answering: ModelSettings | None = None  # the model that answers
        self._pieces: asyncio.Queue[StreamEvent | BaseException | None] = asyncio.Queue()

    def stop(self) -> None:
        """End the answer where it is; what was shown stays."""
        self._end("stopped")

    def interrupt(self) -> None:
        """End the answer because the process ends."""
        self._end("interrupted")

    def _end(self, reason: str) -> None:
        # None in the queue ends the model's stream, whether it has begun or not.
        if not self._ended_by:
            self._ended_by = reason
            self._stopped.set()
            self._pieces.put_nowait(None)

    async def execute(self) -> None:
        """Answer the question; whatever happens, the run ends with ``answer.done`` or ``run.error``."""
        try:
            await self._begin()
            answer = await self._answer()
            if self._ended_by == "interrupted":
                await self._fail("interrupted", INTERRUPTED, retry=True, answer=answer)
            else:
                await self._finish(answer)
        except KnowledgeError as error:
            await self._fail(error.code, error.message, retry=not error.permanent, answer=self._partial)
        except Exception:  # boundary of the run: the reader gets words, the log gets the trace
            logger.exception("Run %s failed", self.log.run)
            await self._fail("unexpected", UNEXPECTED, retry=True, answer=self._partial)
        finally:
            await self._charge()

    async def _begin(self) -> None:
        run = self.started.run
        await self.log.emit(
            "run.started",
            conversation=str(run.conversation_id),
            question_message=str(run.question_id),
            message=str(run.answer_id),
            client_id=self.started.client_id,
            answer_mode=self.started.mode.name,
            label=self.started.mode.label,
            structured=self.started.output is not None,
        )

    async def _answer(self) -> Answer:
        result = await self._found()
        passages = self._fitting(result)
        await self._show_passages(result, answering.label_passages(passages))
        async for event in answering.answer(
            question=self.started.question,
            passages=passages,
            history=self.started.history,
            model=self.started.model,
            system_prompt=self.started.system_prompt or None,
            citation_mode=self.started.citation_mode,
            enforcement=self.started.enforcement,
            mode=self.started.mode,
            output=self.started.output,
            today=timezone.localdate().isoformat(),
            searched=self.started.bases,
            stream_fn=self._stream,
            judge=partial(
                judge, thresholds=self.started.thresholds, meter=self._ledger.meter(UsageEntry.Purpose.CHECK)
            ),
        ):
            if isinstance(event, Answer):
                self._partial = event
            elif isinstance(event, Partial):
                self._partial = event.answer
            else:
                await self._forward(event)
        await self._flush()
        if self._partial is None or not (self._partial.text.strip() or self._ended_by):
            raise LanguageModelError("The language model returned an empty answer.")
        return self._partial

    async def _found(self) -> RetrievalResult:
        """Return what the search found; nothing is searched for small talk, nor where the model's training answers."""
        if not self.started.mode.searches or is_small_talk(self.started.question):
            return RetrievalResult(query="", passages=(), timings={})
        query = await self._rewritten()
        result = await in_thread_by(self._arrived, partial(self._retrieve, query))
        self._mark("retrieval")
        self._timings |= {f"retrieval.{stage}": round(value, 2) for stage, value in result.timings.items()}
        return result

    async def _rewritten(self) -> Query:
        """Return the query as the language model wrote it anew; a first question waits for nothing."""
        started = self.started
        complete = partial(llm.complete, meter=self._ledger.meter(UsageEntry.Purpose.REWRITE))
        writing = asyncio.create_task(
            rewrite(started.query, model=started.model, profile=started.profile, complete=complete)
        )
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({writing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            query = writing.result() if writing.done() else started.query
        finally:
            for task in (writing, stopped):
                task.cancel()
            await asyncio.wait({writing, stopped})
        if query.rewritten is not None:
            self._mark("rewritten")
            self._rewriting = query.rewritten
        return query

    def _retrieve(self, query: Query) -> RetrievalResult:
        return search(query, scope=self.started.scope, profile=self.started.profile)

    def _fitting(self, result: RetrievalResult) -> Sequence[Passage]:
        """The passages that the prompt will hold, so that what is stored is what the model was given."""
        model = self.started.model
        passages, _history = answering.fit_to_window(
            question=self.started.question,
            passages=result.passages,
            history=self.started.history,
            system_prompt=self.started.system_prompt or None,
            context_window=model.context_window,
            max_output_tokens=model.max_output_tokens,
        )
        return passages

    async def _show_passages(self, result: RetrievalResult, labelled: Sequence[LabelledPassage]) -> None:
        """Announce the passages. They are stored once the first words are out: nothing stands before those."""
        self._unstored = partial(
            services.store_passages, run=self.started.run, query=result.query, labelled=labelled,
            rewritten=self._rewriting, notes=result.notes,
            found_by=partial(search_trace, result),
        )  # fmt: skip
        await self.log.emit(
            "retrieval.done",
            query=result.query,
            passages=[{"key": p.passage.key, "label": p.label, "title": p.passage.title} for p in labelled],
        )

    async def _stream(self, model: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        """The model's stream, which ends at once when the run is stopped, even before its first piece."""
        purpose = UsageEntry.Purpose.REPAIR if self._asked else UsageEntry.Purpose.ANSWER
        self._asked = True
        pump = asyncio.create_task(self._pump(model, messages, self._ledger.meter(purpose)))
        try:
            while (piece := await self._next_piece()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                if isinstance(piece, Answering):
                    if purpose == UsageEntry.Purpose.ANSWER:
                        self._answering = piece.settings
                    continue
                yield piece
            if self._ended_by:
                yield Finish(self._ended_by)
        finally:
            pump.cancel()
            await asyncio.wait({pump})

    async def _next_piece(self) -> StreamEvent | BaseException | None:
        """Wait for the model; words that arrived are not kept back while it pauses."""
        if self._pending:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    return await self._pieces.get()
            except TimeoutError:
                await self._flush()
        return await self._pieces.get()

    async def _pump(self, model: ModelSettings, messages: Sequence[Message], meter: Meter) -> None:
        try:
            async for piece in llm.stream(model, messages, meter=meter):
                self._pieces.put_nowait(piece)
        except Exception as error:  # handed over to the reader of the queue, which raises it
            self._pieces.put_nowait(error)
        else:
            self._pieces.put_nowait(None)

    async def _forward(self, event: answering.AnswerEvent) -> None:
        if isinstance(event, Delta):
            if "first_token" not in self._timings:
                self._mark("first_token")
            self._pending.append(event.text)
            # The first words leave at once; after that a few are sent together.
            if time.monotonic() - self._flushed >= FLUSH_SECONDS:
                await self._flush()
                self._store_passages()
            return
        await self._flush()
        self._store_passages()
        if isinstance(event, CitationUsed):
            await self.log.emit("answer.citation", number=event.number, passage=event.passage.key, label=event.label)
        elif isinstance(event, SentenceChecked):
            await self.log.emit(
                "sentence.checked", index=event.index, verdict=event.verdict, reasons=list(event.reasons)
            )

    def _store_passages(self) -> None:
        if self._unstored is not None:
            self._keep_passages, self._unstored = self._unstored, None
            self._storing = asyncio.create_task(self._patiently(self._keep_passages))

    async def _flush(self) -> None:
        if self._pending:
            text, self._pending = "".join(self._pending), []
            await self.log.emit("answer.delta", text=text)
            self._flushed = time.monotonic()

    async def _finish(self, answer: Answer) -> None:
        self._mark("total")
        outcome = self._outcome(AnswerRun.Status.STOPPED if self._ended_by else AnswerRun.Status.DONE, answer)
        done = self.log.event(
            "answer.done",
            message=str(self.started.run.answer_id),
            status=outcome.status,
            no_answer=outcome.no_answer,
            answer_mode=self.started.mode.name,
            usage=outcome.usage,
            timings=self._timings,
            answered_by=outcome.answered_by,
            in_place_of=outcome.in_place_of,
        )
        await self._store(done, outcome)
        await self.log.send(done)

    async def _fail(self, code: str, message: str, *, retry: bool, answer: Answer | None) -> None:
        self._mark("total")
        await self._flush()
        status = AnswerRun.Status.FAILED
        outcome = (
            self._outcome(status, answer) if answer is not None else Outcome(status=status, usage=self._usage(None))
        )
        failed = self.log.event("run.error", code=code, message=message, retry=retry)
        try:
            await self._store(failed, replace(outcome, error_code=code, error_message=message))
        except Exception:  # the reader must hear of the end even when it cannot be stored
            logger.exception("Run %s could not be stored", self.log.run)
        await self.log.send(failed)

    def _outcome(self, status: str, answer: Answer) -> Outcome:
        return Outcome(
            status=status,
            text=answer.text,
            raw_output=answer.raw_output,
            no_answer=answer.no_answer,
            prompt_version=answer.prompt_version,
            prompt=[dict(message) for message in answer.messages],
            sentences=[asdict(sentence) for sentence in answer.sentences],
            citations=[citation_row(citation) for citation in answer.citations],
            anomalies=dict(Counter(anomaly.kind for anomaly in answer.anomalies)),
            usage=self._usage(answer.usage),
            timings=self._timings,
            **self._answerer(),
        )

    def _answerer(self) -> dict[str, str]:
        """Return which model answered, and in place of which."""
        used, asked = self._answering, self.started.model
        if used is None:
            return {}
        instead = used.entry != asked.entry or used.model != asked.model
        return {
            "model": used.model, "answered_by": used.name, "in_place_of": asked.name or asked.model if instead else "",
        }  # fmt: skip

    def _usage(self, answering: Usage | None) -> dict[str, Any]:
        """Return what all calls of the run used and cost: writing the question anew counts whatever came after it, at
        the price of the model that was asked first."""
        used = asdict(answering) if answering is not None else {}
        cost = (self._answering or self.started.model, used)
        if self._rewriting is None:
            return used | cost_of(cost)
        anew = {name: getattr(self._rewriting, name) for name in ("prompt_tokens", "completion_tokens")}
        summed = {name: used.get(name, 0) + count for name, count in anew.items()}
        return {"estimated": False} | used | summed | cost_of(cost, (self.started.model, anew))

    async def _store(self, last: dict[str, Any], outcome: Outcome) -> None:
        """Persist everything before the final event is sent."""
        self._store_passages()
        storing, self._storing = self._storing, None
        if storing is not None:
            try:
                await storing
            except DatabaseError:  # once more, so that a busy moment does not cost the answer its citations
                logger.warning("The passages of run %s are stored again", self.log.run)
                await in_thread(self._keep_passages)
        await self._charge()
        events = [*self.log.events, last]
        await self._patiently(partial(services.store_outcome, run=self.started.run, outcome=outcome, events=events))

    async def _charge(self) -> None:
        """Write what the calls of models used. An answer is stored though that fails; its end tries once more."""
        try:
            await self._patiently(self._ledger.write)
        except DatabaseError:
            logger.exception("What run %s used could not be written", self.log.run)

    @staticmethod
    async def _patiently(call: Callable[[], None]) -> None:
        await in_thread_by(time.perf_counter() + PATIENT_SECONDS, call)

    def _mark(self, name: str) -> None:
        self._timings[name] = round(1000 * (time.perf_counter() - self._arrived), 2)
