"""Entries of the catalogue that come when a local model is served, and are switched off when it is not.

One without an address was switched off here, and is switched on again with its server; one that a person switched off
keeps its address, and stays off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.registering import free_slug, output_limit
from chatapp.finetuning.registry.standing import settle
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.serving.naming import base_name, version_name
from chatapp.language_models.keys import seal_keys
from chatapp.language_models.models import LanguageModel

__all__ = ["offer_base", "offer_version", "withdraw"]

Source = LanguageModel.Source
OFF: Mapping[str, Any] = {"enabled": False, "api_base": ""}
PROVIDERS = {ModelServer.Kind.OWN: "footnote", ModelServer.Kind.VLLM: "vllm"}


def offer_base(server: ModelServer, *, token: str) -> None:
    """Let the base model be called under its own entry; made the first time."""
    base = server.base
    entry = server.language_model or _new(base.tenant_id, slug=base_name(base), name=base.name, source=Source.SERVED)
    _reach(entry, server, model=base_name(base), token=token, window=base.context_window)
    if server.language_model_id is None:
        server.language_model = entry
        ModelServer.objects.filter(pk=server.pk).update(language_model=entry)


def offer_version(version: ModelVersion, server: ModelServer, *, token: str) -> None:
    """Let a version be called under its own entry; made the first time."""
    model, entry = version.fine_tuned_model, version.language_model
    if entry is None:
        name = f"{model.name[:180]}, version {version.number}"
        entry = _new(
            model.tenant_id, slug=f"{model.slug[:70]}-v{version.number}", name=name, source=Source.FINE_TUNED
        )  # fmt: skip
    _reach(entry, server, model=version_name(version), token=token, window=server.base.context_window)
    if version.language_model_id is None:
        version.language_model = entry
        ModelVersion.objects.filter(pk=version.pk).update(language_model=entry)
    settle(model)


def withdraw(server: ModelServer, *, keep: Iterable[UUID] = (), base: bool) -> None:
    """Switch off the entries of what the server does not serve: versions that are not in ``keep``, and the ``base``."""
    if base and server.language_model_id:
        LanguageModel.objects.filter(pk=server.language_model_id, enabled=True).update(**OFF)
    gone = ModelVersion.objects.filter(base=server.base_id, language_model__enabled=True).exclude(pk__in=list(keep))
    # One that another server of the same base serves is that one's to switch off.
    gone = gone.filter(language_model__api_base__in=["", f"{server.address}/v1"])
    models = set(gone.values_list("fine_tuned_model", flat=True))
    LanguageModel.objects.filter(pk__in=list(gone.values_list("language_model", flat=True))).update(**OFF)
    for model in FineTunedModel.objects.filter(pk__in=models if not base else _of_base(server)):
        settle(model)


def _of_base(server: ModelServer) -> set[UUID]:
    return set(ModelVersion.objects.filter(base=server.base_id).values_list("fine_tuned_model", flat=True))


def _new(tenant_id: UUID | None, *, slug: str, name: str, source: str) -> LanguageModel:
    return LanguageModel(tenant_id=tenant_id, slug=free_slug(tenant_id, slug[:76]), name=name[:200], source=source)


@transaction.atomic
def _reach(entry: LanguageModel, server: ModelServer, *, model: str, token: str, window: int) -> None:
    """Set how an entry is reached. Limits, prices and the switch that people set stay."""
    wanted: dict[str, Any] = {
        "provider": PROVIDERS[ModelServer.Kind(server.kind)], "model": f"hosted_vllm/{model}",
        "api_base": f"{server.address}/v1", "enabled": entry.enabled or not entry.api_base,
    }  # fmt: skip
    if entry._state.adding:
        wanted |= {"context_window": window, "max_output_tokens": output_limit(window)}
    for name, value in wanted.items():
        setattr(entry, name, value)
    seal_keys(entry, {"api_key": token} if token else {})
    entry.save()
