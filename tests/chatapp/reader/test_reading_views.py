from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from chatapp.reader.reading_views import STRIP
from knowledge.documents import ingest
from knowledge.documents.models import Chunk, Document, DocumentVersion, IndexGeneration, IngestionJob, KnowledgeBase
from knowledge.types import Block, BlockKind, CharBoxes, Page, ParsedDocument

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def static_root(settings: Any, tmp_path: Path) -> None:
    """WhiteNoise warns about a folder that is missing, and a warning is an error here."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def document(tenant: Any) -> Document:
    base = KnowledgeBase.objects.create(tenant=tenant, name="Leases", slug="leases")
    return Document.objects.create(
        tenant=tenant, knowledge_base=base, name="lease.pdf", title="Lease", status=Document.Status.READY
    )


def new_version(document: Document, **fields: Any) -> DocumentVersion:
    document.latest_number += 1
    document.save()
    values = {"filename": "lease.pdf", "size": 12_345, "sha256": f"{document.latest_number:064x}", **fields}
    return DocumentVersion.objects.create(document=document, number=document.latest_number, **values)


def paged(*pages: list[str], media_type: str = "application/pdf", warnings: tuple[str, ...] = ()) -> ParsedDocument:
    """A document whose blocks stand below each other, a character 5 points wide, 20 points from block to block."""
    text, blocks, found, page_of, xyxy = "", [], [], [], []
    for number, words in enumerate(pages, start=1):
        begun = len(text)
        for row, part in enumerate(words):
            kind = BlockKind.PARAGRAPH if row or number > 1 else BlockKind.HEADING
            blocks.append(
                Block(
                    ordinal=len(blocks), kind=kind, start=len(text), end=len(text) + len(part), page_first=number,
                    page_last=number, level=None if kind is BlockKind.PARAGRAPH else 1,
                )
            )  # fmt: skip
            y = 700 - 20 * row
            page_of += [number] * len(part) + [0, 0]
            xyxy += [(50 + 5 * at, y, 55 + 5 * at, y + 10) for at in range(len(part))] + [(0, 0, 0, 0)] * 2
            text += part + "\n\n"
        count = sum(len(part.replace(" ", "")) for part in words)
        source = "text" if words else "none"
        found.append(
            Page(number=number, start=begun, end=len(text), width=612, height=792, characters=count, source=source)
        )
    return ParsedDocument(
        text=text, blocks=tuple(blocks), parser="pdf", parser_version="7", media_type=media_type, pages=tuple(found),
        boxes=CharBoxes(page=np.array(page_of, np.uint16), xyxy=np.array(xyxy, np.float32).reshape(-1, 4)),
        warnings=warnings,
    )  # fmt: skip


def keep(document: Document, parsed: ParsedDocument, **fields: Any) -> DocumentVersion:
    version = new_version(document, state=DocumentVersion.State.LIVE, **fields)
    ingest.keep(version, parsed)
    document.current_version = version
    document.save()
    return version


@pytest.fixture
def get(client: Client, owner: Any) -> Callable[[str], Any]:
    client.force_login(owner)
    return client.get


def address(document: Document, number: int = 1, query: str = "") -> str:
    return f"/documents/{document.pk}/v/{number}/reading{query}"


def body(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def data(html: str) -> Any:
    found = re.search(r'<script id="reading-data" type="application/json">(.*?)</script>', html)
    assert found
    return json.loads(found[1])


LEASE = paged(["Rent", "The rent is <b>1,200</b> euros."], ["Pets are allowed."])


def test_an_editor_sees_how_it_was_read(get: Callable[[str], Any], document: Document) -> None:
    keep(document, replace(LEASE, warnings=("Page 1 holds hidden text.", "A DTD was refused.")), chunk_count=4)
    html = body(get(address(document)))
    assert "<dd>pdf 7</dd>" in html
    assert "<dd>application/pdf</dd>" in html
    for name, value in (("Pages", 2), ("Blocks", 3), ("Passages indexed", 4), ("Characters", len(LEASE.text))):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html
    assert '<li dir="auto">A DTD was refused.</li>' in html
    assert "The rent is &lt;b&gt;1,200&lt;/b&gt; euros." in html
    assert "Pets are allowed." not in html  # of another page


def test_the_newest_version_is_shown_without_a_number(get: Callable[[str], Any], document: Document) -> None:
    keep(document, LEASE)
    keep(document, paged(["New lease"]))
    assert "New lease" in body(get(f"/documents/{document.pk}/reading"))


@pytest.mark.parametrize("role", ["member", "reader"])
def test_who_may_not_edit_finds_nothing(
    client: Client, document: Document, make_user: Callable[..., Any], role: str
) -> None:
    keep(document, LEASE)
    client.force_login(make_user("other@acme.test", tenant=document.tenant, role=role))
    seen = client.get(address(document))
    missing = client.get(f"/documents/{uuid.uuid4()}/v/1/reading")
    assert seen.status_code == missing.status_code == 404
    without_token = re.compile(r'(?<=content=")\w{64}|(?<=value=")\w{64}')
    assert without_token.sub("", seen.content.decode()) == without_token.sub("", missing.content.decode())
    assert "How it was read" not in client.get(f"/documents/{document.pk}/v/1/").content.decode()


@pytest.mark.parametrize("role", ["owner", "admin", "editor"])
def test_who_may_edit_is_led_there_from_the_reader(
    client: Client, document: Document, make_user: Callable[..., Any], role: str
) -> None:
    keep(document, LEASE)
    client.force_login(make_user("other@acme.test", tenant=document.tenant, role=role))
    assert address(document) in client.get(f"/documents/{document.pk}/").content.decode()
    assert client.get(address(document)).status_code == 200


def test_a_stranger_finds_nothing(
    client: Client, document: Document, other_tenant: Any, make_user: Callable[..., Any]
) -> None:
    keep(document, LEASE)
    client.force_login(make_user("owner@globex.test", tenant=other_tenant, role="owner"))
    assert client.get(address(document)).status_code == 404
    assert client.get(f"/documents/{document.pk}/reading").status_code == 404
    client.logout()
    assert client.get(address(document)).status_code == 302


@pytest.mark.parametrize("number", [0, 2, 2**31, 10**30])
def test_a_version_that_does_not_exist_is_not_found(get: Callable[[str], Any], document: Document, number: int) -> None:
    keep(document, LEASE)
    assert get(address(document, number)).status_code == 404


def test_a_document_that_is_being_deleted_is_not_found(get: Callable[[str], Any], document: Document) -> None:
    keep(document, LEASE)
    Document.objects.update(status=Document.Status.DELETING)
    assert get(address(document)).status_code == 404


# --- versions without text


def fail(document: Document, error: str, *, for_good: bool) -> DocumentVersion:
    version = new_version(document, state=DocumentVersion.State.FAILED)
    document.status, document.error, document.failed_for_good = Document.Status.FAILED, error, for_good
    document.save()
    IngestionJob.objects.create(
        kind="ingest", document=document, document_ref=document.pk, version=version, tenant=document.tenant,
        state=IngestionJob.State.FAILED, last_error=error, not_before=timezone.now(),
    )  # fmt: skip
    return version


@pytest.mark.parametrize(
    ("for_good", "advice"),
    [(True, "Upload a readable file under the same name"), (False, "choose <strong>Retry</strong>")],
)
def test_a_document_that_failed_says_why_and_what_to_do(
    get: Callable[[str], Any], document: Document, for_good: bool, advice: str
) -> None:
    fail(document, "The file is password <protected>.", for_good=for_good)
    html = body(get(address(document)))
    assert "The file is password &lt;protected&gt;." in html
    assert advice in html
    assert "reading-data" not in html
    assert "Open in the reader" not in html


def test_an_older_version_keeps_the_reason_of_its_own(get: Callable[[str], Any], document: Document) -> None:
    fail(document, "The file is damaged.", for_good=True)
    keep(document, LEASE)
    Document.objects.update(status=Document.Status.READY, error="")
    assert "The file is damaged." in body(get(address(document, 1)))
    assert "The file is damaged." not in body(get(address(document, 2)))


@pytest.mark.parametrize("status", ["queued", "parsing"])
def test_a_version_that_waits_says_so(get: Callable[[str], Any], document: Document, status: str) -> None:
    new_version(document)
    Document.objects.update(status=status)
    assert "has not been read yet" in body(get(address(document)))


def test_text_that_could_not_be_indexed_is_shown_with_the_reason(get: Callable[[str], Any], document: Document) -> None:
    keep(document, LEASE)
    Document.objects.update(status=Document.Status.FAILED, error="The search index is busy.")
    html = body(get(address(document)))
    assert "The search index is busy." in html
    assert "The rent is" in html


# --- pages


def test_scanned_and_empty_pages_are_flagged(get: Callable[[str], Any], document: Document) -> None:
    parsed = paged(["Words that were set, all of them"], ["Words of a scan, all of them"], [], ["Layer of a scanner"])
    pages = list(parsed.pages)
    pages[1], pages[3] = replace(pages[1], source="ocr"), replace(pages[3], source="ocr-layer", bad=4)
    blocks = [
        replace(block, attrs={"source": "ocr", "confidence": 0.62}) if block.page_first == 2 else block
        for block in parsed.blocks
    ]
    keep(document, replace(parsed, pages=tuple(pages), blocks=tuple(blocks)))
    html = body(get(address(document, query="?page=2")))
    strip = html[html.index('<ol class="strip"') : html.index("</ol>")].split("<li>")[1:]
    assert [re.findall(r'class="flag [^"]*">([^<]*)', row) for row in strip] == [
        ["Text"],
        ["Read by OCR, 62 % sure"],
        ["No text"],
        ["Layer of a scanner", "27 % unreadable"],
    ]
    look = re.findall(r'<li><a href="\?page=(\d)#page">Page \d</a> ([^<]*)</li>', html)
    assert look == [
        ("3", "no text"),
        ("4", "27 % of the characters are unreadable"),
        ("2", "text recognition was only 62 % sure"),
    ]
    assert '<a href="?page=2#page" aria-current="page">' in html
    assert "62 % sure</li>" in html  # of its block
    assert "No text was read on this page." in body(get(address(document, query="?page=3")))


@pytest.mark.parametrize(("asked", "shown"), [("9", 2), ("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("9" * 30, 1)])
def test_a_page_that_does_not_exist_is_said(
    get: Callable[[str], Any], document: Document, asked: str, shown: int
) -> None:
    keep(document, LEASE)
    html = body(get(address(document, query=f"?page={asked}")))
    assert "There is no page" in html
    assert f"this is page {shown} of 2" in html
    assert data(html)["page"] == shown


def test_outlines_lie_where_the_words_of_their_block_are(get: Callable[[str], Any], document: Document) -> None:
    keep(document, LEASE)
    found = data(body(get(address(document))))
    assert (found["drawn"], found["size"]) == ("pdf", [612, 792])
    assert found["file"] == f"/documents/{document.pk}/v/1/file"
    words = len("The rent is <b>1,200</b> euros.")
    assert [(one["sign"], one["rects"]) for one in found["outlines"]] == [
        ("1 H1", [[1, 50, 700, 70, 710]]),
        ("2 P", [[1, 50, 680, 50 + 5 * words, 690]]),
    ]
    assert found["outlines"][1]["label"] == "2, Paragraph: The rent is <b>1,200</b> euros."


def test_a_block_without_a_place_says_so(get: Callable[[str], Any], document: Document) -> None:
    assert LEASE.boxes is not None
    pages = LEASE.boxes.page.copy()
    pages[6:20] = 0
    pages[20:37] = 0
    keep(document, replace(LEASE, boxes=CharBoxes(page=pages, xyxy=LEASE.boxes.xyxy)))
    html = body(get(address(document)))
    assert html.count("has no place on the page") == 1
    assert [one["block"] for one in data(html)["outlines"]] == [0]


def test_passages_are_marked_where_they_begin_and_end(get: Callable[[str], Any], document: Document) -> None:
    version = keep(document, LEASE)
    base = document.knowledge_base
    live, old = (
        IndexGeneration.objects.create(knowledge_base=base, dimension=3, space=name) for name in ("live", "old")
    )
    base.live_generation = live
    base.save()
    ends = [(live, 0, 0, 10), (live, 1, 10, 37), (live, 2, 39, 50), (old, 0, 3, 4)]
    for generation, ordinal, start, end in ends:
        Chunk.objects.create(
            id=uuid.uuid4(), version=version, generation=generation, ordinal=ordinal, start=start, end=end
        )
    html = body(get(address(document)))
    assert re.findall(r'class="cut (\w+)" title="Passage (\d)', html) == [
        ("begin", "1"), ("end", "1"), ("begin", "2"), ("end", "2"),
    ]  # fmt: skip


def test_five_thousand_pages_show_a_hundred_at_once_and_soon(
    get: Callable[[str], Any], document: Document, django_assert_max_num_queries: Any
) -> None:
    pages = [[f"Heading {page}", *[f"Paragraph {row} of page {page}." for row in range(8)]] for page in range(1, 5_001)]
    pages[4_321] = []
    keep(document, paged(*pages))
    began = time.monotonic()
    with django_assert_max_num_queries(10):
        html = body(get(address(document, query="?page=4242")))
    assert time.monotonic() - began < 20
    strip = [int(page) for page in re.findall(r'<li><a href="\?page=(\d+)#page"(?: aria-current="page")?>\s', html)]
    assert strip == list(range(4_201, 4_201 + STRIP))
    assert 'href="?page=4200"' in html
    assert 'href="?page=4301"' in html
    assert re.findall(r'<li><a href="\?page=(\d+)#page">Page', html) == ["4322"]
    assert "Paragraph 7 of page 4242." in html
    assert "Paragraph 7 of page 4241." not in html
    assert [one["rects"][0][0] for one in data(html)["outlines"]] == [4242] * 9
    assert len(html) < 200_000


def test_many_pages_to_look_at_are_counted_not_listed(get: Callable[[str], Any], document: Document) -> None:
    keep(document, paged(["Some words"], *[[] for _ in range(1_234)]))
    html = body(get(address(document)))
    assert "<li>and 1,222 more</li>" in html


# --- what is drawn


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp", "image/bmp"])
def test_a_picture_is_shown_by_the_browser_itself(
    get: Callable[[str], Any], document: Document, media_type: str
) -> None:
    keep(document, paged(["Notice to all"], ["Overleaf"], media_type=media_type))
    html = body(get(address(document)))
    assert f'<img src="/documents/{document.pk}/v/1/file"' in html
    assert data(html)["drawn"] == "picture"
    assert len(data(html)["outlines"]) == 1
    second = body(get(address(document, query="?page=2")))
    assert "<img" not in second
    assert "Browsers show only the first picture of this file." in second


def test_a_tiff_is_read_without_its_picture(get: Callable[[str], Any], document: Document) -> None:
    keep(document, paged(["Notice to all"], media_type="image/tiff"))
    html = body(get(address(document)))
    assert "Browsers cannot show TIFF pictures." in html
    assert "<img" not in html
    assert "Notice to all" in html
    assert "has no place" not in html
    assert data(html)["outlines"] == []


def test_a_format_without_pages_shows_a_window_of_its_blocks(get: Callable[[str], Any], document: Document) -> None:
    parsed = paged([f"Paragraph {row}." for row in range(450)], media_type="text/plain")
    blocks = tuple(replace(block, page_first=None, page_last=None) for block in parsed.blocks)
    keep(document, replace(parsed, blocks=blocks, pages=(), boxes=None))
    html = body(get(address(document)))
    assert "Blocks 1 to 200 <small>of 450</small>" in html
    assert "There is no page" not in html
    following = re.search(r'rel="next" href="(\?from=\d+)#page"', html)
    assert following
    second = body(get(address(document, query=following[1])))
    assert "Blocks 201 to 400 <small>of 450</small>" in second
    assert 'rel="prev"' in second
    assert "Blocks 450 to 450" in body(get(address(document, query="?from=999999999")))


def test_a_presentation_has_slides(get: Callable[[str], Any], document: Document) -> None:
    slides = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    parsed = paged(["Welcome"], [], media_type=slides)
    keep(document, replace(parsed, boxes=None))
    html = body(get(address(document)))
    assert "Look at these slides" in html
    assert "Slide 1 <small>of 2</small>" in html
    assert data(html)["drawn"] == ""


def test_no_inline_code_or_style(get: Callable[[str], Any], document: Document) -> None:
    keep(document, replace(LEASE, warnings=("Something.",)))
    response = get(address(document))
    html = body(response)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)
    for tag in re.findall(r"<script[^>]*>", html):
        assert "src=" in tag or 'type="application/json"' in tag
    assert "img-src 'self'" in response["Content-Security-Policy"]


# --- pictures in the reader


def reader_data(html: str) -> Any:
    return json.loads(re.findall(r'id="reader-data" type="application/json">(.*?)</script>', html)[0])


def test_the_reader_shows_a_picture_with_the_words_lit(get: Callable[[str], Any], document: Document) -> None:
    keep(document, paged(["Notice to all"], media_type="image/png"))
    html = body(get(f"/documents/{document.pk}/?start=0&end=6"))
    found = reader_data(html)
    assert (found["view"], found["drawn"]) == ("pages", "picture")
    assert found["stops"][0]["rects"] == [[1, 50, 700, 80, 710]]
    assert f'<img src="/documents/{document.pk}/v/1/file"' in html
    assert 'data-view-link="pages">Picture</a>' in html
    assert '<mark id="match"' in html  # without scripts
    assert reader_data(body(get(f"/documents/{document.pk}/?view=text")))["view"] == "text"


@pytest.mark.parametrize(("media_type", "pages"), [("image/tiff", 1), ("image/webp", 2)])
def test_what_browsers_cannot_show_is_read_as_text(
    get: Callable[[str], Any], document: Document, media_type: str, pages: int
) -> None:
    keep(document, paged(*[["Notice to all"]] * pages, media_type=media_type))
    html = body(get(f"/documents/{document.pk}/"))
    assert reader_data(html)["view"] == "text"
    assert "<img" not in html
    assert "data-view-link" not in html
