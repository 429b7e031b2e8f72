"""Queue, cancel and find builds: one at a time of a dataset, for all work on the same draft."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from chatapp.finetuning.datasets.access import require_editor
from chatapp.finetuning.datasets.build_models import BuildFile, DatasetBuild
from chatapp.finetuning.datasets.freshness import needs_check
from chatapp.finetuning.datasets.models import TrainingDataset
from chatapp.finetuning.datasets.versions import draft_of
from knowledge.documents import doorbells
from knowledge.documents.leased import LeasedJob
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["BuildRefused", "cancel_build", "check_after", "check_soon", "forget_work", "is_busy", "queue"]


class BuildRefused(KnowledgeError):
    code = "build_refused"
    status = 409
    default_message = "A build of this dataset is under way. Wait for its end, or cancel it."


def is_busy(dataset: TrainingDataset) -> bool:
    """Tell whether a build of a dataset waits or is under way."""
    return bool(dataset.builds.unfinished().exists())


@transaction.atomic
def queue(
    *, actor: Actor, dataset: TrainingDataset, kind: str, work: Sequence[Any] = (), total: int | None = None,
    options: dict[str, Any] | None = None, notes: Sequence[str] = (), file: tuple[str, bytes] | None = None,
) -> DatasetBuild:  # fmt: skip
    """Queue a build for the draft there is now, or the one that it opens; with the name and bytes of its file.

    A check gives way: every build ends with one.

    :raises NotAllowed: the actor may only read. :raises BuildRefused: another build is under way.
    """
    require_editor(actor)
    _cancel(dataset.builds.filter(kind=DatasetBuild.Kind.CHECK))
    draft, now = draft_of(dataset), timezone.now()
    try:
        with transaction.atomic():
            build = DatasetBuild.objects.create(
                kind=kind, tenant_id=dataset.tenant_id, dataset=dataset, requested_by_id=actor.user_id or None,
                options={"version": str(draft.pk) if draft else "", **(options or {})}, work=list(work),
                total=len(work) if total is None else total, notes=list(notes), not_before=now, published=now,
            )  # fmt: skip
    except IntegrityError as err:
        raise BuildRefused from err
    if file is not None:
        BuildFile.objects.create(build=build, name=file[0], data=file[1])
    transaction.on_commit(lambda: doorbells.ring(build))
    return build


@transaction.atomic
def check_soon(*, actor: Actor, dataset: TrainingDataset) -> None:
    """Have all rows of the draft checked, where there is one: by a build that has not begun or still adds rows, else by
    one for that alone."""
    open_build = dataset.builds.unfinished().select_for_update(of=("self",)).defer("work").first()
    waits = open_build is not None and open_build.state == LeasedJob.State.QUEUED
    adds = open_build is not None and open_build.kind != DatasetBuild.Kind.CHECK
    if not waits and not adds and draft_of(dataset) is not None:
        with suppress(BuildRefused):  # another one came first, and ends with a check too
            queue(actor=actor, dataset=dataset, kind=DatasetBuild.Kind.CHECK)


def check_after(build: DatasetBuild, *, actor: Actor) -> None:
    """Have rows checked that a build left unchecked: it ended before its end, or they came beside it."""
    failed_check = build.kind == DatasetBuild.Kind.CHECK and build.state != LeasedJob.State.DONE
    draft = draft_of(build.dataset)
    if draft is not None and not failed_check and needs_check(draft):
        check_soon(actor=actor, dataset=build.dataset)


def cancel_build(*, actor: Actor, build: DatasetBuild) -> None:
    """Stop a build; the rows it proposed stay, and are checked. :raises NotAllowed: the actor may only read."""
    require_editor(actor)
    with transaction.atomic():
        cancelled = _cancel(DatasetBuild.objects.filter(pk=build.pk))
    if cancelled:
        build.state = LeasedJob.State.CANCELLED
        check_after(build, actor=actor)


def _cancel(builds: Any) -> int:
    """Cancel the unfinished ones of some builds; return how many."""
    pks = list(builds.unfinished().values_list("pk", flat=True))
    cancelled = DatasetBuild.objects.filter(pk__in=pks).unfinished().update(
        state=LeasedJob.State.CANCELLED, finished=timezone.now(), lease_until=None
    )  # fmt: skip
    for pk in pks:
        forget_work(pk)
    return int(cancelled)


def forget_work(pk: UUID) -> None:
    """Let go of the questions and the file of a build that has ended: what was taken of them is in the rows alone."""
    DatasetBuild.objects.filter(pk=pk).update(work=[])
    BuildFile.objects.filter(build_id=pk).delete()
