"""What the page says of base models and their servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from chatapp.finetuning.artifacts import BadArtifact, adapter_config
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.serving import services
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.serving.naming import is_adapter, vllm_command
from chatapp.finetuning.serving.process import log_of
from chatapp.finetuning.training.models import BaseModel
from knowledge.tenants.access import Actor

__all__ = ["BaseCard", "ServerLine", "cards_of"]

State = ModelServer.State
TONES = {State.READY: "good", State.FAILED: "bad", State.STARTING: "warn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLine:
    """A server as the page shows it."""

    row: ModelServer
    state: str
    tone: str
    loaded: Sequence[str]
    running: int
    waiting: int
    speed: float | None
    memory: int | None  # bytes
    device: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCard:
    base: BaseModel
    servers: Sequence[ServerLine]
    has_own: bool  # a server of ours is wanted
    has_vllm: bool
    command: str


def cards_of(actor: Actor) -> list[BaseCard]:
    """Return the base models that the actor may see, each with its servers."""
    rows = list(services.visible_servers(actor))
    own = ModelVersion.objects.filter(fine_tuned_model__tenant_id=actor.tenant_id).exclude(path="")
    versions = {str(each.pk): each for each in own.select_related("fine_tuned_model")}
    cards = []
    for base in services.visible_bases(actor) if actor.can_edit else []:
        servers = [row for row in rows if row.base_id == base.pk]
        lines = [_line(row, versions, shows_log=actor.can_administer) for row in servers]
        cards.append(
            BaseCard(
                base=base, servers=lines, command=_command(base, list(versions.values())),
                has_own=any(row.wanted and row.kind == ModelServer.Kind.OWN for row in servers),
                has_vllm=any(row.wanted and row.kind == ModelServer.Kind.VLLM for row in servers),
            )
        )  # fmt: skip
    return cards


def _line(row: ModelServer, versions: dict[str, ModelVersion], *, shows_log: bool) -> ServerLine:
    load: dict[str, Any] = row.load
    memory = load.get("memory") or {}
    state = State(row.state).label
    if row.wanted and row.state == State.STOPPED:
        state = "Waits to be started"
    elif not row.wanted and row.state != State.STOPPED:
        state = "Is being stopped"
    names = [versions[each] for each in row.loaded if each in versions]  # those of other organisations stay unnamed
    return ServerLine(
        row=row, state=state, tone=TONES.get(State(row.state), ""),
        loaded=[f"{each.fine_tuned_model.name}, version {each.number}" for each in names],
        running=int(load.get("running", 0)), waiting=int(load.get("waiting", 0)),
        speed=load.get("tokens_per_second"), memory=memory.get("gpu") or memory.get("process"),
        device=str(memory.get("gpu_name") or load.get("device", "")),
        log=log_of(row) if shows_log and row.kind == ModelServer.Kind.OWN and row.base.tenant_id else "",
    )  # fmt: skip


def _command(base: BaseModel, versions: Sequence[ModelVersion]) -> str:
    """The command of a vLLM for this base, with room for the largest rank that versions on it have."""
    ranks = [16]
    for each in versions:
        if each.base_id == base.pk and is_adapter(each):
            try:
                ranks.append(int(adapter_config(Path(each.path)).get("r", 0)))
            except BadArtifact:
                continue
    return vllm_command(base, path=str(Path(settings.MODELS_DIR) / base.path), rank=max(ranks))
