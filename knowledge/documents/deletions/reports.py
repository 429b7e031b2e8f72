"""Reports of deletions: begun with the request, counted before and after, settled and signed when the bytes are gone.

Every step may be killed and is done again by whoever comes next: a count of before is written before anything is
removed and stays, counts of after are made of what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone

from knowledge.documents.deletions import places
from knowledge.documents.deletions.places import Rule, Subject
from knowledge.documents.deletions.signing import sign
from knowledge.documents.indexes import statistics
from knowledge.documents.models import DeletionReport, Document, IndexGeneration, Purge
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = [
    "Request", "begin", "count_after", "count_before", "fading_of", "failed", "finish", "is_gone", "learnt_of",
    "left_of", "reopen", "resume", "settle", "subject_of", "who",
]  # fmt: skip

logger = logging.getLogger(__name__)

OPERATOR = "operator"
RECOUNT = timedelta(minutes=10)
"""A report that something is left is counted again after this long: it may have been repaired."""

AT_ONCE = 200
TERMS = "terms"
LEFT = "Run `manage.py reconcile --repair`; the report counts again within ten minutes of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who wanted a deletion, and why."""

    by: str = ""
    reason: str = ""
    keep_name: bool = True
    erased: bool = False


def who(actor: Actor | None) -> str:
    """Return how an actor is named in a report; empty for the product itself."""
    if actor is None:
        return ""
    user = get_user_model().objects.filter(pk=actor.user_id).first()
    return user.get_username()[:254] if user else OPERATOR


@contextmanager
def begin(document: Document, request: Request) -> Iterator[None]:
    """Open the report of a deletion around the lines that take the document out of retrieval.

    Call it in their transaction: the words that only this document had are counted on both sides of them. They are
    not kept.
    """
    own = {
        generation: statistics.words_only_of(document.current_version, generation)
        for generation in document.knowledge_base.generations.all()
        if document.current_version is not None
    }
    yield
    before, after = sum(map(len, own.values())), sum(statistics.known(of, words) for of, words in own.items())
    row, made = DeletionReport.objects.get_or_create(
        tenant_id=document.tenant_id,
        document_ref=document.pk,
        defaults={
            "knowledge_base_ref": document.knowledge_base_id,
            "name": document.title if request.keep_name else "",
            "requested": timezone.now(),
            "requested_by": request.by,
            "reason": request.reason[:400],
            "erased": request.erased,
            "places": [_terms(before, after)],
        },
    )
    if not made:  # it gave up and is tried again
        row.state, row.error = DeletionReport.State.RUNNING, ""
        row.save(update_fields=["state", "error"])


def _terms(before: int, after: int) -> dict[str, Any]:
    return {
        "place": TERMS, "name": "Word statistics of the search", "rule": Rule.GONE.value, "before": before,
        "after": after, "note": "Words that no other searched passage has.",
    }  # fmt: skip


def resume(document: Document) -> DeletionReport:
    """Return the report of a deletion under way; one is made for a deletion that began before there were reports."""
    found = DeletionReport.objects.filter(tenant_id=document.tenant_id, document_ref=document.pk).first()
    if found is not None:
        return found
    return DeletionReport.objects.create(
        tenant_id=document.tenant_id, document_ref=document.pk, knowledge_base_ref=document.knowledge_base_id,
        requested=timezone.now(),
    )  # fmt: skip


def subject_of(report: DeletionReport) -> Subject:
    return Subject(
        tenant=str(report.tenant_id),
        knowledge_base=str(report.knowledge_base_ref),
        document=str(report.document_ref),
        versions=tuple(report.subject.get("versions", ())),
        spaces=tuple(report.subject.get("spaces", ())),
    )


def count_before(report: DeletionReport, document: Document) -> Subject:
    """Write down what each place holds, unless an earlier attempt did; nothing may have been removed yet."""
    if not report.subject:
        spaces = IndexGeneration.objects.filter(knowledge_base=document.knowledge_base_id)
        report.subject = {
            "versions": [str(pk) for pk in document.versions.order_by("number").values_list("pk", flat=True)],
            "spaces": sorted(set(spaces.values_list("space", flat=True))),
        }
        subject = subject_of(report)
        kept = [entry for entry in report.places if entry["place"] == TERMS]
        report.places = kept + [
            {"place": place.key, "name": place.name, "rule": place.rule.value, "before": place.count(subject).count,
             "after": None, "note": ""}
            for place in places.registered()
        ]  # fmt: skip
        report.save(update_fields=["subject", "places"])
    return subject_of(report)


