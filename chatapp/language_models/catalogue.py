"""The catalogue: adding, changing and removing entries.

An entry is a tenant's own, or shared with every organisation; only operators make and change shared ones. Keys are
sealed, never shown again, and belong to the address they were entered for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.apps import apps
from django.db import transaction
from django.db.models import ProtectedError, Q
from django.utils.text import slugify

from chatapp.language_models.access import ADMINISTRATORS_CHANGE, access_model, is_operator, require_change
from chatapp.language_models.errors import ModelInUse, ModelMisconfigured, ModelNotFound
from chatapp.language_models.fields import (
    cleaned_limits,
    cleaned_model,
    cleaned_name,
    cleaned_options,
    cleaned_secrets,
    cleaned_settings,
)
from chatapp.language_models.keys import keys_of, seal_keys
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.providers import Provider, provider_of
from knowledge.errors import NotAllowed, SecretsUnreadable
from knowledge.llm import ModelSettings, limits_of
from knowledge.tenants.access import Actor

__all__ = [
    "add_model",
    "assistants_of",
    "assistants_using",
    "edit_model",
    "editable",
    "names_of",
    "provider_settings",
    "refuse_in_use",
    "remove_model",
]

Source = LanguageModel.Source

CONNECTION: Final = frozenset({"model", "settings", "secrets", "options"})
ALWAYS: Final = frozenset({"enabled", "max_parallel", "price_prompt", "price_completion", "fallback"})
LIMITS: Final = frozenset({"name", "context_window", "max_output_tokens", "native_citations"})
EDITABLE: Final[Mapping[str, frozenset[str]]] = {
    Source.ADDED: ALWAYS | LIMITS | CONNECTION,
    Source.SERVED: ALWAYS | LIMITS,
    Source.FINE_TUNED: ALWAYS | LIMITS,
    # The environment says the rest, at every start.
    Source.ENVIRONMENT: ALWAYS,
    Source.BUILT_IN: ALWAYS,
}
OF_THE_ENVIRONMENT: Final = ("environment", "extractive")
"""Short names of the entries that each start brings in line with the environment."""

DEFAULT_WINDOW: Final = 8192
DEFAULT_OUTPUT: Final = 1024
LONG_OUTPUT: Final = 4096


def editable(model: LanguageModel) -> frozenset[str]:
    """Which fields of an entry may be changed here, by where it comes from."""
    return EDITABLE[model.source]


def provider_settings(model: LanguageModel) -> dict[str, str]:
    """Return what the provider is told of an entry beside its secrets."""
    provider = provider_of(model.provider)
    names = {setting.name for setting in provider.settings} if provider else set()
    kept = {name: value for name, value in model.options.items() if name in names}
    return {**kept, **({"api_base": model.api_base} if model.api_base else {})}


@transaction.atomic
def add_model(actor: Actor, fields: Mapping[str, Any]) -> LanguageModel:
    """Store a new entry. ``fields``: provider, name, model, settings, secrets, options, limits, prices, fallback,
    enabled, native_citations, shared.

    :raises NotAllowed: the actor may not. :raises ModelMisconfigured: a field is missing or cannot be.
    """
    shared = bool(fields.get("shared"))
    if not actor.can_administer or (shared and not is_operator(actor)):
        raise NotAllowed(ADMINISTRATORS_CHANGE)
    provider = provider_of(str(fields.get("provider") or ""))
    if provider is None:
        raise ModelMisconfigured("Choose a provider.", field="provider")
    row = LanguageModel(
        tenant_id=None if shared else actor.tenant_id, provider=provider.slug, source=Source.ADDED
    )  # fmt: skip
    given = {name: value for name, value in fields.items() if name not in ("provider", "shared")}
    _connect(row, provider, {"model": "", "settings": {}, "secrets": {}, "options": {}, **given})
    _describe(row, actor, {"name": "", "context_window": "", "max_output_tokens": "", **given})
    row.slug = _free_slug(row)
    row.save()
    return row


@transaction.atomic
def edit_model(actor: Actor, model: LanguageModel, changes: Mapping[str, Any]) -> LanguageModel:
    """Change what is given. Secrets that are not named stay, an empty one is forgotten; all go with their address.

    :raises NotAllowed: the actor may not. :raises ModelMisconfigured: a field cannot be, or not be changed here.
    """
    require_change(actor, model)
    row = LanguageModel.objects.select_for_update(of=("self",)).get(pk=model.pk)
    for name in changes.keys() - editable(row):
        raise ModelMisconfigured(f"“{name}” of this model is not changed here.", field=name)
    if changes.keys() & CONNECTION:
        provider = provider_of(row.provider)
        if provider is None:
            raise ModelMisconfigured("The provider of this model is not known any more. Add it anew.")
        _connect(row, provider, changes)
    _describe(row, actor, changes)
    row.save()
    return row


@transaction.atomic
def remove_model(actor: Actor, model: LanguageModel) -> None:
    """Delete an entry that a person added.

    :raises NotAllowed: the actor may not. :raises ModelInUse: something needs it, or it was not added by a person.
    """
    require_change(actor, model)
    if model.source != Source.ADDED:
        raise ModelInUse("Only models that were added here can be deleted here. Switch it off instead.")
    refuse_in_use(actor, model)
    stands_for = LanguageModel.objects.filter(Q(target=model) | Q(canary=model)).first()
    if stands_for is not None:
        raise ModelInUse(f"“{stands_for.name}” stands for it. Choose another version there first.")
    try:
        model.delete()
    except ProtectedError as err:
        raise ModelInUse("Training or evaluation still needs it. Switch it off instead.") from err


def refuse_in_use(actor: Actor, model: LanguageModel) -> None:
    """:raises ModelInUse: assistants answer with it; their names are said, those of other organisations counted."""
    if users := assistants_using(model):
        raise ModelInUse(f"It answers for {names_of(actor, users)}. Give those assistants another model first.")


def names_of(actor: Actor, assistants: Sequence[Any]) -> str:
    """Return the names of those of the actor's organisation, at most ten, and how many others have."""
    ours = [str(each.name) for each in assistants if each.tenant_id == actor.tenant_id]
    more = len(assistants) - len(ours)
    named = ", ".join(f"“{name}”" for name in ours[:10]) + (f" and {more} of other organisations" if more else "")
    return named.removeprefix(" and ")


