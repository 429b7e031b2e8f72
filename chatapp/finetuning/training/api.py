"""HTTP API of training runs. Translates and calls one service each; editors see, administrators change."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status

from chatapp.finetuning.training import access, bases, services
from chatapp.finetuning.training.recipes import RecipeRefused
from chatapp.finetuning.training.schemas import BaseOut, RunDetail, RunIn, RunOut, RunPage
from chatapp.finetuning.training.tunable import access_tunable
from knowledge.documents import paging
from knowledge.documents.paging import PageSize
from knowledge.tenants.access import Actor

router = Router(tags=["training"])
base_models = Router(tags=["training"])


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    access.require_editor(actor)
    return actor


@router.get("", response=RunPage)
def list_runs(request: HttpRequest, cursor: str | None = None, limit: PageSize = 20) -> Any:
    rows = access.visible_runs(actor=_actor(request))
    found, following = paging.page(rows, field="created", cursor=cursor, limit=limit)
    return RunPage(items=[RunOut.of(run) for run in found], next_cursor=following)


@router.post("", response={202: RunOut})
def start_run(request: HttpRequest, data: RunIn) -> Any:
    """Start a run; the same once more while one is unfinished gives that one."""
    actor = _actor(request)
    access.require_administrator(actor)
    version = access.access_frozen_version(actor=actor, pk=data.dataset_version)
    if (data.base is None) == (data.language_model is None):
        raise RecipeRefused("Name either a base model, to train here, or a language model, to train at its provider.")
    if data.base is not None:
        base = bases.access_base(actor=actor, pk=data.base)
        run = services.start_run(actor=actor, version=version, base=base, recipe=data.recipe, name=data.name)
    else:
        run = services.start_hosted_run(
            actor=actor, version=version, model=access_tunable(actor=actor, pk=data.language_model),
            hosted_model=data.hosted_model, recipe=data.recipe, name=data.name, price=data.training_price,
        )  # fmt: skip
    return Status(202, RunOut.of(run))


@router.get("/{training_run_id}", response=RunDetail)
def get_run(request: HttpRequest, training_run_id: str) -> Any:
    return RunDetail.of(access.access_run(actor=_actor(request), pk=training_run_id))


@router.post("/{training_run_id}/cancel", response=RunOut)
def cancel_run(request: HttpRequest, training_run_id: str) -> Any:
    actor = _actor(request)
    run = access.access_run(actor=actor, pk=training_run_id)
    services.cancel_run(actor=actor, run=run)
    return RunOut.of(run)


@router.post("/{training_run_id}/resume", response={202: RunOut})
def resume_run(request: HttpRequest, training_run_id: str) -> Any:
    """Go on with a run that failed or was cancelled, from its last good checkpoint."""
    actor = _actor(request)
    run = access.access_run(actor=actor, pk=training_run_id)
    services.resume_run(actor=actor, run=run)
    return Status(202, RunOut.of(run))


@base_models.get("", response=list[BaseOut])
def list_bases(request: HttpRequest) -> Any:
    """List the models to train from; an operator adds them with ``manage.py add_base_model``."""
    return [BaseOut.of(base) for base in bases.visible_bases(actor=_actor(request)).order_by("name", "pk")]
