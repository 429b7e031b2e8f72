"""Earlier versions that become the newest again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from knowledge import wiring
from knowledge.documents import files, selectors, services, versions
from knowledge.documents.models import Document, DocumentVersion
from knowledge.errors import DocumentNotFound, RestoreRefused

pytestmark = pytest.mark.django_db(transaction=True)

OLD = "# Fees\n\nThe fee for a duplicate badge is 12 euros."
NEW = "# Fees\n\nThe fee for a duplicate badge is 15 euros, paid by card."


@pytest.fixture
def document(world: Any) -> Document:
    """Two versions: the first archived, the second live."""
    world.add(OLD, "fees.md")
    return world.add(NEW, "fees.md")  # type: ignore[no-any-return]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The file names that were parsed from here on."""
    reader, names = wiring.parser(), list[str]()
    real = reader.parse

    def parse(data: bytes, *, filename: str, **more: Any) -> Any:
        names.append(filename)
        return real(data, filename=filename, **more)

    monkeypatch.setattr(reader, "parse", parse)
    return names


def restore(world: Any, document: Document, number: int) -> DocumentVersion:
    """Restore, process, and return the version as it is then."""
    version = versions.restore_version(document=document, number=number, actor=world.actor)
    world.work()
    found = DocumentVersion.objects.select_related("document").get(pk=version.pk)
    document.refresh_from_db()
    return found


def test_restoring_makes_a_version_and_keeps_history(world: Any, document: Document, parsed: list[str]) -> None:
    version = restore(world, document, 1)
    assert (version.number, version.restored_from, version.state) == (3, 1, "live")
    assert (document.current_version_id, document.status) == (version.pk, "ready")
    assert list(document.versions.order_by("number").values_list("number", "state")) == [
        (1, "archived"), (2, "archived"), (3, "live"),
    ]  # fmt: skip
    (found,) = world.search("What is the fee for a duplicate badge?")
    assert (found.version, found.version_id) == (3, str(version.pk))
    assert "12 euros" in found.text
    for number, text in ((1, OLD), (2, NEW), (3, OLD)):
        assert selectors.version_text(document.versions.select_related("document").get(number=number)) == text
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()
    assert parsed == []  # what was read of these bytes before is taken over


def test_what_is_taken_over_is_all_that_was_read(world: Any, document: Document) -> None:
    version = restore(world, document, 1)
    old = document.versions.select_related("document").get(number=1)
    for name in ("text_sha256", "characters", "media_type", "parser", "parser_version", "stated_title", "language"):
        assert getattr(version, name) == getattr(old, name), name
    assert selectors.version_layout(version) == selectors.version_layout(old)
    assert files.read(version, files.ORIGINAL) == OLD.encode()


def test_character_boxes_are_taken_over(world: Any, parsed: list[str]) -> None:
    from made_files import pdf_of  # a PDF has boxes

    first = world.add(pdf_of([["The deposit is 300 euros."]]), "lease.pdf")
    document = world.add(pdf_of([["The deposit is 400 euros."]]), "lease.pdf")
    before = selectors.version_boxes(first.current_version)
    read = len(parsed)
    version = restore(world, document, 1)
    after = selectors.version_boxes(version)
    assert before is not None
    assert after is not None
    assert (before.xyxy == after.xyxy).all()
    assert len(parsed) == read


@pytest.mark.parametrize(
    "change", [{"parser_version": "0"}, {"parser": "another"}, {"warnings": ["Page 1 has no text layer."]}]
)
def test_another_parser_or_a_warning_means_reading_anew(
    world: Any, document: Document, parsed: list[str], change: dict[str, Any]
) -> None:
    document.versions.filter(number=1).update(**change)
    version = restore(world, document, 1)
    assert parsed == ["fees.md"]
    assert (version.parser_version, version.warnings) == (document.versions.get(number=2).parser_version, [])
    assert selectors.version_text(version) == OLD


