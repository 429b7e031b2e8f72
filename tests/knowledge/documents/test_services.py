"""Names, limits, and uploads that arrive at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from knowledge.documents import files, services
from knowledge.documents.models import Document, IngestionJob
from knowledge.errors import DocumentEmpty, DocumentNotFound, DocumentTooLarge

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("/", "document"),
        ("", "document"),
        (".", "document"),
        ("...", "document"),
        ("a/..", "document"),
        ("  spaced.md  ", "spaced.md"),
        ("tab\tand\nline.md", "tab and line.md"),
        ("nul\x00bell\x07.md", "nulbell.md"),
        ("Screenshot 10.30\u202fAM.txt", "Screenshot 10.30 AM.txt"),
        ("evil\u202egnp.md", "evilgnp.md"),
        ("\ud800broken.md", "broken.md"),
        ("Überblick 概要.md", "Überblick 概要.md"),
        ("x" * 300, "x" * 300),
        ("x" * 400 + ".docx", "x" * 295 + ".docx"),
        ("x" * 400, "x" * 300),
        ("a." + "x" * 400, ("a." + "x" * 400)[:300]),
        ("x/" * 400 + "end.md", "end.md"),
    ],
)
def test_file_name_becomes_a_label(given: str, kept: str) -> None:
    assert services.clean_filename(given) == kept
    assert len(kept) <= 300


def test_long_and_hostile_names_reach_the_row_as_labels(world: Any) -> None:
    document = world.upload("Words.", "dir/" + "n" * 500 + ".md", title="A\x00 title\nin lines " + "t" * 500)
    assert len(document.versions.get().filename) == 300
    assert document.versions.get().filename.endswith(".md")
    assert document.title.startswith("A title in lines t")
    assert len(document.title) == 400


def test_source_address_names_the_document(world: Any) -> None:
    first = world.upload("One.", "page.html", source_uri="https://wiki.test/one")
    second = world.upload("Two.", "page.html", source_uri="https://wiki.test/two")
    again = world.upload("Three.", "other.html", source_uri="https://wiki.test/one")
    assert again.pk == first.pk != second.pk
    assert (again.name, again.source_uri, again.latest_number) == ("https://wiki.test/one", "https://wiki.test/one", 2)


def test_metadata_is_replaced_only_when_given(world: Any) -> None:
    document = world.upload("One.", metadata={"kind": "memo"})
    world.upload("Two.")
    document.refresh_from_db()
    assert document.metadata == {"kind": "memo"}
    world.upload("Three.", metadata={})
    document.refresh_from_db()
    assert document.metadata == {}


def test_uploader_is_recorded(world: Any, member: Any) -> None:
    from knowledge.tenants.access import actor_for

    assert world.upload("One.", "a.md").created_by is None
    world.actor = actor_for(user_id=member.pk)
    assert world.upload("Two.", "b.md").created_by == member


@pytest.mark.parametrize(("content", "error"), [(b"", DocumentEmpty), (b"x" * 2000, DocumentTooLarge)])
def test_refused_upload_leaves_no_trace(world: Any, settings: Any, content: bytes, error: type[Exception]) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    with pytest.raises(error):
        world.upload(content)
    assert not Document.objects.exists()
    document = world.upload("Words.", title="Kept")
    with pytest.raises(error):
        world.upload(content, title="Changed", metadata={"a": 1})
    with pytest.raises(error):
        services.add_version(document=document, upload=files.ContentFile(content), filename="a.md")
    document.refresh_from_db()
    assert (document.title, document.metadata, document.latest_number) == ("Kept", {}, 1)


def test_full_disk_leaves_no_row_and_no_file(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_upload", full)
    with pytest.raises(OSError, match="No space"):
        world.upload("Words.")
    assert not Document.objects.exists()
    assert world.sent == []


def test_upload_to_a_document_that_is_deleted_meanwhile_is_refused_and_leaves_no_file(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.add("One.")
    real = files.save_upload

    def save(*args: Any) -> None:
        real(*args)
        services.delete_document(document=document)

    monkeypatch.setattr(files, "save_upload", save)
    with pytest.raises(DocumentNotFound, match="deleted while"):
        services.add_version(document=document, upload=files.ContentFile(b"Two."), filename="a.md")
    document.refresh_from_db()
    assert (document.status, document.latest_number) == ("deleting", 1)
    folder = Path(default_storage.path(f"{document.tenant_id}/{document.pk}"))
    assert len([path for path in folder.iterdir() if any(path.iterdir())]) <= 1


def test_document_that_is_being_deleted_cannot_be_brought_back(world: Any) -> None:
    document = world.add("One.")
    stale = Document.objects.get(pk=document.pk)
    services.delete_document(document=document)
    IngestionJob.objects.filter(kind="delete").update(state="failed")
    services.retry_document(document=stale)
    assert Document.objects.get(pk=document.pk).status == "deleting"


def together(action: Callable[[int], object], count: int = 6) -> list[BaseException]:
    """Run the action in threads that start at one moment; return what they raised."""
    gate, errors = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            gate.wait()
            action(number)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_uploads_of_one_name_at_once_make_one_document_with_all_versions(world: Any) -> None:
    assert together(lambda number: world.upload(f"Wording {number}.")) == []
    document = Document.objects.get()
    assert sorted(document.versions.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert document.latest_number == 6
    world.work()
    document.refresh_from_db()
    assert (document.status, document.current_version.number) == ("ready", 6)
    assert len(world.keys()) == 1


def test_same_bytes_at_once_make_one_version_and_one_file(world: Any) -> None:
    assert together(lambda _: world.upload("The same words.")) == []
    document = Document.objects.get()
    assert (document.versions.count(), document.jobs.count()) == (1, 1)
    folder = Path(default_storage.path(f"{document.tenant_id}/{document.pk}"))
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["original"]


def test_retries_at_once_queue_one_job(world: Any) -> None:
    document = world.add("Words.")
    assert together(lambda _: services.retry_document(document=Document.objects.get(pk=document.pk))) == []
    assert document.jobs.unfinished().count() == 1


def test_deletions_at_once_queue_one_job(world: Any) -> None:
    document = world.add("Words.")
    assert together(lambda _: services.delete_document(document=Document.objects.get(pk=document.pk))) == []
    assert IngestionJob.objects.filter(kind="delete").count() == 1
    assert world.stated() == (0, 0, {})


def test_bases_of_one_name_get_addresses_of_their_own(world: Any, other_world: Any) -> None:
    second = services.create_knowledge_base(actor=world.actor, name="Handbook")
    assert (world.base.slug, second.slug, other_world.base.slug) == ("handbook", "handbook-2", "handbook")
    assert services.create_knowledge_base(actor=world.actor, name="概要").slug == "knowledge-base"
    assert (
        services.create_knowledge_base(actor=world.actor, name="Legal", slug="Contracts & Law").slug == "contracts-law"
    )


def test_base_changes_only_what_is_named(world: Any) -> None:
    services.update_knowledge_base(base=world.base, changes={"description": "Rules", "slug": "other"})
    world.base.refresh_from_db()
    assert (world.base.name, world.base.description, world.base.slug) == ("Handbook", "Rules", "handbook")
