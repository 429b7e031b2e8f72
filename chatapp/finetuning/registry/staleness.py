"""What the deletion of a document means for models: weights cannot forget, so versions are marked and taken out of use.

The mark is set in the transaction that deletes the document; its report names every version.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from chatapp.finetuning.registry.lineage import trained_on, version_number_words
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.registry.standing import STOP, note, settle
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register

__all__ = ["STALE_WORDS", "mark_stale", "register_place"]

STALE_WORDS = (
    "A document it was trained on was deleted. Weights cannot forget it: only a version trained without it does. "
    "Freeze the data anew, train again, promote that version, and retire this one."
)


def register_place() -> None:
    register(Place(key="models", name="Models trained on it", rule=Rule.LEARNT, count=_models, remove=mark_stale))


def mark_stale(subject: Subject) -> None:
    """Mark the versions that were trained on a document, and have others answer in their place."""
    touched = {}
    for version in trained_on(tenant=subject.tenant, document=subject.document).select_for_update(of=("self",)):
        if any(each["id"] == subject.document for each in version.stale_documents):
            continue
        version.stale = version.stale or timezone.now()
        version.stale_documents = [*version.stale_documents, {"id": subject.document}]
        if settings.STALE_MODELS == STOP:
            version.canary_share = 0
        version.save(update_fields=["stale", "stale_documents", "canary_share"])
        note(version, "stale", documents=[{"id": subject.document}], words=STALE_WORDS)
        touched[version.fine_tuned_model_id] = version.fine_tuned_model
    for model in touched.values():
        settle(model)


def _models(subject: Subject) -> Found:
    """Count the versions whose weights are still there; before they are marked, and after."""
    ids = set(trained_on(tenant=subject.tenant, document=subject.document).values_list("pk", flat=True))
    marked = ModelVersion.objects.filter(fine_tuned_model__tenant_id=subject.tenant, stale__isnull=False)
    for version in marked.only("pk", "stale_documents"):
        if any(each["id"] == subject.document for each in version.stale_documents):
            ids.add(version.pk)
    rows = ModelVersion.objects.filter(pk__in=ids).filter(~Q(path="") | ~Q(hosted_model=""))
    versions = list(rows.select_related("fine_tuned_model").order_by("fine_tuned_model__name", "number"))
    if not versions:
        return Found(count=0)
    answers = "They answer no more." if settings.STALE_MODELS == STOP else "They still answer (STALE_MODELS=keep)."
    return Found(
        count=len(versions),
        note=f"Weights cannot forget: {version_number_words(versions)}. {answers} Train again without the document, "
        "then retire them and delete their files.",
    )
