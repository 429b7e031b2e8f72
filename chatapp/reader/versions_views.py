"""The page of a document's versions and dates, and the one that shows two of them side by side."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.reader.compare_page import compare_page
from chatapp.reader.comparing import Comparison, Text, compare
from chatapp.reader.forms import DatesForm
from chatapp.reader.opening import natural
from chatapp.reader.places import page_word
from knowledge.documents import access, selectors, validity
from knowledge.documents.models import Document, DocumentVersion
from knowledge.errors import DocumentNotFound, KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["comparison", "dates", "versions"]

UNDER_WAY = (Document.Status.QUEUED, Document.Status.PARSING, Document.Status.EMBEDDING)


@require_safe
@ensure_csrf_cookie
@member_page
def versions(request: HttpRequest, actor: Actor, document_id: uuid.UUID) -> HttpResponse:
    """Show the versions of a document, and its dates to those who may edit."""
    document = access.access_document(actor=actor, pk=document_id)
    return _page(request, actor, document, DatesForm(document=document))


@require_POST
@member_page
def dates(request: HttpRequest, actor: Actor, document_id: uuid.UUID) -> HttpResponse:
    """Set the dates of a document."""
    document = access.access_document(actor=actor, pk=document_id)
    if not actor.can_edit:
        raise DocumentNotFound
    form = DatesForm(request.POST, document=document)
    if form.is_valid():
        try:
            validity.set_dates(document=document, changes=form.changes())
        except KnowledgeError as error:
            form.add_error(None, error.message)
        else:
            messages.info(request, "The dates are saved.")
            return redirect("reader:versions", document.pk)
    return _page(request, actor, document, form, status=422)


def _page(
    request: HttpRequest, actor: Actor, document: Document, form: DatesForm, *, status: int = 200
) -> HttpResponse:  # fmt: skip
    rows = list(document.versions.select_related("created_by").order_by("-number"))
    context = {
        "document": document,
        "can_edit": actor.can_edit,
        "validity": validity.words(document),
        "dates": [(name, validity.moment_words(value)) for name, value in _dates(document) if value],
        "form": form,
        "rows": [_row(document, row) for row in rows],
        "under_way": document.status in UNDER_WAY,
        "page_data": {"document": str(document.pk), "under_way": document.status in UNDER_WAY},
    }
    return render(request, "documents/versions.html", context, status=status)


def _dates(document: Document) -> list[tuple[str, datetime | None]]:
    return [
        ("Valid from", document.valid_from),
        ("No longer valid from", document.valid_until),
        ("Deleted on", document.expires),
    ]


def _row(document: Document, version: DocumentVersion) -> dict[str, Any]:
    version.document = document
    current = document.current_version_id == version.pk
    readable = bool(version.text_sha256)
    compared = readable and not current and document.current_version_id is not None
    pair = sorted([version.number, document.current_version.number]) if compared and document.current_version else []
    return {
        "version": version,
        "current": current,
        "state": _state(document, version),
        "failure": selectors.failure_of(version),
        "read": reverse("reader:version", args=[document.pk, version.number]) if readable else "",
        "compare": _compare_link(document, *pair) if pair else "",
        "restorable": not current and not (version.number == document.latest_number and document.status in UNDER_WAY),
    }


def _state(document: Document, version: DocumentVersion) -> str:
    if document.current_version_id == version.pk:
        return "Current, not searched now" if validity.words(document) else "Current"
    if version.state == DocumentVersion.State.FAILED:
        return "Failed"
    if version.number == document.latest_number and document.status in UNDER_WAY:
        return Document.Status(document.status).label
    return "Earlier version" if version.text_sha256 else "Never read: a newer one came before its turn"


def _compare_link(document: Document, old: int, new: int) -> str:
    return f"{reverse('reader:compare', args=[document.pk])}?{urlencode({'from': old, 'to': new})}"


@require_safe
@member_page
def comparison(request: HttpRequest, actor: Actor, document_id: uuid.UUID) -> HttpResponse:
    """Show two versions side by side, ``from`` and ``to``: by default the current one and that before it."""
    document = access.access_document(actor=actor, pk=document_id)
    readable = selectors.versions_of(document)
    numbers = [row.number for row in readable]
    to = _chosen(request, "to", document.current_version.number if document.current_version else None)
    earlier = [number for number in numbers if to is not None and number < to]
    since = _chosen(request, "from", earlier[0] if earlier else to)
    if to is None or since is None:
        raise DocumentNotFound
    pair = (
        access.access_version(actor=actor, document_id=document_id, number=since),
        access.access_version(actor=actor, document_id=document_id, number=to),
    )
    texts, found = _compared(*pair)
    page = compare_page(found, pair, texts, part=natural(request.GET.get("part", "")) or 1)
    context = {
        "document": document,
        "old": pair[0],
        "new": pair[1],
        "versions": readable,
        "found": found,
        "page": page,
        "word": page_word(pair[1].media_type),
        "before": _part(document, since, to, page.part - 1) if page.part > 1 else "",
        "after": _part(document, since, to, page.part + 1) if page.part < page.parts else "",
        "swapped": _compare_link(document, to, since),
    }
    return render(request, "documents/compare.html", context)


def _chosen(request: HttpRequest, name: str, default: int | None) -> int | None:
    """Return the number a parameter names.

    :raises DocumentNotFound: it is none.
    """
    if name not in request.GET:
        return default
    number = natural(request.GET[name])
    if number is None:
        raise DocumentNotFound
    return number


def _compared(old: DocumentVersion, new: DocumentVersion) -> tuple[tuple[str, str], Comparison]:
    sides = [Text(selectors.version_text(one), selectors.version_layout(one).blocks) for one in (old, new)]
    return (sides[0].text, sides[1].text), compare(*sides)


def _part(document: Document, old: int, new: int, part: int) -> str:
    return f"{_compare_link(document, old, new)}&part={part}"
