"""Asking for the evaluation of a version; a worker does it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from chatapp.finetuning.registry.access import access_version, require_administrator
from chatapp.finetuning.registry.errors import RegistryRefused
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.registry.standing import is_stopped
from knowledge.tenants.access import Actor

__all__ = ["is_running", "request_check"]

logger = logging.getLogger(__name__)

NO_QUEUE = "The queue of tasks did not answer. Try again in a moment."
GIVES_UP = timedelta(hours=1)
"""An evaluation that has not ended after this long was cut off, and may be asked for again."""


def request_check(actor: Actor, pk: object) -> ModelVersion:
    """Queue the evaluation of a version; one that runs already is left to run.

    :raises RegistryRefused: the version is retired or stopped, or nothing serves it.
    """
    require_administrator(actor)
    version = access_version(actor, pk)
    if version.state == ModelVersion.State.RETIRED or is_stopped(version):
        raise RegistryRefused("A version that is retired or stopped is not evaluated.")
    if version.language_model is None or not version.language_model.enabled:
        raise RegistryRefused("No server has loaded this version. Start a server of its base model first.")
    if is_running(version.gate):
        return version
    version.gate = {"verdict": "running", "started": timezone.now().isoformat()}
    version.save(update_fields=["gate"])
    transaction.on_commit(lambda: _send(version))
    return version


def _send(version: ModelVersion) -> None:
    from chatapp.finetuning.registry.tasks import check_version

    try:
        check_version.delay(version_id=str(version.pk))
    except OperationalError:
        logger.warning("The evaluation of %s could not be queued", version.pk)
        gate = {"verdict": "could_not_run", "sentences": [NO_QUEUE]}
        ModelVersion.objects.filter(pk=version.pk).update(gate=gate)


def is_running(gate: dict[str, Any]) -> bool:
    started = gate.get("started")
    return gate.get("verdict") == "running" and bool(
        started and datetime.fromisoformat(started) > timezone.now() - GIVES_UP
    )
