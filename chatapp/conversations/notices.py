"""Carries document changes from the knowledge package to the notices socket."""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.dispatch import receiver
from redis.exceptions import RedisError

from knowledge.documents.signals import document_changed

logger = logging.getLogger(__name__)


def group_of(tenant_id: str) -> str:
    return f"tenant.{tenant_id}"


@receiver(document_changed)
def forward(*, tenant_id: str, payload: dict[str, Any], **_: object) -> None:
    """Send the notice; the rows say the same, so a broker that is away costs nothing but liveliness."""
    layer = get_channel_layer()
    try:
        async_to_sync(layer.group_send)(group_of(tenant_id), {"type": "notice", "payload": payload})
    except (RedisError, OSError):
        logger.warning("A notice could not be sent: the broker is away")
