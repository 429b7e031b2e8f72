"""From a finished training run to a version of a fine-tuned model."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from chatapp.finetuning.artifacts import BadArtifact
from chatapp.finetuning.registry.checking import check_result
from chatapp.finetuning.registry.errors import RegistryRefused
from chatapp.finetuning.registry.lineage import missing_documents
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.standing import note
from chatapp.finetuning.training.models import TrainingRun
from chatapp.language_models.keys import keys_of, seal_keys
from chatapp.language_models.models import LanguageModel
from knowledge.tenants.models import Tenant

__all__ = ["free_slug", "output_limit", "register_version", "result_folder"]

Source = LanguageModel.Source
HOSTED_WINDOW = 8192


def result_folder(run: TrainingRun) -> Path:
    return Path(settings.TRAINING_DIR) / str(run.pk) / "result"


def register_version(run: TrainingRun) -> ModelVersion:
    """Register what a run made, once: the same run again returns the same version.

    Runs on the same dataset and base are versions of one model. It is a candidate: nothing answers through it before
    somebody promotes it.

    :raises RegistryRefused: the files are not what the run should have left.
    """
    there = ModelVersion.objects.filter(run=run).first()
    if there is not None:
        return there
    local = run.trainer == TrainingRun.Trainer.LOCAL
    digest = _checked(run) if local else ""
    with transaction.atomic():
        Tenant.objects.select_for_update(of=("self",)).get(pk=run.tenant_id)  # numbers are given one after the other
        there = ModelVersion.objects.filter(run=run).first()
        if there is not None:
            return there
        model = _model_of(run)
        number = (model.versions.aggregate(last=Max("number"))["last"] or 0) + 1
        gone = missing_documents(run.dataset_version)
        version = ModelVersion.objects.create(
            fine_tuned_model=model, number=number, run=run, base=run.base, method=run.method, digest=digest,
            path=str(result_folder(run)) if local else "", hosted_model="" if local else _hosted_name(run),
            data_hash=run.dataset_version.content_hash, metrics={"training": run.metrics},
            stale=timezone.now() if gone else None, stale_documents=[{"id": str(each)} for each in sorted(gone)],
        )  # fmt: skip
        if not local:
            version.language_model = _hosted_entry(version, run)
            version.save(update_fields=["language_model"])
        note(version, "registered", by=run.created_by_id, digest=digest, data=version.data_hash, words=REGISTERED)
        if gone:
            note(version, "stale", documents=version.stale_documents, words=GONE_MEANWHILE)
    return version


REGISTERED = "Registered as a candidate, after its training run had ended."
GONE_MEANWHILE = "Documents it was trained on were deleted while it was trained."


def _checked(run: TrainingRun) -> str:
    """Return the digest of a local run's result, made anew and compared with what the trainer wrote down."""
    told = run.record.get("result")
    recorded = str(told.get("digest", "")) if isinstance(told, dict) else ""
    files = run.record.get("base_files")
    if run.base is None or (isinstance(files, dict) and files != run.base.files):
        raise RegistryRefused("The run was not trained from the base model that it names.")
    try:
        return check_result(result_folder(run), adapter=run.method != TrainingRun.Method.FULL, recorded=recorded)
    except (BadArtifact, OSError) as error:
        raise RegistryRefused(f"The result of the training run cannot be registered. {error}") from error


def _model_of(run: TrainingRun) -> FineTunedModel:
    dataset = run.dataset_version.dataset
    from_ = run.base.name if run.base else run.hosted_model
    slug = f"{dataset.slug[:44]}-{slugify(from_.rpartition('/')[2])[:30]}".strip("-")
    found = FineTunedModel.objects.filter(tenant_id=run.tenant_id, slug=slug).first()
    if found is not None:
        return found
    name = f"{dataset.name} on {from_}"[:200]
    window = run.base.context_window if run.base else HOSTED_WINDOW
    entry = LanguageModel.objects.create(
        tenant_id=run.tenant_id, slug=free_slug(run.tenant_id, slug), name=name, source=Source.FINE_TUNED,
        context_window=window, max_output_tokens=output_limit(window),
    )  # fmt: skip
    return FineTunedModel.objects.create(tenant_id=run.tenant_id, slug=slug, name=name, language_model=entry)


def output_limit(window: int) -> int:
    """Return how long an answer may be: a quarter of the window, and no more than others."""
    return max(16, min(1024, window // 4))


def free_slug(tenant_id: UUID | None, slug: str) -> str:
    own = LanguageModel.objects.filter(tenant=tenant_id, slug__startswith=slug)
    taken = set(own.values_list("slug", flat=True))
    names = (slug if n == 1 else f"{slug}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _hosted_name(run: TrainingRun) -> str:
    made = str(run.hosted.get("model") or "")
    if not made:
        raise RegistryRefused("The provider has not named the model that it made.")
    return made


def _hosted_entry(version: ModelVersion, run: TrainingRun) -> LanguageModel:
    """Make the version's own entry: reached as the entry that the run was trained through."""
    through = LanguageModel.objects.of_tenant(run.tenant_id).filter(pk=run.hosted.get("entry")).first()
    if through is None:
        raise RegistryRefused("The entry of the catalogue that the run was trained through is gone.")
    prefix, made = through.model.partition("/")[0], version.hosted_model
    slug = f"{version.fine_tuned_model.slug[:70]}-v{version.number}"
    entry = LanguageModel(
        tenant_id=run.tenant_id, slug=free_slug(run.tenant_id, slug),
        name=f"{version.fine_tuned_model.name[:180]}, version {version.number}", provider=through.provider,
        model=made if made.startswith(f"{prefix}/") else f"{prefix}/{made}",
        api_base=through.api_base, options=through.options, source=Source.FINE_TUNED,
        context_window=through.context_window, max_output_tokens=through.max_output_tokens,
    )  # fmt: skip
    keys = keys_of(through)
    if through.source == Source.ENVIRONMENT and settings.LLM_API_KEY:
        keys = {"api_key": settings.LLM_API_KEY}
    seal_keys(entry, keys)
    entry.save()
    return entry
