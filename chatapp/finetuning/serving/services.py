"""What people want of model servers; the host brings it about."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db.models import Q, QuerySet

from chatapp.finetuning.registry.access import require_administrator
from chatapp.finetuning.serving.errors import ServerNotFound, ServingRefused
from chatapp.finetuning.serving.extra import extra_installed
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.training.models import BaseModel
from knowledge.documents.access import as_uuid
from knowledge.tenants.access import Actor
from knowledge.tenants.models import Membership

__all__ = ["access_server", "start_server", "stop_server", "visible_bases", "visible_servers", "vllm_addresses"]

Kind = ModelServer.Kind
NO_EXTRA = "Fine-tuning needs the extra `train`: run `make run TRAIN=1`."
NO_ADDRESS = "The operator has not named that address in VLLM_ADDRESSES."
SHARED = (
    "This base model is shared with other organisations. Only an operator of this installation may stop its server."
)


def visible_bases(actor: Actor) -> QuerySet[BaseModel]:
    return BaseModel.objects.filter(Q(tenant=actor.tenant_id) | Q(tenant=None)).order_by("name", "pk")


def visible_servers(actor: Actor) -> QuerySet[ModelServer]:
    """Return servers of the tenant's base models and of shared ones; none for those who only read."""
    rows = ModelServer.objects.filter(base__in=visible_bases(actor)).select_related("base", "language_model")
    return rows.order_by("base__name", "kind") if actor.can_edit else rows.none()


def access_server(actor: Actor, pk: object) -> ModelServer:
    """:raises ServerNotFound: it is not there for this actor."""
    parsed = as_uuid(pk)
    found = visible_servers(actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise ServerNotFound
    return found


def vllm_addresses() -> Sequence[str]:
    """Return the addresses where an operator runs vLLM; nobody else may name one, for it gets a key."""
    return [str(address).rstrip("/").removesuffix("/v1") for address in settings.VLLM_ADDRESSES]


def start_server(actor: Actor, *, base: object, kind: str = Kind.OWN, address: str = "") -> ModelServer:
    """Want a server of a base model.

    :raises ServerNotFound: no such base model. :raises ServingRefused: it cannot be had here; in words.
    """
    require_administrator(actor)
    parsed = as_uuid(base)
    row = visible_bases(actor).filter(pk=parsed).first() if parsed else None
    if row is None:
        raise ServerNotFound("No such base model.")
    if kind == Kind.VLLM:
        if address.rstrip("/").removesuffix("/v1") not in vllm_addresses():
            raise ServingRefused(NO_ADDRESS)
    elif not extra_installed():
        raise ServingRefused(NO_EXTRA)
    wanted = {"wanted": True, "detail": ""}
    if kind == Kind.VLLM:
        wanted["address"] = address.rstrip("/").removesuffix("/v1")
    server, _ = ModelServer.objects.update_or_create(base=row, kind=Kind(kind), defaults=wanted)
    return server


def stop_server(actor: Actor, pk: object) -> ModelServer:
    """Want a server no more.

    :raises ServingRefused: it serves other organisations too.
    """
    require_administrator(actor)
    server = access_server(actor, pk)
    if server.base.tenant_id is None and _others(actor):
        raise ServingRefused(SHARED)
    server.wanted = False
    server.save(update_fields=["wanted"])
    return server


def _others(actor: Actor) -> bool:
    """Whether a shared server may be somebody else's, and the actor is no operator."""
    from django.contrib.auth import get_user_model

    if actor.user_id == 0 or get_user_model().objects.filter(pk=actor.user_id, is_staff=True).exists():
        return False
    return Membership.objects.exclude(tenant_id=actor.tenant_id).exists()
