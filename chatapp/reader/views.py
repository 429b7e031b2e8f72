"""The documents page and the reader."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie

from chatapp.accounts.pages import member_page
from chatapp.reader.inline import Range
from chatapp.reader.presentation import ReaderPage, checked_range, present
from knowledge.documents import access, selectors
from knowledge.documents.models import DocumentVersion
from knowledge.tenants.access import Actor


@ensure_csrf_cookie
@member_page
def documents(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the documents of a knowledge base; rows come from the API."""
    context = {
        "can_edit": actor.can_edit,
        "page_data": {"can_edit": actor.can_edit},
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 2**20,
    }
    return render(request, "documents/list.html", context)


@member_page
def reader(request: HttpRequest, actor: Actor, document_id: uuid.UUID, number: int | None = None) -> HttpResponse:
    """Show one version of a document, at the range ``start``..``end`` of its text when given."""
    version = access.access_version(actor=actor, document_id=document_id, number=number)
    text = selectors.version_text(version)
    layout = selectors.version_layout(version)
    asked = "start" in request.GET or "end" in request.GET
    match = checked_range(request.GET.get("start"), request.GET.get("end"), length=len(text))
    page = present(
        text,
        layout.blocks,
        match=match,
        begin=_offset(request.GET, length=len(text)),
        markdown=version.media_type == "text/markdown",
    )
    context = _context(version, page, match)
    context["range_missing"] = asked and match is None
    return render(request, "documents/reader.html", context)


def _offset(query: QueryDict, *, length: int) -> int | None:
    value = query.get("from", "")
    return min(int(value), length) if value.isascii() and value.isdigit() and len(value) < 12 else None


def _context(version: DocumentVersion, page: ReaderPage, match: Range | None) -> dict[str, Any]:
    document = version.document
    current = document.current_version
    here = reverse("reader:version", args=[document.pk, version.number])
    kept = {"start": match[0], "end": match[1]} if match else {}
    versions = selectors.versions_of(document)
    return {
        "document": document,
        "version": version,
        "newest": current if current is not None and current.number > version.number else None,
        "versions": [(row, reverse("reader:version", args=[document.pk, row.number])) for row in versions],
        "page": page,
        "keep_lines": version.media_type == "text/plain",
        "outline": [
            (entry, f"#b{entry.start}" if entry.shown else f"{_step(here, kept, entry.start)}#b{entry.start}")
            for entry in page.outline
        ],
        "previous": None if page.previous is None else _step(here, kept, page.previous),
        "following": None if page.following is None else _step(here, kept, page.following),
    }


def _step(here: str, kept: dict[str, int], begin: int) -> str:
    return f"{here}?{urlencode({**kept, 'from': begin})}"
