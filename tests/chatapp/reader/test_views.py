from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from knowledge.documents import ingest
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.types import Block, BlockKind, ParsedDocument

pytestmark = pytest.mark.django_db

TEXT = "Rent & costs\n\nThe rent is <b>1,200</b> euros. It is due monthly.\n\nPets are allowed."


def parsed(text: str) -> ParsedDocument:
    blocks, start = [], 0
    for ordinal, part in enumerate(text.split("\n\n")):
        kind = BlockKind.PARAGRAPH if ordinal else BlockKind.HEADING
        blocks.append(
            Block(ordinal=ordinal, kind=kind, start=start, end=start + len(part), level=None if ordinal else 1)
        )
        start += len(part) + 2
    return ParsedDocument(
        text=text, blocks=tuple(blocks), parser="text", parser_version="1", media_type="application/pdf"
    )


def add_version(document: Document, number: int, text: str) -> DocumentVersion:
    version = DocumentVersion.objects.create(
        document=document, number=number, filename="lease.pdf", size=10, sha256=f"{number:064x}"
    )
    ingest.keep(version, parsed(text))
    version.refresh_from_db()
    document.current_version = version
    document.save()
    return version


@pytest.fixture(autouse=True)
def static_root(settings: Any, tmp_path: Path) -> None:
    """WhiteNoise warns about a folder that is missing, and a warning is an error here."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def document(tenant: Any) -> Document:
    base = KnowledgeBase.objects.create(tenant=tenant, name="Leases", slug="leases")
    row = Document.objects.create(
        tenant=tenant, knowledge_base=base, name="lease.pdf", title="Lease", status=Document.Status.READY
    )
    add_version(row, 1, TEXT)
    return row


@pytest.fixture
def page(client: Client, member: Any) -> Callable[[str], Any]:
    client.force_login(member)
    return client.get


def test_the_range_is_marked_and_escaped(page: Callable[[str], Any], document: Document) -> None:
    words = "The rent is <b>1,200</b> euros."
    start = TEXT.index(words)
    html = page(f"/documents/{document.pk}/v/1/?start={start}&end={start + len(words)}").content.decode()
    assert '<mark id="match" tabindex="-1">The rent is &lt;b&gt;1,200&lt;/b&gt; euros.</mark> It is due' in html
    assert html.count("<mark") == 1


def test_the_current_version_is_shown_without_a_number(page: Callable[[str], Any], document: Document) -> None:
    response = page(f"/documents/{document.pk}/")
    assert response.status_code == 200
    assert "Pets are allowed." in response.content.decode()
    assert "<mark" not in response.content.decode()


def test_an_older_version_says_that_a_newer_one_exists(page: Callable[[str], Any], document: Document) -> None:
    add_version(document, 2, TEXT + "\n\nNew clause.")
    older = page(f"/documents/{document.pk}/v/1/").content.decode()
    assert "A newer version exists" in older
    assert "New clause." not in older
    assert "A newer version exists" not in page(f"/documents/{document.pk}/v/2/").content.decode()


@pytest.mark.parametrize("query", ["start=5&end=99999", "start=9&end=3", "start=x&end=4", "start=1"])
def test_an_impossible_range_is_said_and_not_an_error(
    page: Callable[[str], Any], document: Document, query: str
) -> None:
    response = page(f"/documents/{document.pk}/v/1/?{query}")
    assert response.status_code == 200
    assert "could not be found in this version" in response.content.decode()


@pytest.mark.parametrize("begin", ["999999999", "-1", "x", "²", "9" * 30])
def test_an_odd_window_start_is_no_error(page: Callable[[str], Any], document: Document, begin: str) -> None:
    assert page(f"/documents/{document.pk}/?from={begin}").status_code == 200


def test_foreign_and_missing_documents_look_the_same(
    client: Client, document: Document, other_tenant: Any, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("stranger@globex.test", tenant=other_tenant))
    foreign = client.get(f"/documents/{document.pk}/")
    missing = client.get(f"/documents/{uuid.uuid4()}/")
    assert foreign.status_code == missing.status_code == 404
    without_token = re.compile(r'(?<=content=")\w{64}|(?<=value=")\w{64}')
    assert without_token.sub("", foreign.content.decode()) == without_token.sub("", missing.content.decode())


def test_a_version_that_does_not_exist_is_not_found(page: Callable[[str], Any], document: Document) -> None:
    assert page(f"/documents/{document.pk}/v/7/").status_code == 404


@pytest.mark.parametrize("path", ["/documents/", "/", f"/documents/{uuid.UUID(int=1)}/", f"/c/{uuid.UUID(int=1)}/"])
def test_pages_send_a_stranger_to_the_sign_in(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=")


def test_a_user_without_organisation_reads_why(client: Client, make_user: Callable[..., Any]) -> None:
    client.force_login(make_user("new@nowhere.test"))
    response = client.get("/documents/")
    assert response.status_code == 403
    assert "do not belong to an organisation" in response.content.decode()


def test_upload_controls_are_only_for_those_who_may_edit(client: Client, member: Any, owner: Any) -> None:
    client.force_login(owner)
    assert 'type="file"' in client.get("/documents/").content.decode()
    assert '"can_erase": true' in client.get("/documents/").content.decode()
    client.force_login(member)
    assert 'type="file"' not in client.get("/documents/").content.decode()
    assert '"can_erase": false' in client.get("/documents/").content.decode()


def test_a_conversation_of_somebody_else_is_not_found(page: Callable[[str], Any]) -> None:
    assert page(f"/c/{uuid.uuid4()}/").status_code == 404


def test_no_page_holds_inline_code_or_style(page: Callable[[str], Any], client: Client, document: Document) -> None:
    pages = [page(path) for path in ("/", "/documents/", f"/documents/{document.pk}/?start=0&end=4", "/nowhere/")]
    client.logout()
    pages += [client.get(path) for path in ("/accounts/login/", "/accounts/password/reset/")]
    for response in pages:
        html = response.content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html), response.request["PATH_INFO"]
        for tag in re.findall(r"<script[^>]*>", html):
            assert "src=" in tag or 'type="application/json"' in tag
        assert "script-src 'self'" in response["Content-Security-Policy"]


def test_the_theme_cookie_is_rendered_by_the_server(page: Callable[[str], Any], client: Client) -> None:
    client.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in page("/documents/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert 'data-theme="system"' in page("/documents/").content.decode()


def test_reader_asks_no_more_of_the_database_for_a_long_document(
    page: Callable[[str], Any], document: Document, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as short:
        page(f"/documents/{document.pk}/v/1/")
    add_version(document, 2, "\n\n".join(f"Paragraph {number}" for number in range(900)))
    with CaptureQueriesContext(connection) as long:
        page(f"/documents/{document.pk}/v/2/")
    assert len(long) == len(short)


MARKDOWN = (
    "Rules\n\nRead **this <i>first</i>** and [the guide](https://x.test/?a=1&b=%22) or `<b>`.\n\n"
    'Never [click](javascript:alert(1)) or [leave](https://x.test/"onmouseover="x).'
)


@pytest.fixture
def markdown(document: Document) -> Document:
    version = add_version(document, 2, MARKDOWN)
    DocumentVersion.objects.filter(pk=version.pk).update(media_type="text/markdown")
    return document


def test_inline_markdown_is_drawn_from_escaped_texts(page: Callable[[str], Any], markdown: Document) -> None:
    html = page(f"/documents/{markdown.pk}/").content.decode()
    assert "Read <strong>this &lt;i&gt;first&lt;/i&gt;</strong> and <a href=" in html
    link = '<a href="https://x.test/?a=1&amp;b=%22" rel="noopener noreferrer nofollow" target="_blank">the guide</a>'
    assert f"and {link} or <code>&lt;b&gt;</code>." in html
    assert "javascript:" not in html
    assert "Never click or <a href=" in html
    assert '"onmouseover' not in html


def test_the_range_inside_formatting_is_marked(page: Callable[[str], Any], markdown: Document) -> None:
    start, end = MARKDOWN.index("first"), MARKDOWN.index("guide")
    html = page(f"/documents/{markdown.pk}/v/2/?start={start}&end={end}").content.decode()
    assert (
        '<strong>this &lt;i&gt;</strong><mark id="match" tabindex="-1"><strong>first&lt;/i&gt;</strong></mark>' in html
    )
    assert "<mark> and </mark>" in html
    assert ">the </a></mark>" in html
    assert html.count('id="match"') == 1


@pytest.mark.parametrize(
    ("media_type", "kept"), [("message/rfc822", True), ("text/plain", True), ("text/markdown", False)]
)
def test_line_ends_inside_a_paragraph_are_shown_where_they_mean_something(
    page: Callable[[str], Any], document: Document, media_type: str, kept: bool
) -> None:
    version = add_version(document, 2, "Mail\n\nFrom: Ann\nTo: Ben")
    DocumentVersion.objects.filter(pk=version.pk).update(media_type=media_type)
    html = page(f"/documents/{document.pk}/").content.decode()
    assert ('<p dir="auto" class="keep">From: Ann\nTo: Ben</p>' in html) is kept