def finish(report: DeletionReport) -> None:
    """Note, in the transaction that deletes the document's row, that only the purge is left."""
    report.state, report.error, report.finished = DeletionReport.State.WAITING, "", timezone.now()
    report.save(update_fields=["state", "error", "finished"])


def failed(*, tenant_id: UUID, document_ref: UUID, message: str) -> None:
    """Say why the deletion gave up; it is tried again later by itself."""
    running = DeletionReport.objects.filter(
        tenant_id=tenant_id, document_ref=document_ref, state=DeletionReport.State.RUNNING
    )
    running.update(state=DeletionReport.State.FAILED, error=message)


def reopen(*, tenant_id: UUID, document_ref: UUID) -> None:
    """The document's words were erased from answers after it was deleted: count and sign once more after the purge."""
    rows = DeletionReport.objects.filter(tenant_id=tenant_id, document_ref=document_ref)
    for report in rows:
        for place in places.registered():
            if place.remove is not None and place.rule == Rule.KEPT:
                place.remove(subject_of(report))
    rows.update(erased=True, name="")
    rows.exclude(finished=None).update(state=DeletionReport.State.WAITING, purged=None, signature="")


def count_after(report: DeletionReport) -> None:
    """Count what is left in each place now, and save it; a signature under the former counts goes with them.

    :raises KnowledgeError: a place cannot be asked at the moment.
    """
    subject, known = subject_of(report), {entry["place"]: entry for entry in report.places}
    counted = [known[TERMS]] if TERMS in known else []
    for place in places.registered():
        found = place.count(subject)
        before = known.get(place.key, {}).get("before")
        counted.append(
            {"place": place.key, "name": place.name, "rule": place.rule.value, "before": before,
             "after": found.count, "note": found.note}
        )  # fmt: skip
    report.places, report.checked, report.signature = counted, timezone.now(), ""
    report.save(update_fields=["places", "checked", "signature"])


def left_of(report: DeletionReport) -> list[dict[str, Any]]:
    """Return the places that must be empty and are not."""
    strict = {Rule.GONE, *([Rule.KEPT] if report.erased else [])}
    return [entry for entry in report.places if entry["rule"] in strict and entry["after"]]


def fading_of(report: DeletionReport) -> list[dict[str, Any]]:
    """Return the places that may hold something of it until they empty themselves."""
    return [entry for entry in report.places if entry["rule"] == Rule.FADES and entry["after"]]


def learnt_of(report: DeletionReport) -> list[dict[str, Any]]:
    """Return the places that were made from it and cannot forget it: weights of models."""
    return [entry for entry in report.places if entry["rule"] == Rule.LEARNT and entry["after"]]


def is_gone(report: DeletionReport) -> bool:
    """Tell whether nothing is left that must be gone, and its bytes have left the disk; see also ``fading_of``."""
    return report.state == DeletionReport.State.DONE and not left_of(report)


def settle() -> int:
    """Close the reports whose bytes have left the disk, and count again those that failed; return how many closed."""
    again = Q(state=DeletionReport.State.FAILED, checked__lt=timezone.now() - RECOUNT)
    rows = DeletionReport.objects.filter(Q(state=DeletionReport.State.WAITING) | again).exclude(finished=None)
    rows = rows.exclude(tenant__in=Purge.objects.values("tenant"), checked__isnull=False)  # they were counted, and wait
    return sum(_closed(report) for report in rows.order_by("requested")[:AT_ONCE])


def _closed(report: DeletionReport) -> bool:
    waits = _awaits_purge(report)
    if waits and report.checked is not None:
        return False
    try:
        count_after(report)
    except KnowledgeError as error:
        logger.warning("Deletion of %s cannot be counted yet: %s", report.document_ref, error.message)
        return False
    if waits:  # counted once, so that whoever looks sees how far it is
        return False
    left = left_of(report)
    if left and _awaits_purge(report):  # another deletion came meanwhile, and its files count as not rewritten
        return False
    report.state = DeletionReport.State.FAILED if left else DeletionReport.State.DONE
    report.error = _told(left)
    if left:
        logger.error("Deletion of %s: something is left in %s", report.document_ref, [e["place"] for e in left])
    elif report.purged is None:
        report.purged = timezone.now()
    sign(report)
    report.save(update_fields=["state", "error", "purged", "signature"])
    return True


def _awaits_purge(report: DeletionReport) -> bool:
    spaces = {*subject_of(report).spaces, "", *places.purgers()}
    return Purge.objects.filter(tenant_id=report.tenant_id, space__in=spaces).exists()


def _told(left: Collection[Mapping[str, Any]]) -> str:
    if not left:
        return ""
    parts = ", ".join(f"{entry['after']} in “{entry['name']}”" for entry in left)
    return f"Something of it is left: {parts}. {LEFT}"
