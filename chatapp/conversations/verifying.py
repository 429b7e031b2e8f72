"""``POST /verify``: whether statements are held by texts, for who writes answers elsewhere."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field, model_validator

from chatapp.answering.verification import Claim, Judgement, Verifier
from knowledge import wiring
from knowledge.errors import ModelBusy

router = Router(tags=["verification"])

MOST_ITEMS, MOST_SOURCES = 100, 20
LONGEST_STATEMENT, LONGEST_SOURCE = 2_000, 20_000
"""Characters. What is made of a source is kept for a while, and looking for words takes both lengths."""

MOST_CHARACTERS = 200_000
"""Of all sources of a request together: some seconds of embedding."""

PATIENCE = 20  # seconds
AT_ONCE = BoundedSemaphore(1)
"""Requests that are judged at a time in a process: answers are checked there too, and must not wait long."""


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
    """Return the verifier of this process, over the loaded embedding model."""
    return wiring.once("verifier", lambda: Verifier(wiring.embedder()))  # type: ignore[no-any-return]


@router.post("", response=dict[str, Any])
def verify(request: HttpRequest, data: Statements) -> dict[str, Any]:
    """Judge each statement against its own sources."""
    claims = [
        Claim(statement=item.statement, sources=tuple(item.sources), question=item.question) for item in data.items
    ]
    found = verifier()
    if not AT_ONCE.acquire(timeout=PATIENCE):
        raise ModelBusy("Other statements are being checked. Try again in a moment.")
    try:
        items = [_row(judged) for claim in claims for judged in found.judge([claim])]
    finally:
        AT_ONCE.release()
    return {"items": items, "verifier": found.record.verifier}


def _row(judged: Judgement) -> dict[str, Any]:
    place = judged.evidence
    return {
        "verdict": judged.verdict,
        "score": round(judged.score, 4),
        "reasons": list(judged.reasons),
        "evidence": None if place is None else {"source": place.source, "start": place.start, "end": place.end},
    }
