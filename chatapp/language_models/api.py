"""HTTP API of the catalogue. Everybody may list models; those who administer change them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status

from chatapp.language_models.access import access_model, sees_connection, visible_models
from chatapp.language_models.catalogue import add_model, edit_model, remove_model
from chatapp.language_models.presentation import detail_of
from chatapp.language_models.schemas import ModelDetail, ModelIn, ModelList, ModelOut, ModelPatch
from chatapp.language_models.testing import try_model
from knowledge.tenants.access import Actor

models = Router(tags=["models"])


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


@models.get("", response=ModelList)
def list_models(request: HttpRequest) -> Any:
    rows = visible_models(_actor(request)).order_by("name", "pk")
    return ModelList(items=[ModelOut.of(row) for row in rows], next_cursor=None)


@models.post("", response={201: ModelDetail})
def create_model(request: HttpRequest, data: ModelIn) -> Any:
    fields = {**data.given(), "provider": data.provider, "shared": data.shared}
    return Status(201, ModelDetail.seen(add_model(_actor(request), fields), shows_connection=True))


@models.get("/{model_id}", response=ModelDetail)
def get_model(request: HttpRequest, model_id: str) -> Any:
    actor = _actor(request)
    row = access_model(actor, model_id)
    return ModelDetail.seen(row, shows_connection=sees_connection(actor, row))


@models.patch("/{model_id}", response=ModelDetail)
def change_model(request: HttpRequest, model_id: str, data: ModelPatch) -> Any:
    actor = _actor(request)
    row = edit_model(actor, access_model(actor, model_id), data.given())
    return ModelDetail.seen(row, shows_connection=sees_connection(actor, row))


@models.delete("/{model_id}", response={204: None})
def delete_model(request: HttpRequest, model_id: str) -> Any:
    """Delete a model that was added here and that no assistant uses."""
    actor = _actor(request)
    remove_model(actor, access_model(actor, model_id))
    return Status(204, None)


@models.post("/{model_id}/test", response=dict[str, Any])
def test_model(request: HttpRequest, model_id: str) -> dict[str, Any]:
    """Try a model now: whether it answers and streams, writes JSON and cites. Takes up to two minutes."""
    actor = _actor(request)
    return detail_of(try_model(actor, access_model(actor, model_id)))
