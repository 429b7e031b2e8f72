from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from chatapp.reader.downloads import PIECE
from knowledge.documents import files
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase

pytestmark = pytest.mark.django_db

BYTES = bytes(range(256)) * 4_000  # about a megabyte: several pieces
SIZE = len(BYTES)


@pytest.fixture
def version(tenant: Any, settings: Any, tmp_path: Any) -> DocumentVersion:
    settings.STATIC_ROOT = tmp_path
    base = KnowledgeBase.objects.create(tenant=tenant, name="Leases", slug="leases")
    document = Document.objects.create(
        tenant=tenant, knowledge_base=base, name="a.pdf", title="A", status=Document.Status.READY
    )
    row = DocumentVersion.objects.create(
        document=document, number=1, filename='Miete "2026" – Übersicht.pdf', size=SIZE, sha256="a" * 64,
        text_sha256="b" * 64, media_type="application/pdf",
    )  # fmt: skip
    files.save_upload(row, ContentFile(BYTES))
    return row


@pytest.fixture
def get(client: Client, member: Any, version: DocumentVersion) -> Callable[..., Any]:
    client.force_login(member)
    return lambda method="get", **headers: getattr(client, method)(address(version), headers=headers)


def address(version: DocumentVersion) -> str:
    return f"/documents/{version.document_id}/v/{version.number}/file"


def body(response: Any) -> bytes:
    async def read() -> list[bytes]:
        return [part async for part in response.streaming_content]

    return b"".join(asyncio.run(read()))


def test_the_bytes_come_as_a_file_to_save_and_can_do_nothing(get: Callable[..., Any]) -> None:
    response = get()
    assert response.status_code == 200
    assert body(response) == BYTES
    assert response["Content-Length"] == str(SIZE)
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''Miete%20%222026%22")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        (f"bytes=0-{PIECE}", 0, PIECE + 1),
        (f"bytes={SIZE - 5}-", SIZE - 5, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes={SIZE - 5}-{SIZE * 9}", SIZE - 5, SIZE),
    ],
)
def test_a_range_is_answered_with_just_that(get: Callable[..., Any], asked: str, start: int, end: int) -> None:
    response = get(range=asked)
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert response["Content-Length"] == str(end - start)
    assert body(response) == BYTES[start:end]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=999999999-", "bytes=-0"])
def test_a_range_outside_the_file_is_refused_with_its_size(get: Callable[..., Any], asked: str) -> None:
    response = get(range=asked)
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{SIZE}"
    assert response.content == b""


@pytest.mark.parametrize(
    "asked", ["bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-5", "bytes=a-b", "bytes=²-3", "bytes=" + "9" * 40 + "-"]
)
def test_what_is_no_single_range_gets_the_whole_file(get: Callable[..., Any], asked: str) -> None:
    response = get(range=asked)
    assert response.status_code == 200
    assert response["Content-Length"] == str(SIZE)


def test_a_range_of_another_file_gets_the_whole_one(get: Callable[..., Any]) -> None:
    assert get(**{"range": "bytes=0-9", "if-range": '"other"'}).status_code == 200
    assert get(**{"range": "bytes=0-9", "if-range": get()["ETag"]}).status_code == 206


def test_a_head_request_reads_nothing(get: Callable[..., Any]) -> None:
    response = get("head")
    assert (response.status_code, response["Content-Length"]) == (200, str(SIZE))
    assert not response.streaming
    assert get("post").status_code == 405


def test_the_file_is_read_in_pieces(get: Callable[..., Any]) -> None:
    response = get()

    async def sizes() -> list[int]:
        return [len(part) async for part in response.streaming_content]

    assert asyncio.run(sizes()) == [PIECE, PIECE, PIECE, SIZE - 3 * PIECE]


def test_the_type_is_ours_or_none_at_all(get: Callable[..., Any], version: DocumentVersion) -> None:
    DocumentVersion.objects.update(media_type="text/x-invented; charset=evil")
    assert get()["Content-Type"] == "application/octet-stream"


def test_foreign_missing_and_lost_files_look_the_same(
    client: Client, get: Callable[..., Any], version: DocumentVersion, other_tenant: Any, make_user: Callable[..., Any]
) -> None:
    files.remove(version, files.ORIGINAL)
    assert get().status_code == 404
    client.force_login(make_user("stranger@globex.test", tenant=other_tenant))
    assert client.get(address(version)).status_code == 404
    assert client.get(f"/documents/{uuid.uuid4()}/v/1/file").status_code == 404
    assert client.get(f"/documents/{version.document_id}/v/2/file").status_code == 404
    client.logout()
    assert client.get(address(version)).status_code == 302


def test_a_document_that_is_being_deleted_hands_out_nothing(get: Callable[..., Any]) -> None:
    Document.objects.update(status=Document.Status.DELETING)
    assert get().status_code == 404


def test_who_may_only_read_may_save(client: Client, version: DocumentVersion, make_user: Callable[..., Any]) -> None:
    client.force_login(make_user("reader@acme.test", tenant=version.document.tenant, role="reader"))
    assert client.get(address(version)).status_code == 200
