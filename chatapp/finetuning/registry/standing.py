"""Which version answers: the active one, else the last good one before it, else its base; and the history of that.

The catalogue's entry of a fine-tuned model stands for a version. ``settle`` sets which, whenever a version or its
server changes; the gateway does the rest (share of a canary, fallbacks).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion, RegistryEvent
from chatapp.finetuning.serving.models import ModelServer
from chatapp.language_models.models import LanguageModel

__all__ = ["STOP", "can_answer", "former_versions", "is_stopped", "note", "settle", "target_without"]

STOP = "stop"
_BEGINS, _ENDS = ("promoted", "reactivated"), ("rolled_back",)


def note(version: ModelVersion, kind: str, *, by: int | None = None, **detail: Any) -> RegistryEvent:
    """Write what happened to a version; ``words`` of the detail is a sentence for people."""
    return RegistryEvent.objects.create(version=version, kind=kind, detail=detail, by_id=by or None)


def is_stopped(version: ModelVersion) -> bool:
    """Tell whether a version answers no more because documents it was trained on are gone."""
    return version.stale is not None and settings.STALE_MODELS == STOP


def can_answer(version: ModelVersion) -> bool:
    entry = version.language_model
    return entry is not None and entry.enabled and not is_stopped(version) and version.state != version.State.RETIRED


def former_versions(model: FineTunedModel) -> list[ModelVersion]:
    """Return the versions that were active and were not taken back, newest first; the active one among them."""
    kinds = RegistryEvent.objects.filter(version__fine_tuned_model=model, kind__in=(*_BEGINS, *_ENDS))
    last: dict[Any, str] = {}
    for version_id, kind in kinds.order_by("-created", "-pk").values_list("version", "kind"):
        last.setdefault(version_id, kind)
    good = [version_id for version_id, kind in last.items() if kind in _BEGINS]
    rows = ModelVersion.objects.select_related("language_model").in_bulk(good)
    return [rows[each] for each in good if rows[each].state != ModelVersion.State.RETIRED]


def settle(model: FineTunedModel) -> None:
    """Have the model's entry stand for the version that answers now. Safe to repeat."""
    with transaction.atomic():
        alias = LanguageModel.objects.select_for_update(of=("self",)).get(pk=model.language_model_id)
        versions = list(model.versions.select_related("language_model", "base").order_by("number"))
        target = _target(model, alias, versions)
        canary = next((v for v in versions if v.canary_share and can_answer(v)), None)
        wanted: Mapping[str, Any] = {
            "target_id": target.pk if target else None,
            "canary_id": canary.language_model_id if canary else None,
            "canary_share": canary.canary_share if canary else 0,
        }
        if any(getattr(alias, name) != value for name, value in wanted.items()):
            for name, value in wanted.items():
                setattr(alias, name, value)
            alias.save(update_fields=["target", "canary", "canary_share", "updated"])


def target_without(version: ModelVersion) -> LanguageModel | None:
    """Return the entry that would answer for the model if the version were retired; None: its fallback, or nobody."""
    model = version.fine_tuned_model
    others = list(model.versions.exclude(pk=version.pk).select_related("language_model", "base").order_by("number"))
    return _target(model, model.language_model, others)


def _target(model: FineTunedModel, alias: LanguageModel, versions: list[ModelVersion]) -> LanguageModel | None:
    active = next((v for v in versions if v.state == ModelVersion.State.ACTIVE), None)
    if active is None:
        return None
    if can_answer(active):
        return active.language_model
    others = {v.pk for v in versions if v.pk != active.pk}
    former = next((v for v in former_versions(model) if v.pk in others and can_answer(v)), None)
    if former is not None:
        return former.language_model
    # The fallback that a person chose comes before the base; the gateway takes it where nothing stands here.
    return None if alias.fallback_id else _base_entry(active)


def _base_entry(version: ModelVersion) -> LanguageModel | None:
    if version.base is None:
        return None
    served = ModelServer.objects.filter(base=version.base, language_model__enabled=True)
    found = served.select_related("language_model").first()
    return found.language_model if found else None
