"""HTTP API of fine-tuned models: editors read, owners and administrators change which version answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from chatapp.finetuning.registry import access, lineage, services
from chatapp.finetuning.registry.checks import request_check
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.staleness import STALE_WORDS
from chatapp.finetuning.registry.standing import can_answer, is_stopped
from knowledge.tenants.access import Actor

models = Router(tags=["fine-tuned models"])
versions = Router(tags=["fine-tuned models"])


class ForceIn(Schema):
    reason: str = Field(default="", max_length=400, description="Why to promote without a passed evaluation.")


class ShareIn(Schema):
    share: int = Field(ge=0, le=100, description="Percent of conversations.")


class RetireIn(Schema):
    delete_files: bool = False


class VersionOut(Schema):
    id: str
    model: str
    number: int
    state: str
    answers: bool = Field(description="Whether it can be called now.")
    canary_share: int
    method: str
    base: str | None
    digest: str
    data_hash: str
    training_run: str
    dataset_version: str
    gate: dict[str, Any]
    metrics: dict[str, Any]
    stale: datetime | None
    stale_documents: list[str]
    stale_meaning: str = Field(description="What its being stale means and what to do; empty where it is not.")
    stopped: bool
    created: datetime

    @classmethod
    def of(cls, row: ModelVersion) -> VersionOut:
        return cls(
            id=str(row.pk), model=str(row.fine_tuned_model_id), number=row.number, state=row.state,
            answers=can_answer(row), canary_share=row.canary_share, method=row.method,
            base=row.base.name if row.base else row.run.hosted_model or None, digest=row.digest,
            data_hash=row.data_hash, training_run=str(row.run_id), dataset_version=str(row.run.dataset_version_id),
            gate=row.gate, metrics=row.metrics, stale=row.stale,
            stale_documents=[each["id"] for each in row.stale_documents],
            stale_meaning=STALE_WORDS if row.stale else "", stopped=is_stopped(row), created=row.created,
        )  # fmt: skip


class EventOut(Schema):
    kind: str
    words: str
    by: str | None
    created: datetime


class VersionWhole(VersionOut):
    documents: list[str] = Field(description="Documents that words of its training rows come from.")
    events: list[EventOut]


class ModelOut(Schema):
    id: str
    slug: str
    name: str
    entry: str = Field(description="Slug of its entry of the catalogue, which stands for the version that answers.")
    versions: list[VersionOut]

    @classmethod
    def of(cls, row: FineTunedModel, rows: list[ModelVersion]) -> ModelOut:
        return cls(
            id=str(row.pk), slug=row.slug, name=row.name, entry=row.language_model.slug,
            versions=[VersionOut.of(each) for each in rows],
        )  # fmt: skip


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    access.require_editor(actor)
    return actor


@models.get("", response=list[ModelOut])
def list_models(request: HttpRequest) -> Any:
    """List the fine-tuned models of the organisation with their versions, newest first."""
    rows = list(access.visible_models(_actor(request)).order_by("name", "pk"))
    found = ModelVersion.objects.filter(fine_tuned_model__in=rows).select_related(*access.WITH).order_by("-number")
    by_model: dict[Any, list[ModelVersion]] = {row.pk: [] for row in rows}
    for each in found:
        by_model[each.fine_tuned_model_id].append(each)
    return [ModelOut.of(row, by_model[row.pk]) for row in rows]


@models.post("/{fine_tuned_model_id}/rollback", response=VersionOut)
def roll_back(request: HttpRequest, fine_tuned_model_id: str) -> Any:
    """Have the version answer that did before the active one."""
    actor = _actor(request)
    version = services.roll_back(actor, access.access_fine_tuned_model(actor, fine_tuned_model_id))
    return VersionOut.of(access.access_version(actor, version.pk))


@versions.get("/{version_id}", response=VersionWhole)
def get_version(request: HttpRequest, version_id: str) -> Any:
    """Return a version with its history and the documents it was trained on."""
    row = access.access_version(_actor(request), version_id)
    events = row.events.select_related("by").order_by("-created", "-pk")[:200]
    return VersionWhole(
        **VersionOut.of(row).dict(),
        documents=sorted(str(each) for each in lineage.documents_of(row.run.dataset_version)),
        events=[
            EventOut(kind=each.kind, words=str(each.detail.get("words", "")), created=each.created,
                     by=each.by.get_username() if each.by else None)
            for each in events
        ],
    )  # fmt: skip


@versions.post("/{version_id}/check", response={202: VersionOut})
def check(request: HttpRequest, version_id: str) -> Any:
    """Evaluate a version for its promotion; the result is its ``gate``."""
    return Status(202, VersionOut.of(request_check(_actor(request), version_id)))


@versions.post("/{version_id}/promote", response=VersionOut)
def promote(request: HttpRequest, version_id: str, body: ForceIn | None = None) -> Any:
    """Let a version answer from now on; without a passed evaluation only for a reason, which is recorded."""
    actor = _actor(request)
    services.promote(actor, version_id, force=body.reason if body else "")
    return VersionOut.of(access.access_version(actor, version_id))


@versions.post("/{version_id}/canary", response=VersionOut)
def canary(request: HttpRequest, version_id: str, body: ShareIn) -> Any:
    """Let a candidate answer a share of conversations; 0 ends that."""
    actor = _actor(request)
    services.set_canary(actor, version_id, body.share)
    return VersionOut.of(access.access_version(actor, version_id))


@versions.post("/{version_id}/retire", response=VersionOut)
def retire(request: HttpRequest, version_id: str, body: RetireIn | None = None) -> Any:
    """Take a version out of use for good."""
    actor = _actor(request)
    services.retire(actor, version_id, delete_files=bool(body and body.delete_files))
    return VersionOut.of(access.access_version(actor, version_id))
