"""Where training rows keep words of a document, and what becomes of them when it is deleted."""

from __future__ import annotations

from collections import Counter

from django.db.models import QuerySet

from chatapp.finetuning.datasets.models import (
    DatasetBuild,
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
    names = Counter(_rows(subject).values_list("version__dataset__name", flat=True))
    frozen = _rows(subject).filter(version__state=DatasetVersion.State.FROZEN).count()
    told = ", ".join(f"“{name}” ({count})" for name, count in names.most_common(NAMED))
    more = f" and {len(names) - NAMED} more datasets" if len(names) > NAMED else ""
    note = (
        f"In {told}{more}. Rows of drafts are removed; the {frozen} of frozen versions lose their text and keep key, "
        "sources and hash. Models that were trained on them cannot forget them."
    )
    return Found(count=names.total(), note=note if names else "")


def _remove(subject: Subject) -> None:
    """Remove the rows of drafts and empty those of frozen versions; nobody copies a version meanwhile."""
    rows = _rows(subject)
    list(
        TrainingDataset.objects.filter(pk__in=rows.values("version__dataset"))
        .order_by("pk").select_for_update(of=("self",)).values_list("pk")
    )  # fmt: skip
    found = list(rows.values_list("pk", "version__state"))
    drafts = [pk for pk, state in found if state == DatasetVersion.State.DRAFT]
    frozen = [pk for pk, state in found if state == DatasetVersion.State.FROZEN]
    TrainingRow.objects.filter(pk__in=drafts).delete()
    TrainingRow.objects.filter(pk__in=frozen).erase()
    # Its title too is words of it; ids and ranges stay.
    RowSource.objects.filter(row__version__dataset__tenant_id=subject.tenant, document_ref=subject.document).update(
        title=""
    )


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
