"""The pages of versions, dates and comparisons, over rows and files that ingestion would write."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from knowledge.documents import ingest
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.types import Block, BlockKind, ParsedDocument

pytestmark = pytest.mark.django_db

FEES = "The fee for a duplicate badge is 12 euros and is paid at the desk."
VISITORS = "Visitors register at the <reception> before they enter."


@pytest.fixture(autouse=True)
def static_root(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT, settings.TIME_ZONE = tmp_path, "UTC"


def add(document: Document, *parts: str, **fields: Any) -> DocumentVersion:
    """Add a live version of these paragraphs; the first one is a heading, each stands on a page of its own."""
    blocks, at = [], 0
    for number, part in enumerate(parts):
        kind = BlockKind.PARAGRAPH if number else BlockKind.HEADING
        blocks.append(Block(ordinal=number, kind=kind, start=at, end=at + len(part), page_first=number + 1, level=1))
        at += len(part) + 2
    document.latest_number += 1
    version = DocumentVersion.objects.create(
        document=document, number=document.latest_number, filename="fees.md", size=10, state="live", chunk_count=3,
        sha256=f"{document.latest_number:064x}", **fields,
    )  # fmt: skip
    ingest.keep(
        version,
        ParsedDocument(
            text="\n\n".join(parts), blocks=tuple(blocks), parser="t", parser_version="1", media_type="text/plain"
        ),
    )
    DocumentVersion.objects.filter(document=document).exclude(pk=version.pk).update(state="archived")
    document.current_version = version
    document.save()
    return version


@pytest.fixture
def document(tenant: Any, owner: Any) -> Document:
    base = KnowledgeBase.objects.create(tenant=tenant, name="Rules", slug="rules")
    row = Document.objects.create(tenant=tenant, knowledge_base=base, name="fees.md", title="Fees", status="ready")
    add(row, "Fees", FEES, VISITORS, created_by=owner)
    add(row, "Fees", FEES.replace("12", "15"), VISITORS, restored_from=1)
    return row


@pytest.fixture
def as_user(make_user: Callable[..., Any], tenant: Any) -> Callable[[str], Client]:
    def sign_in(role: str, where: Any = tenant) -> Client:
        client = Client()
        client.force_login(make_user(f"{role}@{where.slug}.test", tenant=where, role=role))
        return client

    return sign_in


def shown(html: str) -> str:
    """The words of a page, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# --- versions -------------------------------------------------------------------------------------


def test_versions_are_listed_with_what_is_known_of_them(as_user: Any, document: Document) -> None:
    html = as_user("editor").get(f"/documents/{document.pk}/versions/").content.decode()
    rows = [shown(row) for row in re.findall(r"<tr[^>]*data-version.*?</tr>", html, re.DOTALL)]
    assert rows[0].startswith("2 restored from 1 Current")
    assert rows[1].startswith("1 Earlier version")
    assert "owner@acme.test" in rows[1]
    assert "Restore" not in rows[0]
    assert rows[1].endswith("Read Compare Restore")
    assert f"/documents/{document.pk}/compare/?from=1&amp;to=2" in html
    assert f"/documents/{document.pk}/v/1/" in html
    assert 'type="file"' in html


def test_readers_read_and_compare_only(as_user: Any, document: Document) -> None:
    reader = as_user("reader")
    html = reader.get(f"/documents/{document.pk}/versions/").content.decode()
    assert "data-restore" not in html
    assert 'type="file"' not in html
    assert '<form method="post" action="/documents' not in html
    assert "/compare/?from=1" in html
    assert reader.post(f"/documents/{document.pk}/versions/dates", {"expires": "2099-01-01"}).status_code == 404
    document.refresh_from_db()
    assert document.expires is None


def test_strangers_and_nobody_see_nothing(as_user: Any, document: Document, other_tenant: Any) -> None:
    stranger = as_user("owner", other_tenant)
    for path in ("versions/", "compare/", "compare/?from=1&to=2"):
        assert stranger.get(f"/documents/{document.pk}/{path}").status_code == 404
        assert stranger.get(f"/documents/{uuid.uuid4()}/{path}").status_code == 404
        assert Client().get(f"/documents/{document.pk}/{path}").status_code == 302
    assert stranger.post(f"/documents/{document.pk}/versions/dates", {}).status_code == 404


