"""Writes: sources, their settings, and the runs somebody or the schedule asks for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from knowledge.documents import doorbells
from knowledge.documents.leased import LeasedJob
from knowledge.documents.models import KnowledgeBase
from knowledge.documents.services import clean_label
from knowledge.errors import KnowledgeError, SourceMisconfigured
from knowledge.syncing import kinds, run_log, schedule
from knowledge.syncing.models import Source, SyncRun
from knowledge.syncing.secrets import seal, secrets_after
from knowledge.tenants.access import Actor, system_actor

LONGEST_NAME = 200
REMOVAL_AGAIN = timedelta(minutes=10)
"""After this long a removal that failed is tried again."""

SETTINGS = ("name", "options", "secrets", "interval", "at_hour", "enabled")
"""What can be changed of a source; its kind and knowledge base stay."""


class RunUnderWay(KnowledgeError):
    code = "run_under_way"
    status = 409
    default_message = "A run of this source is under way. Wait for its end, or cancel it."


def create_source(
    *, actor: Actor, base: KnowledgeBase, kind: str, name: str, options: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None, interval: int = 0, at_hour: int | None = None, enabled: bool = True,
) -> Source:  # fmt: skip
    """Store a source; nothing is read before its first run.

    :raises SourceMisconfigured: the settings or the schedule cannot be.
    """
    pk = uuid.uuid4()
    found = kinds.checked(kind, options, secrets=secrets or {}, source=pk)
    source = Source(
        pk=pk, tenant_id=base.tenant_id, knowledge_base=base, kind=kind, name=_named(name), options=found.options,
        sealed=seal(found.secrets, source=pk), enabled=enabled, created_by_id=actor.user_id or None,
    )  # fmt: skip
    _set_schedule(source, interval=interval, at_hour=at_hour)
    source.save(force_insert=True)
    return source


def update_source(*, source: Source, changes: Mapping[str, Any]) -> Source:
    """Change what is given of ``SETTINGS``. Secrets that are not named stay; an empty one is forgotten.

    :raises SourceMisconfigured: the settings or the schedule cannot be, or a kept secret would go to another server.
    """
    if "name" in changes:
        source.name = _named(changes["name"])
    if {"options", "secrets"} & changes.keys():
        options = changes.get("options", source.options)
        kept = secrets_after(source, options=options, given=changes.get("secrets") or {})
        found = kinds.checked(source.kind, options, secrets=kept, source=source.pk)
        source.options, source.sealed = found.options, seal(found.secrets, source=source.pk)
    source.enabled = changes.get("enabled", source.enabled)
    if {"interval", "at_hour", "enabled"} & changes.keys():
        _set_schedule(
            source, interval=changes.get("interval", source.interval), at_hour=changes.get("at_hour", source.at_hour)
        )
    source.save(update_fields=["name", "options", "sealed", "enabled", "interval", "at_hour", "next_run"])
    return source


def _set_schedule(source: Source, *, interval: int, at_hour: int | None) -> None:
    schedule.check(interval=interval, at_hour=at_hour)
    source.interval, source.at_hour = interval, at_hour
    planned = schedule.next_run(source=source.pk, interval=interval, at_hour=at_hour, after=timezone.now())
    source.next_run = planned if source.enabled else None


def _named(name: str) -> str:
    cleaned = clean_label(name, limit=LONGEST_NAME)
    if not cleaned:
        raise SourceMisconfigured("A source needs a name.")
    return cleaned


def start_run(
    *, source: Source, actor: Actor | None = None, kind: str = SyncRun.Kind.FULL, allow_withdrawals: bool = False
) -> SyncRun:  # fmt: skip
    """Queue a run; without an actor it is the schedule that asks.

    :raises RunUnderWay: one is queued or running.
    """
    now = timezone.now()
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                kind=kind, tenant_id=source.tenant_id, source=source, source_name=source.name, not_before=now,
                published=now, allow_withdrawals=allow_withdrawals, scheduled=actor is None,
                requested_by_id=(actor.user_id or None) if actor else None,
            )  # fmt: skip
            run_log.drop_old(source)
            transaction.on_commit(lambda: doorbells.ring(run))
    except IntegrityError as err:
        raise RunUnderWay from err
    return run


def cancel_run(*, run: SyncRun) -> None:
    """Stop a run; what it stored stays. A removal goes on: half of it would leave documents that nobody looks after."""
    if run.kind == SyncRun.Kind.REMOVE:
        raise RunUnderWay("The removal of a source cannot be stopped. It ends when its last document is withdrawn.")
    SyncRun.objects.filter(pk=run.pk).unfinished().update(
        state=LeasedJob.State.CANCELLED, finished=timezone.now(), lease_until=None
    )


@transaction.atomic
def delete_source(*, source: Source, actor: Actor, withdraw: bool) -> SyncRun | None:
    """Take the source away: its documents stay, or a run withdraws them one by one and is returned."""
    source.runs.unfinished().update(state=LeasedJob.State.CANCELLED, finished=timezone.now(), lease_until=None)
    if not withdraw:
        pk = source.pk
        source.delete()
        transaction.on_commit(lambda: kinds.forget_work(pk))
        return None
    Source.objects.filter(pk=source.pk).update(deleting=True, enabled=False, next_run=None)
    return start_run(source=source, actor=actor, kind=SyncRun.Kind.REMOVE)


def start_due() -> int:
    """Queue a run of every source whose time has come, and removals that failed; return how many were queued."""
    now, started = timezone.now(), 0
    due = Source.objects.filter(
        next_run__lte=now, enabled=True, deleting=False, knowledge_base__deleting=False, tenant__active=True
    )
    for source in due.order_by("next_run")[:200]:
        following = schedule.next_run(source=source.pk, interval=source.interval, at_hour=source.at_hour, after=now)
        # Whoever moves the moment starts the run: two clocks at once start one.
        if not Source.objects.filter(pk=source.pk, next_run=source.next_run).update(next_run=following):
            continue
        try:
            start_run(source=source)
            started += 1
        except RunUnderWay:
            continue
    return started + _resume_removals(now)


def _resume_removals(now: datetime) -> int:
    """Queue the removal of sources again whose last one failed: nobody can see such a source, or ask for it."""
    left = Source.objects.filter(deleting=True, knowledge_base__deleting=False)
    left = left.exclude(Exists(SyncRun.objects.unfinished().filter(source=OuterRef("pk"))))
    left = left.exclude(Exists(SyncRun.objects.filter(source=OuterRef("pk"), finished__gt=now - REMOVAL_AGAIN)))
    started = 0
    for source in left.select_related("tenant")[:200]:
        last = source.runs.filter(kind=SyncRun.Kind.REMOVE).order_by("-created").first()
        # In the name of whoever wanted it: the reports of the deletions say so.
        actor = replace(system_actor(source.tenant), user_id=(last.requested_by_id if last else None) or 0)
        with suppress(RunUnderWay):
            start_run(source=source, actor=actor, kind=SyncRun.Kind.REMOVE)
            started += 1
    return started
