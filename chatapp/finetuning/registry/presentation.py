"""What the pages say of fine-tuned models and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chatapp.finetuning.registry.checks import is_running
from chatapp.finetuning.registry.gates import TITLES
from chatapp.finetuning.registry.lineage import documents_of
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.standing import can_answer, former_versions, is_stopped
from knowledge.documents.models import DeletionReport, Document
from knowledge.tenants.access import Actor

__all__ = ["Line", "ModelCard", "card_of", "documents_shown", "figures_of", "line_of"]

State = ModelVersion.State
SHOWN = 200
GATE_WORDS = {
    "passed": ("Passed", "good"), "failed": ("Not passed", "bad"), "running": ("Being evaluated", ""),
    "could_not_run": ("Could not be evaluated", "warn"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A version as lists and its page show it."""

    version: ModelVersion
    state: str
    tone: str  # of the state: good, warn, bad or none
    gate: str
    gate_tone: str
    answers: bool
    served: bool
    checking: bool
    stopped: bool
    promotable: bool
    passed: bool
    on_trial: bool  # may answer a share
    retirable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    model: FineTunedModel
    answering: str  # who answers under its name now
    tone: str
    lines: Sequence[Line]
    earlier: int | None  # the number one click goes back to


def line_of(version: ModelVersion) -> Line:
    verdict = str(version.gate.get("verdict", ""))
    checking = is_running(version.gate)
    gate, gate_tone = GATE_WORDS.get(verdict, ("Not evaluated", "")) if verdict != "running" or checking else (
        "Evaluation cut off", "warn",
    )  # fmt: skip
    stopped, retired = is_stopped(version), version.state == State.RETIRED
    state, tone = _state_of(version, stopped=stopped)
    served = version.language_model is not None and version.language_model.enabled
    free = not stopped and not retired
    return Line(
        version=version, state=state, tone=tone, gate=gate, gate_tone=gate_tone, answers=can_answer(version),
        served=served, checking=checking, stopped=stopped, promotable=free and version.state != State.ACTIVE,
        passed=verdict == "passed", on_trial=free and served and verdict == "passed" and version.state != State.ACTIVE,
        retirable=not retired,
    )  # fmt: skip


def _state_of(version: ModelVersion, *, stopped: bool) -> tuple[str, str]:
    if version.state == State.RETIRED:
        return "Retired", ""
    if stopped:
        return "Stopped: its documents were deleted", "bad"
    if version.state == State.ACTIVE:
        return ("Answers", "good") if can_answer(version) else ("Chosen, but no server has loaded it", "warn")
    if version.canary_share:
        return f"Answers {version.canary_share} % of conversations", "good"
    return "Candidate", ""


def card_of(model: FineTunedModel, versions: Sequence[ModelVersion]) -> ModelCard:
    lines = [line_of(each) for each in versions]
    active = next((each for each in versions if each.state == State.ACTIVE), None)
    answering, tone = _answering(model, versions)
    former = [each for each in former_versions(model) if each != active and not is_stopped(each)]
    earlier = former[0].number if former and active is not None else None
    return ModelCard(model=model, answering=answering, tone=tone, lines=lines, earlier=earlier)


def _answering(model: FineTunedModel, versions: Sequence[ModelVersion]) -> tuple[str, str]:
    entry = model.language_model
    target = entry.target
    if target is None:
        return (f"Its fallback, {entry.fallback.name}", "warn") if entry.fallback else ("Nobody answers", "bad")
    own = next((each for each in versions if each.language_model_id == target.pk), None)
    if own is None:
        return f"Its base, {target.name}: no version can", "warn"
    return f"Version {own.number}", "good" if own.state == State.ACTIVE else "warn"


def figures_of(version: ModelVersion) -> list[dict[str, Any]]:
    """Return the rows of the table before and after: a measure with base, active and this version."""
    found: Mapping[str, Any] = version.metrics.get("evaluation") or {}
    before, differing = found.get("before", {}), found.get("difference", {})
    return [
        {
            "title": TITLES[name], "after": after, "base": before.get("base", {}).get(name),
            "active": before.get("active", {}).get(name),
            "change": (differing.get("active") or differing.get("base") or {}).get(name),
        }
        for name, after in found.get("after", {}).items()
        if name in TITLES
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trained:
    """A document behind a version; ``gone`` once it was deleted."""

    ref: UUID
    title: str
    number: int | None
    gone: datetime | None


def documents_shown(version: ModelVersion, *, actor: Actor) -> tuple[list[Trained], int]:
    """Return the documents it was trained on, deleted ones first, at most ``SHOWN``, and how many there are."""
    refs = documents_of(version.run.dataset_version)
    there = Document.objects.alive().filter(tenant_id=actor.tenant_id, pk__in=refs).select_related("current_version")
    titles = {row.pk: row for row in there}
    reports = DeletionReport.objects.filter(tenant_id=actor.tenant_id, document_ref__in=refs - set(titles))
    gone = {row.document_ref: row for row in reports}
    lines = [
        Trained(
            ref, row.title if (row := titles.get(ref)) else (gone[ref].name if ref in gone else "") or str(ref),
            row.current_version.number if row and row.current_version else None,
            gone[ref].requested if ref in gone else None,
        )
        for ref in refs
    ]  # fmt: skip
    lines.sort(key=lambda each: (each.ref in titles, each.title, str(each.ref)))
    return lines[:SHOWN], len(lines)
