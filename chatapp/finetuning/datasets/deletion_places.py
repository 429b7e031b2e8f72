"""Where training rows keep words of a document, and what becomes of them when it is deleted."""

from __future__ import annotations

from collections import Counter

from django.db.models import QuerySet

from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.models import (
    DatasetVersion,
    KeptOutQuestion,
    RowSource,
    TrainingDataset,
    TrainingRow,
)
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register

__all__ = ["register_all"]

NAMED = 3
"""Datasets named in a report."""

FROZEN = "Keys, sources and hash stay. Models that were trained on them cannot forget them."
RULE = f"Rows of drafts are removed, those of frozen versions lose their text. {FROZEN}"


def register_all() -> None:
    """Name the places of this package."""
    register(
        Place(key="training_rows", name="Training rows made from it", rule=Rule.GONE, count=_count, remove=_remove)
    )
    register(
        Place(key="training_builds", name="Work of training builds that names it", rule=Rule.GONE,
              count=_count_work, remove=_remove_work)
    )  # fmt: skip
    register(
        Place(key="kept_out_questions", name="Evaluation questions that it answers", rule=Rule.WORDLESS,
              count=_count_questions)
    )  # fmt: skip


def _rows(subject: Subject) -> QuerySet[TrainingRow]:
    """Return the rows that still have words: of prompts, which hold its passages, and of completions."""
    rows = TrainingRow.objects.filter(version__dataset__tenant_id=subject.tenant, erased=None)
    return rows.filter(sources__document_ref=subject.document).distinct()


def _count(subject: Subject) -> Found:
    """Count the rows with words of it, and name the datasets: before the deletion those that have some, afterwards
    those that lost them."""
    held = Counter(name for _, name in _rows(subject).values_list("pk", "version__dataset__name"))
    if held:
        return Found(count=held.total(), note=f"In {_named(held)}. {RULE}")
    frozen = TrainingRow.objects.filter(
        version__dataset__tenant_id=subject.tenant, erased__isnull=False, sources__document_ref=subject.document
    ).distinct()
    emptied = Counter(name for _, name in frozen.values_list("pk", "version__dataset__name"))
    drafts = DatasetVersion.objects.filter(dataset__tenant_id=subject.tenant, checks__removed__has_key=subject.document)
    removed = Counter({name: checks["removed"][subject.document] for name, checks in
                       drafts.values_list("dataset__name", "checks")})  # fmt: skip
    told = [f"Removed from the draft of {_named(removed)}."] if removed else []
    told += [f"Emptied in frozen versions of {_named(emptied)}. {FROZEN}"] if emptied else []
    return Found(count=0, note=" ".join(told))


def _named(counts: Counter[str]) -> str:
    names = ", ".join(
        f"“{name}” ({count} {'row' if count == 1 else 'rows'})" for name, count in counts.most_common(NAMED)
    )
    return f"{names} and {len(counts) - NAMED} more datasets" if len(counts) > NAMED else names


def _remove(subject: Subject) -> None:
    """Remove the rows of drafts and empty those of frozen versions; nobody copies a version meanwhile."""
    rows = _rows(subject)
    list(
        TrainingDataset.objects.filter(pk__in=rows.values("version__dataset"))
        .order_by("pk").select_for_update(of=("self",)).values_list("pk")
    )  # fmt: skip
    found = list(rows.values_list("pk", "version", "version__state"))
    drafts = [(pk, version) for pk, version, state in found if state == DatasetVersion.State.DRAFT]
    frozen = [pk for pk, _, state in found if state == DatasetVersion.State.FROZEN]
    TrainingRow.objects.filter(pk__in=[pk for pk, _ in drafts]).delete()
    TrainingRow.objects.filter(pk__in=frozen).erase()
    for version in DatasetVersion.objects.filter(pk__in={version for _, version in drafts}):
        removed = version.checks.get("removed") or {}
        count = sum(each == version.pk for _, each in drafts)
        version.checks["removed"] = {**removed, subject.document: removed.get(subject.document, 0) + count}
        version.save(update_fields=["checks"])
    # Its title too is words of it; ids and ranges stay.
    sources = RowSource.objects.filter(row__version__dataset__tenant_id=subject.tenant, document_ref=subject.document)
    sources.update(title="")


def _builds(subject: Subject) -> list[DatasetBuild]:
    rows = DatasetBuild.objects.filter(tenant_id=subject.tenant, kind=DatasetBuild.Kind.QUESTIONS)
    return [build for build in rows if any(item.get("document") == subject.document for item in build.work)]


def _count_work(subject: Subject) -> Found:
    """Count the builds of questions with answers in it: an answer may be its words."""
    return Found(count=len(_builds(subject)))


def _remove_work(subject: Subject) -> None:
    for build in _builds(subject):
        # In place: what is behind the build and what is before it stays so.
        work = [
            {**item, "question": "", "answer": "", "document": ""} if item.get("document") == subject.document else item
            for item in build.work
        ]
        DatasetBuild.objects.filter(pk=build.pk).update(work=work)


def _count_questions(subject: Subject) -> Found:
    count = KeptOutQuestion.objects.filter(tenant_id=subject.tenant, document_ref=subject.document).count()
    return Found(count=count, note="What people wrote, with the place of its words; no words." if count else "")
