"""Names that are paths, code or nothing, and uploads that meet each other: rows N01 and S01 of section 4.1.

What happens to a version that is replaced or deleted while it is processed: test_jobs.py and test_deletion.py.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from hostile_names import FILE_NAMES, NFC, NFD

from knowledge.documents.models import Document, IngestionJob

pytestmark = pytest.mark.django_db(transaction=True)

BOUNDARY = "hostile-boundary"
OUR_NAMES = re.compile(r"original|text\.txt|layout\.json\.gz|terms-[0-9a-f-]{36}\.json\.gz|tokens-[a-z0-9-]+\.bin")
MARKUP = "<img src=x onerror=alert(1)>.txt"


def form(name: str, content: bytes) -> bytes:
    """A form as a hostile client may send it: Django's own would not let such names through."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "surrogatepass")
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % (BOUNDARY.encode(), quoted)
    return head + content + b"\r\n--%s--\r\n" % BOUNDARY.encode()


@pytest.fixture
def send(api_key: str, world: Any) -> Callable[[str, bytes], tuple[int, Any]]:
    """Call with a file name and content; returns the status and the decoded answer."""

    def post(name: str, content: bytes) -> tuple[int, Any]:
        client = Client(headers={"authorization": f"Bearer {api_key}"}, raise_request_exception=False)
        reply = client.generic(
            "POST",
            f"/api/v1/knowledge-bases/{world.base.pk}/documents",
            form(name, content),
            content_type=f"multipart/form-data; boundary={BOUNDARY}",
        )
        return reply.status_code, json.loads(reply.content)

    return post


def stored_files() -> list[Path]:
    return [path for path in Path(default_storage.location).rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", FILE_NAMES.values(), ids=FILE_NAMES.keys())
def test_any_file_name_is_a_label_or_refused_in_words(send: Any, world: Any, name: str) -> None:
    before = set(stored_files())
    status, answer = send(name, b"The heron sleeps.")
    if status >= 400:  # no file at all to the one who reads the form
        assert status in (400, 422)
        assert answer["detail"]
        assert not Document.objects.exists()
        return
    assert status == 202
    world.work()
    document = Document.objects.get()
    label = document.versions.get().filename
    assert document.status == "ready", document.error
    assert label
    assert not set(label) & set("/\\\0\n\r\u202e")
    assert label.isprintable()
    assert len(label) <= 300
    folder = Path(default_storage.path(f"{document.tenant_id}/{document.pk}"))
    made = set(stored_files()) - before
    assert made
    assert all(folder in path.parents for path in made)
    assert [path.name for path in made if not OUR_NAMES.fullmatch(path.name)] == []


def test_names_that_only_look_the_same_are_two_documents(send: Any, world: Any) -> None:
    assert send(NFC, b"The heron sleeps.")[0] == send(NFD, b"The heron wakes.")[0] == 202
    world.work()
    assert sorted(Document.objects.values_list("name", flat=True)) == sorted((NFC, NFD))
    assert set(Document.objects.values_list("latest_number", "status")) == {(1, "ready")}


def test_a_name_of_markup_is_shown_as_text(send: Any, world: Any, owner: Any) -> None:
    assert send(MARKUP, b"The heron sleeps.")[0] == 202
    world.work()
    document = Document.objects.get()
    client = Client()
    client.force_login(owner)
    reader = client.get(f"/documents/{document.pk}/").content.decode()
    assert "<img src=x" not in reader
    assert "&lt;img src=x onerror=alert(1)&gt;" in reader
    assert "<img src=x" not in client.get("/documents/").content.decode()  # its rows are drawn by a script


def at_once(action: Callable[[int], object], count: int) -> list[object]:
    """Run the action in threads that start at one moment; return what came of each, or the exception."""
    gate = threading.Barrier(count)
    results: list[object] = [None] * count

    def run(number: int) -> None:
        try:
            gate.wait()
            results[number] = action(number)
        except Exception as err:
            results[number] = err
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_same_file_twenty_times_at_once_is_one_document(send: Any, world: Any) -> None:
    results = at_once(lambda _: send("heron.txt", b"The heron sleeps on one leg."), 20)
    assert [result[0] if isinstance(result, tuple) else result for result in results] == [202] * 20
    assert len({result[1]["id"] for result in results if isinstance(result, tuple)}) == 1
    world.work()
    document = Document.objects.get()
    assert (document.status, document.versions.count(), IngestionJob.objects.count()) == ("ready", 1, 1)
    assert world.keys() == world.rows()
    assert len(world.keys()) == 1
    assert world.stated() == world.counted()


def test_other_content_under_one_name_at_once_leaves_the_newest_and_no_orphans(send: Any, world: Any) -> None:
    results = at_once(lambda number: send("heron.txt", b"Heron number %d sleeps." % number), 10)
    assert [result[0] if isinstance(result, tuple) else result for result in results] == [202] * 10
    while world.work():
        pass
    document = Document.objects.get()
    assert (document.status, document.versions.count()) == ("ready", 10)
    assert document.current_version.number == 10
    assert world.keys() == world.rows()
    assert len(world.keys()) == 1
    assert world.stated() == world.counted()
