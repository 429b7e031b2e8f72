"""Whether a version may be promoted: measured on the rows held out, against what answers now, and on what it knew.

Each measure is compared pairwise, answer by answer; one that fell has its whole 95 % interval below 0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from django.utils import timezone

from chatapp.evaluation.bootstrap import Values, differences, intervals
from chatapp.finetuning.datasets.export import rows_of
from chatapp.finetuning.registry.general import GENERAL
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.registry.scoring import MEASURES, Row, contains, score
from chatapp.finetuning.registry.standing import note
from chatapp.finetuning.serving.models import ModelServer
from chatapp.language_models.models import LanguageModel, UsageEntry
from chatapp.language_models.services import settings_of
from chatapp.language_models.usage import Ledger
from knowledge import llm
from knowledge.errors import KnowledgeError, ModelNotConfigured
from knowledge.tenants.access import system_actor

__all__ = ["PASSED", "check", "verdict"]

logger = logging.getLogger(__name__)

PASSED, FAILED, RUNNING, BROKEN = "passed", "failed", "running", "could_not_run"
LEAST_ROWS = 5
TITLES = {"format": "Format kept", "overlap": "Words as expected", "refusal": "Refused rightly", "general": "General"}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one model did: ``(rows, measures)`` on the held-out rows, and right or wrong on the general set."""

    name: str
    rows: Values
    general: Values


def check(version: ModelVersion) -> dict[str, Any]:
    """Evaluate a version and store the verdict with its figures. Takes as long as its answers do."""
    _store(version, {"verdict": RUNNING, "started": timezone.now().isoformat()})
    try:
        gate = asyncio.run(_measured(version))
    except KnowledgeError as error:
        gate = {"verdict": BROKEN, "sentences": [error.message]}
    except Exception:  # boundary: the page must not say for ever that it runs
        _store(version, {"verdict": BROKEN, "sentences": ["The evaluation failed. The log of the worker says why."]})
        raise
    gate["finished"] = timezone.now().isoformat()
    _store(version, gate)
    note(version, "checked", verdict=gate["verdict"], words=" ".join(gate["sentences"]))
    return gate


def _store(version: ModelVersion, gate: dict[str, Any]) -> None:
    version.gate = gate
    figures = gate.get("figures")
    if figures:
        version.metrics = {**version.metrics, "evaluation": figures}
    ModelVersion.objects.filter(pk=version.pk).update(gate=version.gate, metrics=version.metrics)


async def _measured(version: ModelVersion) -> dict[str, Any]:
    from asgiref.sync import sync_to_async

    rows, own, others = await sync_to_async(_arranged)(version)
    ledger = Ledger(system_actor(version.fine_tuned_model.tenant))
    meter = ledger.meter(UsageEntry.Purpose.TEST)
    try:
        after = await _ask(own.name, own.settings, rows, meter)
        before = {}
        for each in others:
            with suppress(KnowledgeError):
                before[each.role] = await _ask(each.name, each.settings, rows, meter)
    finally:
        await llm.close_clients()
        await sync_to_async(ledger.write)()
    return verdict(after, base=before.get("base"), active=before.get("active"))


@dataclass(frozen=True, slots=True)
class _Asked:
    role: str
    name: str
    settings: llm.ModelSettings


def _arranged(version: ModelVersion) -> tuple[list[Row], _Asked, list[_Asked]]:
    """:raises KnowledgeError: nothing serves the version."""
    held_out = [
        Row(key=row.key, prompt=row.prompt, completion=row.completion)
        for row in rows_of(version.run.dataset_version, "eval")
    ]
    rows = sorted(held_out, key=lambda row: row.key)[: settings.GATE_ROWS]
    if version.language_model is None or not version.language_model.enabled:
        raise ModelNotConfigured("No server has loaded this version. Start a server of its base model first.")
    own = _Asked("own", f"version {version.number}", settings_of(version.language_model))
    others = []
    for role, name, entry in (("base", "its base", _base(version)), ("active", "the active version", _active(version))):
        if entry is not None and entry.enabled:
            with suppress(ModelNotConfigured):
                others.append(_Asked(role, name, settings_of(entry)))
    return rows, own, others


