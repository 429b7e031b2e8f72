"""A run of a provider: one short step each time it is called, and never two jobs of one run.

What is about to be sent is written down first. After a crash between sending and storing, the file is found by its
name and the job by its file or suffix; while the provider cannot list them, nothing is sent.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from chatapp.finetuning.training import outcomes
from chatapp.finetuning.training.estimate import training_price
from chatapp.finetuning.training.models import TrainingRun
from chatapp.language_models.models import LanguageModel, UsageEntry
from chatapp.language_models.services import model_settings
from knowledge.documents import failpoints, jobs
from knowledge.errors import KnowledgeError, LanguageModelError
from knowledge.llm import Tuning, TuningJob

__all__ = ["run_hosted"]

logger = logging.getLogger(__name__)

ENTRY_GONE = "The entry of the catalogue that this run was started with is gone. Start another run."
UNEXPECTED = "Something went wrong while the provider was asked."
AGAIN = "{words} It is asked again in {seconds} seconds; nothing is sent twice."


def run_hosted(*, run_id: uuid.UUID) -> None:
    """Bring a run one step further; record how it ended. Safe to call any number of times."""
    rows = TrainingRun.objects.select_related("tenant", "dataset_version__dataset")
    run = jobs.claim_of(rows.filter(trainer=TrainingRun.Trainer.HOSTED), run_id)
    if run is None:
        return
    with suppress(jobs.LeaseLost):  # another worker's: how it ends is not ours to say
        _attempt(run)


def _attempt(run: TrainingRun) -> None:
    """Do a step, and write down what stopped it.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    if run.cancel_requested and not (run.hosted.get("creating") or run.hosted.get("job")):
        outcomes.cancelled(run)
        return
    entry = LanguageModel.objects.of_tenant(run.tenant_id).filter(pk=run.hosted.get("entry")).first()
    if entry is None:
        jobs.fail(run, message=ENTRY_GONE, permanent=True)
        return
    try:
        with jobs.Heartbeat(run):
            _step(run, entry, Tuning(model_settings(entry)))
    except jobs.LeaseLost:
        raise
    except KnowledgeError as error:
        # Once the provider has a job, it works on whatever we think: it is asked until it says how that ended.
        if error.permanent and not run.hosted.get("job"):
            jobs.fail(run, message=error.message, permanent=True)
        else:
            _later(run, words=error.message)
    except Exception:  # boundary of the job: whatever it was, the row says so and the worker lives
        logger.exception("Run %s of a provider failed", run.pk)
        jobs.fail(run, message=UNEXPECTED, permanent=False)


def _step(run: TrainingRun, entry: LanguageModel, tuning: Tuning) -> None:
    if not run.hosted.get("job"):
        job = _create(run, tuning)
    elif run.cancel_requested and not run.hosted.get("cancelled"):
        job = tuning.cancel(run.hosted["job"])
        _store(run, cancelled=True)
    else:
        job = tuning.retrieve(run.hosted["job"])
    if job.is_over:
        _delete_files(run, tuning)
    _take(run, entry, job)


def _delete_files(run: TrainingRun, tuning: Tuning) -> None:
    """Have the provider forget the rows: it needs them no more. What it keeps is told by reports of deletions."""
    try:
        for field in ("train_file", "eval_file"):
            if run.hosted.get(field):
                tuning.delete_file(run.hosted[field])
    except LanguageModelError as error:
        logger.warning("The files of run %s could not be deleted at the provider: %s", run.pk, error.code)
    else:
        _store(run, files_deleted=True)


def _create(run: TrainingRun, tuning: Tuning) -> TuningJob:
    """Hand the rows over and start the job, or find what an attempt before this one sent."""
    _store(run, key=_suffix(run))
    for split in ("train", "eval"):
        _upload(run, tuning, split)
    key, file = run.hosted["key"], run.hosted["train_file"]
    job = tuning.find_job(training_file=file, suffix=key) if run.hosted.get("creating") else None
    if job is None:
        _store(run, creating=True)
        recipe = run.recipe
        names = {"epochs": "n_epochs", "batch": "batch_size", "learning_rate_multiplier": "learning_rate_multiplier"}
        job = tuning.create(
            run.hosted_model, training_file=file, validation_file=run.hosted.get("eval_file") or None, suffix=key,
            hyperparameters={sent: recipe[name] for name, sent in names.items() if name in recipe},
            seed=recipe.get("seed"),
        )  # fmt: skip
        failpoints.reach("between_job_and_row")
    _store(run, job=job.id)
    return job


