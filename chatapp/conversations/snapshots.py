"""The words of passages, kept once for all answers that were given them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from uuid import UUID

from django.utils import timezone

from chatapp.conversations.models import AnswerRun, Erasure, PassageSnapshot
from knowledge.types import Passage

__all__ = ["address_of", "drop_unused", "keep"]


def address_of(document: object, text: str) -> str:
    """Return where a text of a document is kept, SHA-256 in hexadecimal.

    The document is part of it: erasing one document takes nothing from another that says the same.
    """
    return sha256(f"{document}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def keep(run: AnswerRun, passages: Sequence[Passage]) -> dict[str, PassageSnapshot]:
    """Return the snapshot of each passage by its key, writing those that are not there yet.

    Of a document that was erased while the answer was under way nothing is written but that it was.
    """
    documents = {UUID(passage.document) for passage in passages}
    erased = set(
        Erasure.objects.filter(tenant_id=run.tenant_id, document_ref__in=documents)
        .values_list("document_ref", flat=True)
    )  # fmt: skip
    wanted: dict[str, PassageSnapshot] = {}
    for passage in passages:
        gone = UUID(passage.document) in erased
        address = address_of(passage.document, f"erased {run.pk} {passage.key}" if gone else passage.text)
        wanted[passage.key] = PassageSnapshot(
            tenant_id=run.tenant_id, document_ref=passage.document, address=address,
            text="" if gone else passage.text, erased=timezone.now() if gone else None,
        )  # fmt: skip
    new = {snapshot.address: snapshot for snapshot in wanted.values()}
    PassageSnapshot.objects.bulk_create(new.values(), ignore_conflicts=True)
    rows = PassageSnapshot.objects.filter(tenant_id=run.tenant_id, address__in=new)
    known = {row.address: row for row in rows.defer("text")}
    return {key: known[snapshot.address] for key, snapshot in wanted.items()}


def drop_unused(pks: Collection[int]) -> int:
    """Remove those of the snapshots that no answer has any more; return how many."""
    return PassageSnapshot.objects.filter(pk__in=pks, passages__isnull=True).delete()[0]