def _base(version: ModelVersion) -> LanguageModel | None:
    if version.base is None:
        return LanguageModel.objects.filter(pk=version.run.hosted.get("entry")).first()
    served = ModelServer.objects.filter(base=version.base, language_model__isnull=False).select_related(
        "language_model"
    )
    found = served.first()
    return found.language_model if found else None


def _active(version: ModelVersion) -> LanguageModel | None:
    rows = ModelVersion.objects.filter(fine_tuned_model=version.fine_tuned_model_id, state=ModelVersion.State.ACTIVE)
    found = rows.exclude(pk=version.pk).select_related("language_model").first()
    return found.language_model if found else None


async def _ask(name: str, model: llm.ModelSettings, rows: Sequence[Row], meter: llm.Meter) -> Measured:
    """:raises KnowledgeError: the model does not answer."""
    scores = [score(row, (await llm.complete(model, list(row.prompt), meter=meter)).text) for row in rows]
    general = []
    for each in GENERAL:
        answer = await llm.complete(model, [{"role": "user", "content": each.question}], meter=meter)
        general.append([contains(answer.text, each.wanted)])
    return Measured(name, np.array(scores, dtype=np.float64).reshape(-1, len(MEASURES)), np.array(general))


def verdict(after: Measured, *, base: Measured | None, active: Measured | None) -> dict[str, Any]:
    """Return verdict, sentences and figures. Pure."""
    sentences: list[str] = []
    count = len(after.rows)
    figures: dict[str, Any] = {"rows": count, "after": _means(after), "before": {}}
    if count < LEAST_ROWS:
        sentences.append(f"Only {count} rows are held out; at least {LEAST_ROWS} are needed to judge.")
    elif (kept := figures["after"]["format"]["value"]) < settings.GATE_FORMAT:
        sentences.append(
            f"It keeps the format in {kept:.0%} of the answers; at least {settings.GATE_FORMAT:.0%} is asked for."
        )
    for role, other in (("base", base), ("active", active)):
        if other is not None:
            figures["before"][role] = _means(other)
            sentences += _fell(after, other, figures, role=role)
    passed = not sentences
    if passed:
        sentences.append(f"It keeps the format in {figures['after']['format']['value']:.0%} of {count} answers.")
        sentences += [f"Nothing fell against {other.name}." for other in (base, active) if other is not None]
    if base is None:
        sentences.append("Its base could not be asked, so nobody knows what it forgot.")
    return {"verdict": PASSED if passed else FAILED, "sentences": sentences, "figures": figures}


def _means(measured: Measured) -> dict[str, Any]:
    found = dict(zip(MEASURES, intervals(measured.rows), strict=True)) if len(measured.rows) else {}
    found["general"] = intervals(measured.general)[0]
    return {name: {"value": each.value, "low": each.low, "high": each.high} for name, each in found.items()}


def _fell(after: Measured, other: Measured, figures: dict[str, Any], *, role: str) -> list[str]:
    """Say which measures fell, and note every difference."""
    changes = dict(zip(MEASURES, differences(other.rows, after.rows), strict=True)) if len(after.rows) else {}
    changes["general"] = differences(other.general, after.general)[0]
    figures.setdefault("difference", {})[role] = {
        name: {"value": each.value, "low": each.low, "high": each.high} for name, each in changes.items()
    }
    words = {"general": "It forgot: general questions answered rightly"}
    return [
        f"{words.get(name, TITLES[name])} fell against {other.name} by {-each.value:.2f} "
        f"[{-each.high:.2f}, {-each.low:.2f}]."
        for name, each in changes.items()
        if each.high < 0
    ]