def test_states_are_told(as_user: Any, document: Document) -> None:
    for number, state in ((3, "archived"), (4, "failed"), (5, "pending")):
        DocumentVersion.objects.create(
            document=document, number=number, filename="f", size=1, sha256=str(number), state=state
        )
    Document.objects.filter(pk=document.pk).update(latest_number=5, status="parsing")
    html = as_user("editor").get(f"/documents/{document.pk}/versions/").content.decode()
    rows = [shown(row) for row in re.findall(r"<tr[^>]*data-version.*?</tr>", html, re.DOTALL)]
    assert [row.split(" ", 1)[1].split("  ")[0][:8] for row in rows] == [
        "Reading ",
        "Failed 2",
        "Never re",
        "restored",
        "Earlier ",
    ]
    assert 'data-restore="5"' not in html
    assert 'data-restore="4"' in html
    assert 'role="status" data-status>' in html


def test_queries_do_not_grow_with_versions(as_user: Any, document: Document) -> None:
    client = as_user("editor")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/documents/{document.pk}/versions/")
        return len(queries)

    before = count()
    for _ in range(8):
        add(document, "Fees", FEES)
    assert count() == before


# --- dates ----------------------------------------------------------------------------------------


def test_days_are_set_and_shown(as_user: Any, document: Document) -> None:
    client, path = as_user("editor"), f"/documents/{document.pk}/versions/dates"
    response = client.post(path, {"valid_from": "2099-03-01", "valid_until": "", "expires": ""}, follow=True)
    html = response.content.decode()
    assert "The dates are saved." in html
    assert "not searched before 1 March 2099" in html
    assert "Current, not searched now" in html
    assert 'value="2099-03-01"' in html
    document.refresh_from_db()
    assert (document.valid_from, document.valid_until, document.expires) == (
        datetime(2099, 3, 1, tzinfo=UTC),
        None,
        None,
    )
    reader = as_user("reader").get(f"/documents/{document.pk}/versions/").content.decode()
    assert "Valid from" in reader
    assert "1 March 2099" in reader
    assert "not searched before 1 March 2099" in as_user("member").get(f"/documents/{document.pk}/").content.decode()


def test_a_day_means_midnight_where_the_product_is(as_user: Any, document: Document, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    timezone.deactivate()
    as_user("editor").post(f"/documents/{document.pk}/versions/dates", {"valid_until": "2099-07-01"})
    document.refresh_from_db()
    assert document.valid_until == datetime(2099, 6, 30, 22, tzinfo=UTC)


def test_a_moment_set_elsewhere_stays_unless_its_day_is_changed(as_user: Any, document: Document) -> None:
    moment = datetime(2099, 3, 1, 14, 30, tzinfo=UTC)
    Document.objects.filter(pk=document.pk).update(valid_from=moment)
    client, path = as_user("editor"), f"/documents/{document.pk}/versions/dates"
    client.post(path, {"valid_from": "2099-03-01", "expires": "2099-06-01"})
    document.refresh_from_db()
    assert (document.valid_from, document.expires) == (moment, datetime(2099, 6, 1, tzinfo=UTC))
    client.post(path, {"valid_from": "", "expires": "2099-06-01"})
    document.refresh_from_db()
    assert document.valid_from is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"valid_from": "soon"}, "This is not a date. Write it like 2027-03-01."),
        ({"valid_from": "0001-01-01"}, "greater than or equal to"),
        ({"expires": "2001-01-01"}, "The date in expires is over."),
        ({"valid_from": "2099-01-02", "valid_until": "2099-01-01"}, "must become valid before it stops being valid"),
    ],
)
def test_dates_that_make_no_sense_are_told_beside_what_was_typed(
    as_user: Any, document: Document, given: dict[str, str], words: str
) -> None:
    response = as_user("editor").post(f"/documents/{document.pk}/versions/dates", given)
    assert response.status_code == 422
    html = response.content.decode()
    assert words in html
    assert f'value="{next(iter(given.values()))}"' in html
    document.refresh_from_db()
    assert (document.valid_from, document.valid_until, document.expires) == (None, None, None)


# --- comparing ------------------------------------------------------------------------------------


