"""``POST /verify``: whether statements are held by texts, for who writes answers elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Annotated, Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field, model_validator

from chatapp.answering.verification import Claim, Judgement, Verifier, default_record
from chatapp.answering.verification.consult import consult, too_small
from chatapp.answering.verification.entailment import EntailmentEncoder
from chatapp.answering.verification.verifier import with_thresholds
from chatapp.language_models.models import UsageEntry
from chatapp.language_models.usage import Ledger
from knowledge import llm, wiring
from knowledge.errors import ModelBusy
from knowledge.llm import Meter, ModelSettings
from knowledge.stores.common import batches

router = Router(tags=["verification"])

MOST_ITEMS, MOST_SOURCES = 100, 20
LONGEST_STATEMENT, LONGEST_SOURCE = 2_000, 20_000
"""Characters. What is made of a source is kept for a while, and looking for words takes both lengths."""

MOST_CHARACTERS = 200_000
"""Of all sources of a request together: some seconds of embedding."""

TOGETHER = 8
"""Statements that are judged at once."""

PATIENCE = 20  # seconds
UNKNOWN_WINDOW = 1_000_000
"""Tokens. Nobody says how much the judging model takes, so it says itself what is too much."""

AT_ONCE = BoundedSemaphore(1)
"""Requests that are judged at a time in a process: answers are checked there too, and must not wait long."""


JUDGES: Mapping[str, str] = {
    "check": "exact words, numbers and names",
    "words": "chance by its words",
    "vectors": "chance by words and meaning",
    "encoder": "local model",
    "judge": "language model",
}
"""Who a verdict is of (``JudgedBy``), for people."""


class Item(Schema):
    statement: str = Field(min_length=1, max_length=LONGEST_STATEMENT)
    sources: list[Annotated[str, Field(max_length=LONGEST_SOURCE)]] = Field(max_length=MOST_SOURCES)
    question: str = Field("", max_length=8_000, description="What was asked: its numbers and names need no source.")


class Statements(Schema):
    items: list[Item] = Field(min_length=1, max_length=MOST_ITEMS)

    @model_validator(mode="after")
    def _not_too_long(self) -> Statements:
        if sum(len(source) for item in self.items for source in item.sources) > MOST_CHARACTERS:
            raise ValueError(f"All sources together may have {MOST_CHARACTERS:,} characters.")
        return self


def verifier() -> Verifier:
    """Return the verifier of this process, over the models that are set up."""
    return wiring.once("verifier", _verifier)  # type: ignore[no-any-return]


def _verifier() -> Verifier:
    folder = settings.VERIFY_MODEL_DIR
    entailment = EntailmentEncoder(Path(folder), threads=settings.EMBED_THREADS) if folder else None
    return Verifier(wiring.piece_table(), entailment=entailment)


def judge_model() -> ModelSettings | None:
    """Return the language model that judges what is left open; None where none is set up, or one too small for it."""
    if not settings.VERIFY_MODEL or too_small(settings.VERIFY_MODEL):
        return None
    return ModelSettings(
        model=settings.VERIFY_MODEL, api_base=settings.VERIFY_API_BASE or None,
        api_key=settings.VERIFY_API_KEY or None, context_window=UNKNOWN_WINDOW,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Chances from which a statement counts as held and below which it counts as not held, and whose they are."""

    supported: float
    unsupported: float
    made: str  # day
    record: int | None = None  # number of the tenant's own; None: Footnote comes with them

    @property
    def pair(self) -> tuple[float, float]:
        return self.supported, self.unsupported


_own: Callable[[UUID], Thresholds | None] = lambda _: None  # noqa: E731


def use_thresholds(of_tenant: Callable[[UUID], Thresholds | None]) -> None:
    """Set who knows the thresholds that a tenant fitted to its own labels."""
    global _own
    _own = of_tenant


def thresholds_of(tenant_id: UUID) -> Thresholds:
    """Return the thresholds in force for the tenant: its own, or the shipped ones."""
    shipped = default_record()
    return _own(tenant_id) or Thresholds(
        supported=shipped.supported, unsupported=shipped.unsupported, made=shipped.date
    )  # fmt: skip


def verification_of(thresholds: Thresholds) -> dict[str, Any]:
    """Return what a run keeps of how its sentences are judged: verifier, thresholds, and models with the last word."""
    model = judge_model()
    return {
        "verifier": default_record().verifier, "supported": thresholds.supported,
        "unsupported": thresholds.unsupported, "record": thresholds.record, "made": thresholds.made,
        "encoder": Path(settings.VERIFY_MODEL_DIR).name, "judge": model.model if model else "",
    }  # fmt: skip


async def judge(
    claims: Sequence[Claim], *, thresholds: Thresholds, meter: Meter | None = None
) -> Sequence[Judgement]:  # fmt: skip
    """Judge statements by all that is set up, without holding up the event loop; ``meter`` counts what that costs."""
    judged = with_thresholds(await asyncio.to_thread(lambda: verifier().judge(claims)), thresholds.pair)
    model = judge_model()
    if model is None:
        return judged
    complete = partial(llm.complete, meter=meter)
    return await consult(claims, judged, model=model, seconds=settings.VERIFY_TIMEOUT, complete=complete)


@router.post("", response=dict[str, Any])
def verify(request: HttpRequest, data: Statements) -> dict[str, Any]:
    """Judge each statement against its own sources."""
    claims = [
        Claim(statement=item.statement, sources=tuple(item.sources), question=item.question) for item in data.items
    ]
    found, actor = verifier(), request.actor  # type: ignore[attr-defined]
    ledger = Ledger(actor)
    meter = ledger.meter(UsageEntry.Purpose.CHECK)
    judging = async_to_sync(partial(judge, thresholds=thresholds_of(actor.tenant_id), meter=meter))
    if not AT_ONCE.acquire(timeout=PATIENCE):
        raise ModelBusy("Other statements are being checked. Try again in a moment.")
    try:
        items = [_row(judged) for some in batches(claims, TOGETHER) for judged in judging(list(some))]
    finally:
        AT_ONCE.release()
        ledger.write()
    return {"items": items, "verifier": found.record.verifier}


def _row(judged: Judgement) -> dict[str, Any]:
    place = judged.evidence
    return {
        "verdict": judged.verdict,
        "score": round(judged.score, 4),
        "reasons": list(judged.reasons),
        "evidence": None if place is None else {"source": place.source, "start": place.start, "end": place.end},
    }
