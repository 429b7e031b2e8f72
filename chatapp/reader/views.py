"""The documents page, the reader, and the files behind it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from chatapp.accounts.pages import member_page
from chatapp.reader.cells import marked_cells, place_in_table
from chatapp.reader.downloads import file_response
from chatapp.reader.finding import LISTED, excerpt
from chatapp.reader.opening import Opening, opening_of, same_words
from chatapp.reader.places import Places, page_word
from chatapp.reader.presentation import OutlineEntry, ReaderPage, present
from chatapp.reader.stops import Stop, address
from knowledge.documents import access, selectors, validity
from knowledge.documents.models import DocumentVersion
from knowledge.documents.selectors import ParsedLayout
from knowledge.parsing.formats import MARKDOWN, NOTEBOOK, RST
from knowledge.tenants.access import Actor

_FLOWING = (MARKDOWN, NOTEBOOK, RST)  # where a line of a paragraph ends means nothing


@ensure_csrf_cookie
@member_page
def documents(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the documents of a knowledge base; rows come from the API."""
    context = {
        "can_edit": actor.can_edit,
        "page_data": {
            "can_edit": actor.can_edit,
            "can_erase": actor.can_administer,
            "attempts": settings.JOB_ATTEMPTS,
        },
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 2**20,
    }
    return render(request, "documents/list.html", context)


@require_safe
@member_page
def original(request: HttpRequest, actor: Actor, document_id: uuid.UUID, number: int) -> HttpResponseBase:
    """Hand out the stored bytes of a version. Who may read a document may save it."""
    return file_response(request, access.access_version(actor=actor, document_id=document_id, number=number))


@member_page
def reader(request: HttpRequest, actor: Actor, document_id: uuid.UUID, number: int | None = None) -> HttpResponse:
    """Show one version of a document, at the range ``start``..``end`` of its text when given.

    ``run`` and ``citation`` name the answer it was opened from, ``find`` words to look for, ``page`` a page,
    ``view=text`` the text of a document that would else be shown as its pages.
    """
    version = access.access_version(actor=actor, document_id=document_id, number=number)
    text = selectors.version_text(version)
    layout = selectors.version_layout(version)
    opening = opening_of(request.GET, actor=actor, version=version, text=text, pages=layout.pages)
    page = present(
        text,
        layout.blocks,
        match=opening.match,
        others=[stop.range for stop in opening.stops if stop.stands_in(version)],
        begin=opening.begin,
        markdown=version.media_type == "text/markdown",
    )
    context = {
        **_versions(version, text, opening),
        **_text(version, page, opening),
        **_pages(version, text, layout, opening),
        **_found(text, layout, opening),
        "marked_place": place_in_table(marked_cells(text, layout.blocks, opening.match)) if opening.match else "",
        "reading": reverse("reader:reading", args=[document_id, version.number]) if actor.can_edit else "",
    }
    return render(request, "documents/reader.html", context)


def _versions(version: DocumentVersion, text: str, opening: Opening) -> dict[str, Any]:
    """What the head says: the versions, and where the newest one has the marked words."""
    document = version.document
    current = document.current_version
    newest = current if current is not None and current.number > version.number else None
    newest_link, still_there = reverse("reader:document", args=[document.pk]), True
    if newest is not None and opening.match is not None:
        newest.document = document
        place = same_words(text, opening.match, selectors.version_text(newest))
        still_there = place is not None
        if place is not None:
            newest_link = f"{newest_link}?{urlencode({'start': place[0], 'end': place[1]})}#match"
    return {
        "document": document,
        "version": version,
        "newest": newest,
        "newest_link": newest_link,
        "still_there": still_there,
        "versions": [
            (row, reverse("reader:version", args=[document.pk, row.number])) for row in selectors.versions_of(document)
        ],
        "validity": validity.words(document),
        "range_missing": opening.missing,
        "download": reverse("reader:file", args=[document.pk, version.number]),
    }


def _text(version: DocumentVersion, page: ReaderPage, opening: Opening) -> dict[str, Any]:
    """The text itself, and the ways to what it does not show."""
    here = reverse("reader:version", args=[version.document_id, version.number])
    marked = {"start": opening.match[0], "end": opening.match[1]} if opening.match else {}
    kept = {**opening.kept, **({"citation": opening.number} if opening.number else {}), **marked}

    carried = {name: value for name, value in kept.items() if name not in ("start", "end", "find")}

    def step(begin: int) -> str:
        return f"{here}?{urlencode({**kept, 'from': begin})}"

    return {
        "page": page,
        "word": page_word(version.media_type),
        "keep_lines": version.media_type not in _FLOWING,
        "outline": [(entry, _entry_link(entry, step, opening.view)) for entry in page.outline],
        "previous": None if page.previous is None else step(page.previous),
        "following": None if page.following is None else step(page.following),
        "sheets": [(sheet, step(sheet.start)) for sheet in page.sheets] if len(page.sheets) > 1 else [],
        "view": opening.view,
        "drawn": opening.drawn,
        "kept": carried,
        "unsearched": f"{here}?{urlencode(carried)}" if carried else here,
        "here": here,
        "as_pages": f"{here}?{urlencode({name: value for name, value in kept.items() if name != 'view'})}",
        "as_text": f"{here}?{urlencode({**kept, 'view': 'text'})}#match",
    }


