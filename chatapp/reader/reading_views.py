"""The page that shows editors how a version was read: what each page gave, and its blocks over its picture."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from chatapp.accounts.pages import member_page
from chatapp.reader.opening import natural
from chatapp.reader.outlines import outline, page_boxes
from chatapp.reader.places import drawn_as, page_word
from chatapp.reader.reading import KINDS, BlockView, BlockWindow, Cut, block_views, blocks_on, window_of
from chatapp.reader.yields import PageYield, page_yields, to_look_at
from knowledge.documents import access, selectors
from knowledge.documents.models import Document, DocumentVersion
from knowledge.documents.selectors import ParsedLayout
from knowledge.parsing.formats import BY_MEDIA_TYPE, TIFF
from knowledge.tenants.access import Actor

STRIP = 100  # pages listed at once
LOOK_AT = 12


@require_safe
@member_page
def reading(request: HttpRequest, actor: Actor, document_id: uuid.UUID, number: int | None = None) -> HttpResponse:
    """Show those who may edit how a version was read, one page at a time (``page``), or from an offset on (``from``).

    A version that failed, or was not read yet, has no text: the page says why and what to do.
    """
    version = access.access_reading(actor=actor, document_id=document_id, number=number)
    context = _head(version)
    if version.text_sha256:
        context |= _text(version, request.GET)
    return render(request, "documents/reading.html", context)


def _head(version: DocumentVersion) -> dict[str, Any]:
    document = version.document
    known = BY_MEDIA_TYPE.get(version.media_type)
    return {
        "document": document,
        "version": version,
        "format": known.label if known else version.media_type,
        "read": bool(version.text_sha256),
        "failure": selectors.failure_of(version),
        "retry_helps": document.retry_helps,
        "waiting": document.status in (Document.Status.QUEUED, Document.Status.PARSING, Document.Status.EMBEDDING)
        and version.number == document.latest_number,
        "archived": version.state == DocumentVersion.State.ARCHIVED,
        "versions": [
            (row, reverse("reader:reading", args=[document.pk, row.number]))
            for row in document.versions.order_by("-number")
        ],
        "reader": reverse("reader:version", args=[document.pk, version.number]),
        "word": page_word(version.media_type),
    }


def _text(version: DocumentVersion, query: QueryDict) -> dict[str, Any]:
    text, layout = selectors.version_text(version), selectors.version_layout(version)
    pages = page_yields(text, layout.blocks, layout.pages)
    asked = natural(query.get("page", ""))
    page = min(max(asked or 1, 1), len(pages)) if pages else None
    shown = window_of(blocks_on(layout.blocks, page), natural(query.get("from", "")) or 0)
    blocks = block_views(text, shown, _cuts(version, shown))
    drawing = _drawing(version, layout, page)
    outlines = _outlines(version, page, shown, blocks) if drawing["drawn"] and page is not None else []
    size = [drawing["size"].width, drawing["size"].height] if drawing["size"] else []
    return {
        "block_count": len(layout.blocks),
        "shown": shown,
        "blocks": blocks,
        "legend": _legend(blocks),
        "page_missing": query.get("page") if "page" in query and asked != page else None,
        **_strip(pages, page),
        **drawing,
        "placed": {one["block"] for one in outlines},
        "reading_data": {
            "drawn": drawing["drawn"], "file": drawing["file"], "page": page, "size": size, "outlines": outlines,
        },
    }  # fmt: skip


def _cuts(version: DocumentVersion, shown: BlockWindow) -> list[Cut]:
    if not shown.blocks:
        return []
    chunks = selectors.live_chunks(version, shown.blocks[0].start, shown.blocks[-1].end)
    return [Cut(chunk.ordinal + 1, chunk.start, chunk.end) for chunk in chunks]


def _legend(blocks: Sequence[BlockView]) -> list[tuple[str, str, str, int]]:
    """Return the kinds of blocks that are shown: value, sign, words, and how many there are."""
    counts = Counter(block.kind for block in blocks)
    return [(kind.value, *names, counts[kind.value]) for kind, names in KINDS.items() if counts[kind.value]]


def _strip(pages: Sequence[PageYield], page: int | None) -> dict[str, Any]:
    """The pages around the chosen one, and those that deserve a look in the whole document."""
    if page is None:
        return {"page": None}
    first = (page - 1) // STRIP * STRIP
    look = to_look_at(pages)
    return {
        "page": pages[page - 1],
        "page_total": len(pages),
        "page_before": page - 1 if page > 1 else None,
        "page_after": page + 1 if page < len(pages) else None,
        "strip": pages[first : first + STRIP],
        "strip_before": first if first else None,  # the last page of those before
        "strip_after": first + STRIP + 1 if first + STRIP < len(pages) else None,
        "look_at": look[:LOOK_AT],
        "look_more": max(0, len(look) - LOOK_AT),
    }


def _drawing(version: DocumentVersion, layout: ParsedLayout, page: int | None) -> dict[str, Any]:
    """How the chosen page is drawn: by pdf.js, as the picture itself, or not, and why not."""
    drawn = drawn_as(version.media_type) if page is not None else ""
    why = ""
    if version.media_type == TIFF:
        why = "Browsers cannot show TIFF pictures. Here is what was read."
    elif drawn == "picture" and page != 1:
        drawn, why = "", "Browsers show only the first picture of this file. Here is what was read of this one."
    return {
        "drawn": drawn,
        "undrawn": why,
        "file": reverse("reader:file", args=[version.document_id, version.number]),
        "size": layout.pages[page - 1] if drawn and page is not None else None,
    }


def _outlines(
    version: DocumentVersion, page: int, shown: BlockWindow, blocks: Sequence[BlockView]
) -> list[dict[str, Any]]:
    """The outlines of the blocks that have a place on the page."""
    boxes = selectors.version_boxes(version)
    if boxes is None or not shown.blocks:
        return []
    here = page_boxes(boxes, shown.blocks, page)
    return [
        {
            "block": view.ordinal,
            "kind": view.kind,
            "sign": f"{view.place} {view.sign}",
            "label": view.label,
            "rects": [[number, *(round(value, 2) for value in box)] for number, *box in rects],
        }
        for view in blocks
        if (rects := outline(here, view.start, view.end))
    ]
