"""HTTP API of index generations: build one beside the live one, follow it, switch, go back, remove.

Editors see and build; what everybody's searches depend on, only owners and administrators change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import Field

from knowledge import wiring
from knowledge.documents import access
from knowledge.documents.indexes import generations, overview
from knowledge.documents.indexes.generations import Standing
from knowledge.documents.models import IndexGeneration, IndexJob
from knowledge.errors import GenerationNotFound
from knowledge.tenants.access import Actor

of_bases = Router(tags=["index generations"])
router = Router(tags=["index generations"])


class GenerationIn(Schema):
    embedding: str = Field(default="", max_length=200, description="One of `embedding_models`; empty: the settings'.")
    chunker: str = Field(default="", max_length=40, description="A chunker with options; empty: the settings'.")
    switch: bool = Field(default=False, description="Use it as soon as it is built. Owners and admins only.")


class IndexJobOut(Schema):
    kind: str
    state: str
    attempts: int
    error: str | None
    retry: bool = Field(description="Whether POST /generations/{id}/retry can help.")

    @classmethod
    def of(cls, job: IndexJob) -> IndexJobOut:
        return cls(
            kind=job.kind, state=job.state, attempts=job.attempts, error=job.last_error or None,
            retry=job.state == IndexJob.State.FAILED,
        )  # fmt: skip


class GenerationOut(Schema):
    id: str
    state: str
    phase: str = Field(description="What it is and what happens to it, in a few words.")
    live: bool
    switch_when_ready: bool
    embedding_model: str
    dimension: int
    chunker: str
    documents: int = Field(description="Documents that are searchable in the knowledge base.")
    held: int = Field(description="Those of them that it holds whole.")
    chunks: int
    progress: float
    seconds_left: int | None
    job: IndexJobOut | None
    switched: datetime | None
    created: datetime

    @classmethod
    def of(cls, standing: Standing) -> GenerationOut:
        row = standing.generation
        return cls(
            id=str(row.pk), state=row.state, phase=overview.phase(standing), live=standing.live,
            switch_when_ready=row.switch_when_ready, embedding_model=row.embedding_model, dimension=row.dimension,
            chunker=row.chunker, documents=standing.documents, held=standing.held, chunks=row.chunks,
            progress=round(standing.held / standing.documents, 4) if standing.documents else 1.0,
            seconds_left=overview.seconds_left(standing, now=timezone.now()),
            job=IndexJobOut.of(standing.job) if standing.job else None, switched=row.switched, created=row.created,
        )  # fmt: skip


class GenerationList(Schema):
    items: list[GenerationOut] = Field(description="The one in use first, then the youngest.")
    embedding_models: list[str] = Field(description="What a new one may choose; the first is the settings' choice.")
    chunker: str = Field(description="The settings' choice.")
    notice: str | None = Field(description="Says so when the settings choose other than the one in use has.")


class SwitchOut(Schema):
    live: bool


def _editor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if not actor.can_edit:
        raise HttpError(403, "Your role may read and ask, but not see or build indexes.")
    return actor


def _administrator(request: HttpRequest) -> Actor:
    actor = _editor(request)
    if not actor.can_administer:
        raise HttpError(403, "Only owners and administrators may switch or remove an index.")
    return actor


def _out(generation: IndexGeneration) -> GenerationOut:
    for standing in generations.standings(generation.knowledge_base):
        if standing.generation.pk == generation.pk:
            return GenerationOut.of(standing)
    raise GenerationNotFound  # its removal ended a moment ago


@of_bases.get("/{base_id}/generations", response=GenerationList)
def list_generations(request: HttpRequest, base_id: str) -> Any:
    base = access.access_knowledge_base(actor=_editor(request), pk=base_id)
    return GenerationList(
        items=[GenerationOut.of(standing) for standing in generations.standings(base)],
        embedding_models=wiring.embedding_choices(), chunker=overview.chosen().chunker,
        notice=overview.difference(base) or None,
    )  # fmt: skip


@of_bases.post("/{base_id}/generations", response={202: GenerationOut})
def build_generation(request: HttpRequest, base_id: str, data: GenerationIn) -> Any:
    """Begin an index beside the one in use; searches go on with that until they are switched."""
    actor = _administrator(request) if data.switch else _editor(request)
    base = access.access_knowledge_base(actor=actor, pk=base_id)
    return Status(202, _out(generations.start(base=base, **data.dict())))


@router.post("/{generation_id}/switch", response={200: SwitchOut, 202: SwitchOut})
def switch_generation(request: HttpRequest, generation_id: str) -> Any:
    """Search through it from now on; 202 when it first has to catch up, and is used then."""
    generation = access.access_generation(actor=_administrator(request), pk=generation_id)
    live = generations.make_live(generation)
    return Status(200 if live else 202, SwitchOut(live=live))


@router.post("/{generation_id}/retry", response={202: GenerationOut})
def retry_generation(request: HttpRequest, generation_id: str) -> Any:
    generation = access.access_generation(actor=_editor(request), pk=generation_id)
    generations.retry(generation)
    return Status(202, _out(generation))


@router.delete("/{generation_id}", response={202: None})
def remove_generation(request: HttpRequest, generation_id: str) -> Any:
    generations.remove(access.access_generation(actor=_administrator(request), pk=generation_id))
    return Status(202, None)
