"""Writes: runs are started, cancelled and gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from chatapp.finetuning.datasets.models import DatasetVersion, TrainingRow
from chatapp.finetuning.training import estimate, extra, hosted_start
from chatapp.finetuning.training.access import require_administrator
from chatapp.finetuning.training.models import BaseModel, TrainingRun
from chatapp.finetuning.training.recipes import Recipe, recipe_from
from chatapp.language_models.budgets import ensure_within
from chatapp.language_models.models import LanguageModel
from knowledge.documents import doorbells
from knowledge.documents.services import clean_label
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["RunRefused", "cancel_run", "resume_run", "rows_in", "start_hosted_run", "start_run"]


class RunRefused(KnowledgeError):
    code = "run_refused"
    status = 409
    default_message = "That cannot be done with this run."


NOTHING_APPROVED = "This version has no approved rows to train on. Approve some in a new version, and freeze it."
SAME_UNDER_WAY = "A run of the same data, base model and recipe is under way. Wait for its end, or cancel it."


def rows_in(version: DatasetVersion) -> int:
    """Return how many rows would be learned from."""
    approved = version.rows.filter(state=TrainingRow.State.APPROVED)
    return approved.filter(split=TrainingRow.Split.TRAIN).count()


def start_run(
    *, actor: Actor, version: DatasetVersion, base: BaseModel, recipe: Mapping[str, Any], name: str = ""
) -> TrainingRun:
    """Queue a run on this installation. The same data, base and recipe while one is unfinished: that one is returned.

    :raises NotAllowed: the actor is no administrator. :raises RecipeRefused: the recipe makes no sense.
    :raises ExtraMissing: this installation cannot train. :raises RunRefused: there is nothing to train on.
    """
    require_administrator(actor)
    if not extra.installed():
        raise extra.ExtraMissing
    rows = _checked(version)
    made = recipe_from(recipe, window=base.context_window, rows=rows)
    reckoned = estimate.of_local(base=base, recipe=made, version=version)
    return _queued(
        actor, version, {"base": base, "trainer": TrainingRun.Trainer.LOCAL, "method": made.method},
        recipe=made.as_json(), name=name or f"{version.dataset.name} on {base.name}", estimate=reckoned.as_json(),
        key=str(base.pk), max_steps=made.steps(rows),
    )  # fmt: skip


def start_hosted_run(
    *, actor: Actor, version: DatasetVersion, model: LanguageModel, hosted_model: str, recipe: Mapping[str, Any],
    name: str = "", price: Any = None,
) -> TrainingRun:  # fmt: skip
    """Queue a run of a provider: ``model`` is the entry of the catalogue with its address and key, ``hosted_model``
    what the provider trains from, ``price`` what it asks for training, in US dollars a million tokens, where the actor
    knows it. The same while one is unfinished: that one is returned.

    :raises NotAllowed: the actor is no administrator. :raises RunRefused: the provider cannot, or there are no rows.
    :raises RecipeRefused: a setting or the price makes no sense.
    :raises BudgetExhausted: the actor, their key or the organisation has too little left to spend.
    """
    require_administrator(actor)
    ensure_within(actor)
    _checked(version)
    made = hosted_start.settings_of(model, hosted_model=hosted_model, given=recipe, price=price)
    reckoned = estimate.of_hosted(model=model, version=version, epochs=made.recipe.get("epochs"), said=made.price)
    ensure_within(actor, dollars=reckoned.dollars or 0)
    fields = {
        "trainer": TrainingRun.Trainer.HOSTED, "method": TrainingRun.Method.FULL, "hosted_model": made.model,
        "hosted": {"entry": str(model.pk), "provider": made.provider, "training_price": made.price},
    }  # fmt: skip
    return _queued(
        actor, version, fields, recipe=made.recipe, name=name or f"{version.dataset.name} on {made.model}",
        estimate=reckoned.as_json(), key=f"{model.pk}/{made.model}", max_steps=0,
    )  # fmt: skip


def _checked(version: DatasetVersion) -> int:
    """Return the rows to train on.

    :raises RunRefused: there are none, or the version may still change.
    """
    if version.state != DatasetVersion.State.FROZEN or not version.content_hash:
        raise RunRefused("This version of the data may still change. Freeze it first.")
    rows = rows_in(version)
    if not rows:
        raise RunRefused(NOTHING_APPROVED)
    return rows


def _queued(
    actor: Actor, version: DatasetVersion, fields: dict[str, Any], *, recipe: dict[str, Any], name: str,
    estimate: dict[str, Any], key: str, max_steps: int,
) -> TrainingRun:  # fmt: skip
    now = timezone.now()
    start_key = _start_key(version, key, recipe)
    try:
        with transaction.atomic():
            run: TrainingRun = TrainingRun.objects.create(
                tenant_id=actor.tenant_id, name=clean_label(name, limit=200), dataset_version=version, recipe=recipe,
                estimate=estimate, max_steps=max_steps, start_key=start_key, not_before=now, published=now,
                created_by_id=actor.user_id or None, **fields,
            )  # fmt: skip
            transaction.on_commit(lambda: doorbells.ring(run))
    except IntegrityError:
        same: TrainingRun | None = (
            TrainingRun.objects.unfinished().filter(tenant_id=actor.tenant_id, start_key=start_key).first()
        )
        if same is None:
            raise
        return same  # started twice: it is one run
    return run


def _start_key(version: DatasetVersion, key: str, recipe: dict[str, Any]) -> str:
    told = json.dumps([str(version.pk), key, recipe], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def cancel_run(*, actor: Actor, run: TrainingRun) -> None:
    """Stop a run: at once while it waits, else after its step. What it saved stays.

    :raises NotAllowed: the actor is no administrator.
    """
    require_administrator(actor)
    state = TrainingRun.State
    TrainingRun.objects.unfinished().filter(pk=run.pk).update(cancel_requested=True)
    if run.trainer == TrainingRun.Trainer.LOCAL:
        waiting = TrainingRun.objects.filter(pk=run.pk, state=state.QUEUED)
        waiting.update(state=state.CANCELLED, finished=timezone.now(), lease_until=None)
    else:  # the provider must be told
        TrainingRun.objects.filter(pk=run.pk, state=state.QUEUED).update(not_before=timezone.now())
        run.refresh_from_db()
        doorbells.ring(run)
    run.refresh_from_db()


def resume_run(*, actor: Actor, run: TrainingRun) -> None:
    """Go on with a run that failed or was cancelled, from its last good checkpoint or from the start.

    :raises NotAllowed: the actor is no administrator. :raises RunRefused: it did not end like that, or runs again.
    """
    require_administrator(actor)
    state, now = TrainingRun.State, timezone.now()
    try:
        with transaction.atomic():
            changed = TrainingRun.objects.filter(pk=run.pk, state__in=[state.FAILED, state.CANCELLED]).update(
                state=state.QUEUED, attempts=0, not_before=now, published=now, cancel_requested=False, last_error="",
                finished=None, lease_until=None,
            )  # fmt: skip
    except IntegrityError as error:
        raise RunRefused(SAME_UNDER_WAY) from error
    if not changed:
        raise RunRefused("Only a run that failed or was cancelled can be gone on with.")
    run.refresh_from_db()
    doorbells.ring(run)


def recipe_of(run: TrainingRun) -> Recipe | None:
    """Return the recipe of a local run."""
    return Recipe(**run.recipe) if run.trainer == TrainingRun.Trainer.LOCAL else None