def test_a_version_that_was_never_read_is_read_when_it_is_restored(
    world: Any, document: Document, parsed: list[str]
) -> None:
    document.versions.filter(number=1).update(text_sha256="")
    assert restore(world, document, 1).state == "live"
    assert parsed == ["fees.md"]


def test_files_that_are_gone_are_read_anew(world: Any, document: Document, parsed: list[str]) -> None:
    old = document.versions.select_related("document").get(number=1)
    files.remove(old, files.LAYOUT)
    assert restore(world, document, 1).state == "live"
    assert parsed == ["fees.md"]


def test_the_current_version_is_not_restored(world: Any, document: Document) -> None:
    with pytest.raises(RestoreRefused, match="Version 2 is the one that is searched already"):
        versions.restore_version(document=document, number=2, actor=world.actor)
    assert document.versions.count() == 2


def test_a_version_without_its_bytes_is_refused_with_what_to_do(world: Any, document: Document) -> None:
    files.remove(document.versions.select_related("document").get(number=1), files.ORIGINAL)
    with pytest.raises(RestoreRefused, match="version 1 is not stored any more. Upload it again"):
        versions.restore_version(document=document, number=1, actor=world.actor)
    assert document.versions.count() == 2


@pytest.mark.parametrize("number", [0, -1, 3, 2**31, 10**30])
def test_a_version_that_is_not_there_is_not_found(world: Any, document: Document, number: int) -> None:
    with pytest.raises(DocumentNotFound):
        versions.restore_version(document=document, number=number, actor=world.actor)


def test_a_document_being_deleted_is_not_restored_and_leaves_no_file(world: Any, document: Document) -> None:
    services.delete_document(document=document)
    with pytest.raises(DocumentNotFound):
        versions.restore_version(document=document, number=1, actor=world.actor)
    assert len(files.folders(f"{document.tenant_id}/{document.pk}")) == 2


def test_restored_bytes_that_the_newest_version_has_are_recognised(world: Any, document: Document) -> None:
    third = restore(world, document, 1)
    again = versions.restore_version(document=document, number=1, actor=world.actor)
    assert again == third
    assert document.unchanged == 3
    assert document.versions.count() == 3
    assert world.work() == 0  # nothing was queued
    # An upload of what was restored is recognised too, and one of other bytes is not.
    services.add_version(document=document, upload=ContentFile(OLD.encode()), filename="fees.md")
    assert (document.unchanged, document.versions.count()) == (3, 3)
    services.add_version(document=document, upload=ContentFile(NEW.encode()), filename="fees.md")
    assert (document.unchanged, document.versions.count()) == (None, 4)


def test_a_restoration_waits_as_an_upload_does_and_the_last_one_wins(world: Any, document: Document) -> None:
    versions.restore_version(document=document, number=1, actor=world.actor)
    document.refresh_from_db()
    assert (document.status, document.latest_number) == ("queued", 3)
    world.upload("# Fees\n\nNo fee.", "fees.md")
    world.work()
    document.refresh_from_db()
    assert document.current_version is not None
    assert document.current_version.number == 4
    assert {passage.version for passage in world.search("fee")} == {4}


def test_who_restored_is_noted(world: Any, document: Document, owner: Any) -> None:
    from dataclasses import replace

    actor = replace(world.actor, user_id=owner.pk)
    version = versions.restore_version(document=document, number=1, actor=actor)
    assert version.created_by_id == owner.pk
    assert document.versions.get(number=1).created_by_id is None  # the system's actor is nobody


def test_the_same_restoration_many_times_at_once_is_one_version(world: Any, document: Document) -> None:
    errors: list[BaseException] = []

    def one(run: Callable[[], object]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  told by the assertion
            errors.append(error)
        finally:
            connection.close()

    def run() -> object:
        mine = Document.objects.get(pk=document.pk)
        return versions.restore_version(document=mine, number=1, actor=world.actor)

    threads = [threading.Thread(target=one, args=[run]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert document.versions.count() == 3
    assert len(files.folders(f"{document.tenant_id}/{document.pk}")) == 3