def test_changed_words_stand_beside_each_other_and_lead_to_both_versions(as_user: Any, document: Document) -> None:
    html = as_user("reader").get(f"/documents/{document.pk}/compare/").content.decode()
    assert "<del>12</del>" in html
    assert "<ins>15</ins>" in html
    assert "1 paragraph changed" in shown(html)
    assert "2 unchanged" in shown(html)
    assert "&lt;reception&gt;" in html
    start = len("Fees\n\n")
    place = f"?start={start}&amp;end={start + len(FEES)}#match"
    for number in (1, 2):
        assert f"/documents/{document.pk}/v/{number}/{place}" in html
    assert 'id="change-1"' in html


def test_which_versions_are_compared_is_chosen(as_user: Any, document: Document) -> None:
    add(document, "Fees", FEES, VISITORS)
    client, path = as_user("reader"), f"/documents/{document.pk}/compare/"
    for query, words in (
        ("", "<ins>12</ins>"),
        ("?from=1", "is the same"),
        ("?from=2&to=1", "<ins>12</ins>"),
        ("?from=1&to=1", "This is one version"),
    ):
        assert words in client.get(path + query).content.decode(), query
    for query in ("?from=9", "?to=0", "?from=x", "?to=", "?from=-1", "?from=" + "9" * 30):
        assert client.get(path + query).status_code == 404, query


def test_long_stretches_are_folded_and_long_comparisons_come_in_parts(as_user: Any, document: Document) -> None:
    old = [f"Paragraph number {n} says this and that." for n in range(600)]
    new = [part.replace("this", "something else") if n >= 200 else part for n, part in enumerate(old)]
    add(document, "Fees", *old)
    add(document, "Fees", *new)
    client, path = as_user("reader"), f"/documents/{document.pk}/compare/?from=3&to=4"
    html = client.get(path).content.decode()
    assert "400 paragraphs changed" in shown(html)
    assert "200 unchanged paragraphs" in html  # heading and 200 paragraphs, without the one beside the change
    assert "184 more: read them in version 4" in html
    assert html.count('class="compare-row changed"') == 150
    assert "Part 1 of 3" in html
    assert '&amp;part=2" data-part="after"' in html
    last = client.get(f"{path}&part=99").content.decode()
    assert "Part 3 of 3" in last
    assert last.count('class="compare-row changed"') == 100
    assert 'data-part="after"' not in last


def test_moved_headings_and_pages_are_named(as_user: Any, document: Document) -> None:
    add(document, "Fees and costs", FEES, VISITORS)
    add(document, VISITORS, "An inserted page that is new.", FEES)
    html = shown(as_user("reader").get(f"/documents/{document.pk}/compare/?from=3&to=4").content.decode())
    assert "Page 2 is now page 3" in html


def test_what_has_no_text_is_not_compared(as_user: Any, tenant: Any) -> None:
    base = KnowledgeBase.objects.create(tenant=tenant, name="Rules", slug="rules")
    row = Document.objects.create(tenant=tenant, knowledge_base=base, name="x", title="x", status="queued")
    DocumentVersion.objects.create(document=row, number=1, filename="x", size=1, sha256="x")
    client = as_user("reader")
    assert client.get(f"/documents/{row.pk}/compare/").status_code == 404
    assert client.get(f"/documents/{row.pk}/compare/?from=1&to=1").status_code == 404
    assert client.get(f"/documents/{row.pk}/versions/").status_code == 200


def test_an_old_version_leads_to_the_comparison_with_the_current_one(as_user: Any, document: Document) -> None:
    html = as_user("reader").get(f"/documents/{document.pk}/v/1/").content.decode()
    assert f"{reverse('reader:compare', args=[document.pk])}?from=1&amp;to=2" in html
    assert reverse("reader:versions", args=[document.pk]) in html


def test_fifty_thousand_paragraphs_are_compared_in_seconds(as_user: Any, document: Document) -> None:
    old = [f"Paragraph number {n} says this and that." for n in range(50_000)]
    add(document, "Fees", *old)
    add(document, "Fees", *[part.replace("this", "something") if n % 100 == 0 else part for n, part in enumerate(old)])
    client = as_user("reader")
    began = time.process_time()
    html = client.get(f"/documents/{document.pk}/compare/?from=3&to=4").content.decode()
    spent = time.process_time() - began
    print(f"{spent:.1f} s of the processor, {len(html) // 1000} kB")
    assert "500 paragraphs changed" in shown(html)
    assert spent < 15
    assert len(html) < 3_000_000
