"""Where training keeps words of a document beside its rows: samples, files of runs under way, and what was sent."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from chatapp.finetuning.datasets.models import TrainingRow
from chatapp.finetuning.training.folders import has_rows
from chatapp.finetuning.training.models import TrainingRun, TrainingSample
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register

__all__ = ["register_all"]

SENT = "Rows with words of it lie at the provider that trained: {names}. Delete the files there."
UNDER_WAY = "Rows of {count} runs under way; they are removed when those end."


def register_all() -> None:
    """Name the places of this package."""
    register(
        Place(key="training_samples", name="Samples of training runs", rule=Rule.GONE, count=_count, remove=_remove)
    )
    register(Place(key="training_files", name="Files of training runs", rule=Rule.FADES, count=_count_files))
    register(
        Place(key="training_sent", name="Rows sent to providers that train", rule=Rule.WORDLESS, count=_count_sent)
    )


def _samples(subject: Subject) -> QuerySet[TrainingSample]:
    """Return the samples of rows that were made from the document."""
    rows = TrainingRow.objects.filter(
        version=OuterRef("run__dataset_version"), key=OuterRef("row_key"), sources__document_ref=subject.document
    )
    return TrainingSample.objects.filter(Exists(rows), run__tenant_id=subject.tenant)


def _count(subject: Subject) -> Found:
    return Found(count=_samples(subject).count())


def _remove(subject: Subject) -> None:
    _samples(subject).delete()


def _runs(subject: Subject) -> QuerySet[TrainingRun]:
    """Return the runs whose rows were made from the document, among others."""
    rows = TrainingRow.objects.filter(version=OuterRef("dataset_version"), sources__document_ref=subject.document)
    found: QuerySet[TrainingRun] = TrainingRun.objects.filter(Exists(rows), tenant_id=subject.tenant)
    return found


def _count_files(subject: Subject) -> Found:
    """Count the runs with rows in files on this machine: those under way, and those whose worker was killed."""
    count = sum(has_rows(run) for run in _runs(subject).filter(trainer=TrainingRun.Trainer.LOCAL))
    return Found(count=count, note=UNDER_WAY.format(count=count) if count else "")


def _count_sent(subject: Subject) -> Found:
    hosted = _runs(subject).filter(trainer=TrainingRun.Trainer.HOSTED).order_by("-created")
    left = [run.name for run in hosted if run.hosted.get("train_file") and not run.hosted.get("files_deleted")]
    return Found(count=len(left), note=SENT.format(names=", ".join(f"“{name}”" for name in left[:3])) if left else "")
