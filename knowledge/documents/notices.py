"""What the page is told when a document changes: small, no text of the document."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from knowledge.documents.models import Document
from knowledge.documents.signals import document_changed


def payload(document: Document, *, chunks: int | None = None) -> dict[str, Any]:
    return {
        "type": "document.progress",
        "document": str(document.pk),
        "knowledge_base": str(document.knowledge_base_id),
        "title": document.title,
        "status": document.status,
        "stage_progress": round(document.stage_progress, 3),
        "error": document.error,
        "retry": document.retry_helps,
        "chunks": chunks,
    }


def changed(document: Document, *, chunks: int | None = None) -> None:
    """Send ``document_changed`` once the change is committed; a receiver that fails is logged and undoes nothing."""
    message, tenant = payload(document, chunks=chunks), str(document.tenant_id)
    transaction.on_commit(lambda: document_changed.send_robust(sender=Document, tenant_id=tenant, payload=message))