def _entry_link(entry: OutlineEntry, step: Callable[[int], str], view: str) -> str:
    if view == "pages" and entry.page:
        return f"?page={entry.page}"
    return f"#b{entry.start}" if entry.shown else f"{step(entry.start)}#b{entry.start}"


def _pages(version: DocumentVersion, text: str, layout: ParsedLayout, opening: Opening) -> dict[str, Any]:
    """The places to step through; for a document with pages also where each of them stands on its page."""
    drawn = opening.view == "pages"
    lit = opening.match is not None or any(stop.stands_in(version) for stop in opening.stops)
    boxes = selectors.version_boxes(version) if drawn and lit else None  # a hundred megabytes in a long document
    places = Places(text=text, blocks=layout.blocks, pages=layout.pages, boxes=boxes)
    stops = [_stop(stop, version, text, places, opening) for stop in opening.stops]
    for stop, shown in zip(opening.stops, stops, strict=True) if drawn else ():  # elsewhere a step opens a page anew
        if shown["here"]:
            shown["cells"] = place_in_table(marked_cells(text, layout.blocks, stop.range))
    index = opening.index
    if index is None and opening.match is not None:  # a range that is none of the stops is lit too
        alone = Stop(
            number=0, document=str(version.document_id), version=version.number, start=opening.match[0],
            end=opening.match[1], title=version.document.title,
        )  # fmt: skip
        index = len(stops)
        stops.append(_stop(alone, version, text, places, opening))
    now = stops[index] if index is not None else None
    at = opening.page or (now and now["page"]) or places.page_at(opening.begin or 0)
    data = {
        "view": opening.view,
        "drawn": opening.drawn,
        "stops": stops,
        "count": len(opening.stops),
        "index": index,
        "page": at,
        "page_asked": opening.page is not None,
        "sizes": [[page.width, page.height] for page in layout.pages] if drawn else [],
        "file": reverse("reader:file", args=[version.document_id, version.number]),
        "bytes": version.size,
    }
    return {
        "reader_data": data,
        "stop_count": len(opening.stops),
        "stop_place": None if opening.index is None else opening.index + 1,
        "stop_before": _neighbour(stops[: len(opening.stops)], opening.index, -1),
        "stop_after": _neighbour(stops[: len(opening.stops)], opening.index, +1),
        "place_known": now is None or now["exact"],
        "page_now": at,
        "page_total": len(layout.pages),
    }


def _stop(stop: Stop, version: DocumentVersion, text: str, places: Places, opening: Opening) -> dict[str, Any]:
    link = address(stop, opening.kept)
    if not stop.stands_in(version) or stop.end > len(text):
        return {"here": False, "link": link, "title": stop.title, "number": stop.number, "page": None, "exact": False}
    place = places.of(stop.range)
    return {
        "here": True,
        "link": link,
        "text_link": address(stop, {**opening.kept, "view": "text"}),
        "title": stop.title,
        "number": stop.number,
        "page": place.page,
        "rects": [[page, *(round(value, 2) for value in box)] for page, *box in place.rects],
        "exact": place.exact,
        "quote": text[stop.start : stop.end],
    }


def _neighbour(stops: list[dict[str, Any]], index: int | None, step: int) -> dict[str, Any] | None:
    """Return the stop before or after; behind a place that is none of them comes the first one."""
    at = (0 if step > 0 else -1) if index is None else index + step
    return stops[at] if 0 <= at < len(stops) else None


def _found(text: str, layout: ParsedLayout, opening: Opening) -> dict[str, Any]:
    """What a search inside the document found."""
    if opening.found is None:
        return {"words": "", "found": None, "results": []}
    places = Places(text=text, blocks=layout.blocks, pages=layout.pages)
    results = [
        {
            "link": address(stop, opening.kept),
            "excerpt": excerpt(text, stop.range),
            "page": places.page_at(stop.start),
            "current": at == opening.index,
        }
        for at, stop in enumerate(opening.stops)
    ]
    return {"words": opening.words, "found": opening.found, "results": results, "listed": LISTED}
