"""HTTP API of model servers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from chatapp.finetuning.registry.access import require_editor
from chatapp.finetuning.serving import services
from chatapp.finetuning.serving.models import ModelServer
from knowledge.tenants.access import Actor

router = Router(tags=["model servers"])


class ServerIn(Schema):
    base: str = Field(description="Id of a base model.")
    kind: str = Field(default="own", pattern="^(own|vllm)$")
    address: str = Field(default="", max_length=200, description="Of vLLM: one of VLLM_ADDRESSES.")


class ServerOut(Schema):
    id: str
    kind: str
    base: str
    base_name: str
    wanted: bool
    state: str
    detail: str
    entry: str | None = Field(description="Slug of the base's entry of the catalogue.")
    loaded: list[str] = Field(description="Versions it has loaded.")
    load: dict[str, Any]
    seen: datetime | None

    @classmethod
    def of(cls, row: ModelServer) -> ServerOut:
        return cls(
            id=str(row.pk), kind=row.kind, base=str(row.base_id), base_name=row.base.name, wanted=row.wanted,
            state=row.state, detail=row.detail, entry=row.language_model.slug if row.language_model else None,
            loaded=row.loaded, load=row.load, seen=row.seen,
        )  # fmt: skip


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    require_editor(actor)
    return actor


@router.get("", response=list[ServerOut])
def list_servers(request: HttpRequest) -> Any:
    return [ServerOut.of(row) for row in services.visible_servers(_actor(request))]


@router.post("", response=ServerOut)
def start(request: HttpRequest, body: ServerIn) -> Any:
    """Want a server of a base model; it is started within seconds, and started again when it fails."""
    row = services.start_server(_actor(request), base=body.base, kind=body.kind, address=body.address)
    return ServerOut.of(row)


@router.post("/{server_id}/stop", response=ServerOut)
def stop(request: HttpRequest, server_id: str) -> Any:
    """Want a server no more."""
    return ServerOut.of(services.stop_server(_actor(request), server_id))