def _suffix(run: TrainingRun) -> str:
    return f"fn-{run.pk.hex[:16]}"


def _upload(run: TrainingRun, tuning: Tuning, split: str) -> None:
    field = f"{split}_file"
    if field in run.hosted:
        return
    name = f"footnote-{run.pk}-{split}.jsonl"
    found = tuning.find_file(name) if run.hosted.get(f"{field}_sent") else None
    if found is None:
        data = "".join(_lines(run, split)).encode("utf-8")
        if data:
            _store(run, **{f"{field}_sent": True})
            found = tuning.upload(data, name=name)
    _store(run, **{field: found or ""})


def _lines(run: TrainingRun, split: str) -> Iterator[str]:
    """Yield the rows as providers take them: whole conversations, the answer last."""
    from chatapp.finetuning.datasets.export import rows_of

    for row in rows_of(run.dataset_version, split):
        messages = [*row.prompt, {"role": "assistant", "content": row.completion}]
        yield json.dumps({"messages": messages}, ensure_ascii=False) + "\n"


def _take(run: TrainingRun, entry: LanguageModel, job: TuningJob) -> None:
    """Put what the provider says on the row.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    _store(run, status=job.status)
    jobs.ours(run).update(stage=job.status[:20], heartbeat=timezone.now())
    if job.status == "succeeded" and job.model:
        prefix = entry.model.partition("/")[0]
        _store(run, model=f"{prefix}/{job.model}")
        cost = _cost(run, entry, job)
        record = {"base_model": run.hosted_model, "recipe": run.recipe, "job": job.id, "model": job.model,
                  "dataset": {"id": str(run.dataset_version.dataset_id), "version": run.dataset_version.number,
                              "content_hash": run.dataset_version.content_hash}}  # fmt: skip
        metrics = {"trained_tokens": job.trained_tokens}
        if not jobs.ours(run).update(metrics=metrics, record=record, cost=cost):
            raise jobs.LeaseLost
        jobs.finish(run, report=run.report)
        _note_usage(run, entry, job, cost)
        outcomes.register(run)
    elif job.status == "cancelled":
        outcomes.cancelled(run)
    elif job.is_over:
        said = job.error or "it gave no reason"
        jobs.fail(run, message=f"The provider stopped the training: {said}", permanent=True)
    else:
        _later(run, words="")


def _cost(run: TrainingRun, entry: LanguageModel, job: TuningJob) -> Decimal | None:
    said = run.hosted.get("training_price")
    price = training_price(entry) if said is None else said
    return None if price is None else round(Decimal(str(price)) * job.trained_tokens / 1_000_000, 4)


def _note_usage(run: TrainingRun, entry: LanguageModel, job: TuningJob, cost: Decimal | None) -> None:
    """Write it into the ledger, once: budgets count it like everything else."""
    purpose = UsageEntry.Purpose.TRAINING
    if UsageEntry.objects.filter(run_ref=run.pk, purpose=purpose).exists():
        return
    UsageEntry.objects.create(
        tenant_id=run.tenant_id, user_id=run.created_by_id, language_model=entry, model=entry.model, run_ref=run.pk,
        purpose=purpose, status=UsageEntry.Status.OK, prompt_tokens=job.trained_tokens, cost=cost,
    )  # fmt: skip


def _later(run: TrainingRun, *, words: str) -> None:
    seconds = settings.TUNING_POLL_SECONDS
    why = AGAIN.format(words=words, seconds=seconds) if words else ""
    if not jobs.postpone(run, seconds=seconds, why=why):
        raise jobs.LeaseLost


def _store(run: TrainingRun, **changes: Any) -> None:
    """Write down what was, or is about to be, sent.

    :raises jobs.LeaseLost: the run is no longer ours.
    """
    run.hosted = {**run.hosted, **changes}
    if not jobs.ours(run).update(hosted=run.hosted):
        raise jobs.LeaseLost