def assistants_using(model: LanguageModel) -> list[Any]:
    """Return the assistants that a model answers for, by name. They live in an upper package."""
    assistants = apps.get_model("conversations", "Assistant")
    return list(assistants.objects.filter(language_model=model).order_by("name"))


def assistants_of(actor: Actor) -> dict[int, list[str]]:
    """Return the names of the organisation's assistants by the entry that answers for them."""
    rows = apps.get_model("conversations", "Assistant").objects.filter(tenant_id=actor.tenant_id)
    found: dict[int, list[str]] = {}
    for model, name in rows.exclude(language_model=None).order_by("name").values_list("language_model_id", "name"):
        found.setdefault(model, []).append(name)
    return found


def _connect(row: LanguageModel, provider: Provider, given: Mapping[str, Any]) -> None:
    """Set model, address, options and keys; what is not given stays."""
    shared = row.tenant_id is None
    if "model" in given:
        row.model = cleaned_model(given["model"], provider=provider)
    told = cleaned_settings(given.get("settings", provider_settings(row)), provider=provider, shared=shared)
    address = told.pop("api_base", "")
    moved = bool(row.pk) and address != row.api_base
    kept = {} if moved else _kept_keys(row)
    names = {setting.name for setting in provider.settings}
    options = {name: value for name, value in row.options.items() if name not in names}
    if "options" in given:
        options = cleaned_options(given["options"], provider=provider)
    entered = given.get("secrets") or {}
    if moved and row.sealed and not any(entered.values()) and provider.needs_key:
        raise ModelMisconfigured(
            "The address changed, and keys stay with theirs: enter the key again.", field="api_base"
        )
    secrets = cleaned_secrets({**kept, **entered}, provider=provider, may_be_ambient=shared and provider.ambient)
    row.api_base, row.options = address, {**told, **options}
    seal_keys(row, secrets)


def _kept_keys(row: LanguageModel) -> dict[str, str]:
    try:
        return keys_of(row)
    except SecretsUnreadable:  # they can only be entered again
        return {}


def _describe(row: LanguageModel, actor: Actor, given: Mapping[str, Any]) -> None:
    if "name" in given:
        row.name = cleaned_name(given["name"] or row.model.partition("/")[2])
    for name, value in cleaned_limits(_filled(row, given)).items():
        setattr(row, name, value)
    if row.max_output_tokens >= row.context_window:
        raise ModelMisconfigured("The longest answer must be shorter than the context window.", field="context_window")
    for name in ("enabled", "native_citations"):
        if name in given:
            setattr(row, name, bool(given[name]))
    if "fallback" in given:
        row.fallback = _fallback(row, actor, given["fallback"])


def _filled(row: LanguageModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, with limits that were left empty as LiteLLM's list has them."""
    empty = [name for name in ("context_window", "max_output_tokens") if given.get(name, 0) in (None, "")]
    if not empty:
        return dict(given)
    listed = limits_of(ModelSettings(model=row.model, api_base=row.api_base or None))
    window = listed.context_window if listed else DEFAULT_WINDOW
    # Room for an answer is taken from what sources may fill, so no more than one needs.
    output = min(listed.max_output_tokens or LONG_OUTPUT, LONG_OUTPUT, window // 2) if listed else DEFAULT_OUTPUT
    usual = {"context_window": window, "max_output_tokens": output}
    return {**given, **{name: usual[name] for name in empty}}


def _fallback(row: LanguageModel, actor: Actor, pk: object) -> LanguageModel | None:
    """:raises ModelMisconfigured: it cannot stand in for this one."""
    if pk in (None, ""):
        return None
    try:
        found = access_model(actor, pk)
    except ModelNotFound as err:
        raise ModelMisconfigured("There is no such model to fall back to.", field="fallback") from err
    if row.tenant_id is None and found.tenant_id is not None:
        raise ModelMisconfigured("A shared model can only fall back to a shared one.", field="fallback")
    seen: list[LanguageModel] = [found]
    while seen:
        each = seen.pop()
        if row.pk and each.pk == row.pk:
            words = "A model can’t fall back to itself." if found.pk == row.pk else (
                f"“{found.name}” falls back to this model already, so neither would end."
            )  # fmt: skip
            raise ModelMisconfigured(words, field="fallback")
        seen += [after for after in (each.fallback, each.target, each.canary) if after is not None]
    return found


def _free_slug(row: LanguageModel) -> str:
    stem = slugify(row.name)[:70] or "model"
    # One that is shared meets the names of every organisation.
    rows = LanguageModel.objects.all() if row.tenant_id is None else LanguageModel.objects.of_tenant(row.tenant_id)
    taken = {*rows.filter(slug__startswith=stem).values_list("slug", flat=True), *OF_THE_ENVIRONMENT}
    if stem not in taken:
        return stem
    return next(name for number in range(2, len(taken) + 3) if (name := f"{stem}-{number}") not in taken)
