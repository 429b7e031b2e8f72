"""Database, index and files are compared key by key, and made to agree."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from knowledge import wiring
from knowledge.documents import files, services
from knowledge.documents.indexes import building, comparing_files, generations, indexing, leftovers, reconcile
from knowledge.documents.models import Document, DocumentVersion, IndexGeneration, KnowledgeBase, Purge
from knowledge.tenants.models import Tenant
from knowledge.types import IndexRecord

pytestmark = pytest.mark.django_db(transaction=True)


def compare(world: Any, *, repair: bool = False) -> reconcile.Report:
    return reconcile.reconcile(tenant=world.base.tenant, repair=repair)


def plant(world: Any) -> str:
    """Write a record that no row knows."""
    key = str(uuid4())
    record = IndexRecord(
        key=key, knowledge_base=str(world.base.pk), generation=str(uuid4()), document=str(uuid4()),
        version=str(uuid4()), ordinal=0, text="ghost", terms="ghost",
        vector=wiring.embedder().embed_passages(["ghost"])[0],
    )  # fmt: skip
    wiring.store().upsert([record], space=world.space, scope=world.scope)
    return key


def test_agreement_is_told_with_its_counts(world: Any, sections: Callable[..., str]) -> None:
    world.add(sections("otter", 3))
    report = compare(world)
    assert report.agrees
    assert (report.tenant, report.rows, report.records, report.repaired) == ("acme", 3, 3, 0)


def test_empty_tenant_agrees(world: Any) -> None:
    assert compare(world, repair=True).agrees


def test_orphans_are_found_and_removed(world: Any) -> None:
    world.add("Words.")
    key = plant(world)
    report = compare(world)
    assert (report.orphans, report.missing, report.repaired) == ([key], [], 0)
    assert world.keys() >= {key}
    assert compare(world, repair=True).repaired == 1
    assert compare(world).agrees


def test_missing_records_are_found_and_written_again(world: Any, sections: Callable[..., str]) -> None:
    world.add(sections("otter", 3), "a.md")
    world.add(sections("heron", 2), "b.md")
    gone = sorted(world.keys())[:2]
    stated = world.stated()
    wiring.store().delete(space=world.space, scope=world.scope, keys=gone)
    report = compare(world)
    assert (sorted(report.missing), report.orphans) == (gone, [])
    assert compare(world, repair=True).repaired >= 2
    assert compare(world).agrees
    assert world.keys() == world.rows()
    assert world.stated() == stated == world.counted()


def test_a_live_version_of_another_generation_is_found_named_and_indexed_again(
    world: Any, sections: Callable[..., str]
) -> None:
    """Two first documents of a base could each make a generation once; the base named the later one."""
    kept = world.add(sections("otter", 3), "a.md")
    bases, first = KnowledgeBase.objects.filter(pk=world.base.pk), IndexGeneration.objects.get()
    bases.update(live_generation=None)
    lost = world.add(sections("heron", 2), "b.md")
    bases.update(live_generation=first)
    report = compare(world)
    assert report.missing == [str(lost.current_version_id)]
    assert report.orphans == []  # the other generation is kept beside the live one
    assert [count for place, count in report.places.items() if f"{lost}, version 1 (live, ready)" in place] == [1]
    assert not [place for place in report.places if str(kept) in place]
    compare(world, repair=True)
    assert compare(world).agrees
    assert world.keys() == world.rows()


def test_records_of_a_document_that_is_being_deleted_are_orphans(world: Any) -> None:
    document = world.add("Words.")
    services.delete_document(document=document)
    assert len(compare(world, repair=True).orphans) == 1
    world.work()
    assert not Document.objects.exists()


# --- what deleted bases and documents left


def age(world: Any, document: Document) -> Path:
    """Make the files of a document two hours old and return their folder."""
    folder = Path(default_storage.path(f"{world.actor.tenant_id}/{document.pk}"))
    long_ago = time.time() - 7200
    for path in folder.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    return folder


def test_records_and_files_of_a_base_whose_row_is_gone_are_found_and_removed(world: Any, sections: Any) -> None:
    document = world.add(sections("otter", 3))
    folder, keys = age(world, document), world.keys()
    tenant = world.base.tenant
    KnowledgeBase.objects.all().delete()  # by somebody's own hand, around the service
    assert (len(keys), folder.exists()) == (3, True)
    report = reconcile.reconcile(tenant=tenant, repair=False)
    assert (set(report.orphans), report.records, report.repaired) == (keys, 3, 0)
    assert report.folders == [f"{tenant.pk}/{document.pk}"]
    assert not report.agrees
    repaired = reconcile.reconcile(tenant=tenant, repair=True)
    assert (repaired.repaired, repaired.files >= 4) == (3, True)
    assert world.keys() == set()
    assert not folder.exists()
    assert reconcile.reconcile(tenant=tenant, repair=False).agrees
    assert Purge.objects.get().space == world.space  # the words leave the disk too


def test_records_in_a_space_no_generation_of_the_base_names_are_orphans(world: Any) -> None:
    world.add("The otter sleeps.")
    keys = world.keys()
    IndexGeneration.objects.all().delete()
    assert set(compare(world, repair=True).orphans) == keys
    assert world.keys() == set()


def test_what_another_tenant_holds_is_left_alone(world: Any, other_world: Any) -> None:
    tenant = world.base.tenant
    world.add("The otter sleeps.")
    kept = other_world.add("The heron stands.")
    folder, keys = age(other_world, kept), other_world.keys()
    KnowledgeBase.objects.filter(pk=world.base.pk).delete()
    reconcile.reconcile(tenant=tenant, repair=True)
    assert other_world.keys() == keys
    assert folder.exists()
    assert compare(other_world).agrees


def test_files_of_documents_and_versions_without_a_row_are_found_and_removed(world: Any) -> None:
    gone = world.add("The otter sleeps.", "gone.md")
    world.add("The first wording.", "kept.md")
    kept = world.add("The second wording.", "kept.md")
    first, folders = kept.versions.get(number=1), [age(world, gone), age(world, kept)]
    Document.objects.filter(pk=gone.pk).delete()
    DocumentVersion.objects.filter(pk=first.pk).delete()
    report = compare(world, repair=True)
    tenant = world.actor.tenant_id
    assert sorted(report.folders) == sorted([f"{tenant}/{gone.pk}", f"{tenant}/{kept.pk}/{first.pk}"])
    assert not folders[0].exists()
    assert [path.name for path in folders[1].iterdir()] == [str(kept.current_version_id)]
    assert compare(world).agrees


def test_files_of_an_upload_whose_row_is_not_there_yet_are_left_alone(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[reconcile.Report] = []
    real = services._queue_version

    def queue(*args: Any) -> DocumentVersion:
        reports.append(compare(world, repair=True))
        return real(*args)

    monkeypatch.setattr(services, "_queue_version", queue)
    document = world.add("The otter sleeps.")
    assert (reports[0].folders, reports[0].files) == ([], 0)
    assert document.status == "ready"


def test_names_in_the_file_store_that_are_no_ids_are_left_alone(world: Any) -> None:
    document = world.add("Words.")
    folder = age(world, document)
    stranger = folder.parent / "lost+found"
    stranger.mkdir()
    (stranger / "file").write_text("somebody else's")
    os.utime(stranger / "file", (1, 1))
    assert compare(world, repair=True).agrees
    assert (stranger / "file").exists()


def test_version_in_work_is_left_alone(world: Any, after_batch: Callable[..., None]) -> None:
    document = world.upload("The otter sleeps.")
    reports: list[reconcile.Report] = []
    after_batch(lambda: reports.append(compare(world, repair=True)))
    world.work()
    document.refresh_from_db()
    assert document.status == "ready"
    assert (reports[0].records, reports[0].orphans, reports[0].missing) == (1, [], [])


def test_version_that_goes_live_meanwhile_is_left_alone(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("The heron stands.", "first.md")
    world.upload("The otter sleeps.", "late.md")
    real = wiring.store().keys

    def keys(**named: Any) -> Any:
        found = list(real(**named))
        world.work()
        return iter(found)

    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "keys", keys)
        report = compare(world, repair=True)
    assert (report.orphans, report.missing, report.repaired) == ([], [], 0)
    assert len(world.keys()) == 2


def built_beside(world: Any) -> IndexGeneration:
    beside = generations.start(base=world.base, chunker="fixed:target=100")
    building.run(job_id=beside.jobs.get().pk)
    beside.refresh_from_db()
    assert beside.state == "ready"
    return beside


@pytest.mark.parametrize("at", ["records", "files"])
def test_a_generation_that_is_begun_meanwhile_is_left_alone(
    world: Any, sections: Callable[..., str], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    document = world.add(sections("otter", 3))
    begun: list[IndexGeneration] = []
    lately: list[bool] = []
    real = wiring.store().keys if at == "records" else files.names_in

    def looked(*given: Any, **named: Any) -> Any:
        if not lately:
            lately.append(True)
            begun.append(built_beside(world))
        return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(*((wiring.store(), "keys") if at == "records" else (files, "names_in")), looked)
        report = compare(world, repair=True)
    assert (report.orphans, report.folders, report.files, len(begun)) == ([], [], 0, 1)
    kept = files.names_in(document.versions.get().folder)
    assert any(str(begun[0].pk) in name for name in kept)
    assert compare(world).agrees


def test_before_removal_it_is_asked_again_whether_the_generation_is_there(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.add("Words.")
    key = plant(world)
    [record] = list(wiring.store().records(space=world.space, scope=world.scope, keys=[key]))
    path = f"{document.versions.get().folder}/terms-{record.generation}.json.gz"
    default_storage.save(path, ContentFile(b"x"))
    real = comparing_files.files_of

    def then_begun(base: KnowledgeBase, **named: Any) -> Any:
        found = real(base, **named)
        live = IndexGeneration.objects.get()
        live.pk = record.generation
        live.save(force_insert=True)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(comparing_files, "files_of", then_begun)
        report = compare(world, repair=True)
    assert (report.orphans, report.folders) == ([key], [path])
    assert {key} <= world.keys()
    assert default_storage.exists(path)
    IndexGeneration.objects.filter(pk=record.generation).delete()
    compare(world, repair=True)
    assert not {key} & world.keys()
    assert not default_storage.exists(path)


def test_an_organisation_founded_while_it_is_looked_loses_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("Words.")
    real, rows = files.folders, []

    def founded(folder: str) -> list[str]:
        found = real(folder)
        if not folder and not rows:
            rows.append(Tenant.objects.create(slug="late", name="Late"))
            found.append(str(rows[0].pk))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(files, "folders", founded)
        found = leftovers.leftovers(repair=False).folders
    assert rows
    assert str(rows[0].pk) not in found
    gone = str(uuid4())
    default_storage.save(f"{gone}/{document.pk}/original", ContentFile(b"x"))
    assert gone not in leftovers.leftovers(repair=True).folders  # written a moment ago
    assert default_storage.exists(f"{gone}/{document.pk}/original")
    long_ago = time.time() - 7200
    os.utime(default_storage.path(f"{gone}/{document.pk}/original"), (long_ago, long_ago))
    assert gone in leftovers.leftovers(repair=True).folders
    assert not default_storage.exists(f"{gone}/{document.pk}/original")


def test_tenants_are_compared_apart(world: Any, other_world: Any) -> None:
    world.add("Words.")
    other_world.add("Words.")
    plant(other_world)
    assert compare(world).agrees
    assert not compare(other_world).agrees


def test_rebuild_makes_index_rows_and_statistics_from_stored_text(world: Any, sections: Callable[..., str]) -> None:
    world.add(sections("otter", 3), "a.md")
    world.add(sections("heron", 2), "b.md")
    world.add("   ", "failed.md")
    keys, stated = world.keys(), world.stated()
    wiring.store().delete(space=world.space, scope=world.scope)
    plant(world)
    generation = world.base.live_generation
    type(generation).objects.filter(pk=generation.pk).update(chunks=99, terms=99)
    assert reconcile.rebuild(base=world.base) == (2, 5)
    assert world.keys() == world.rows() == keys
    assert world.stated() == stated == world.counted()
    assert "otter" in world.search("otter rule")[0].text


def test_a_base_keeps_the_chunker_it_was_built_with(world: Any, sections: Callable[..., str], settings: Any) -> None:
    settings.CHUNKER = "structural:target=100"
    world.add(sections("otter", 3), "a.md")
    world.base.refresh_from_db()
    assert world.base.live_generation.chunker == "structural:target=100"
    keys = world.keys()
    settings.CHUNKER = "fixed:target=2000"
    assert reconcile.rebuild(base=world.base) == (1, 3)
    assert world.keys() == keys
    world.add(sections("heron", 2), "b.md")
    assert len(world.keys()) == 5


def test_rebuild_of_a_base_without_documents_does_nothing(world: Any) -> None:
    assert reconcile.rebuild(base=world.base) == (0, 0)


def test_rebuild_does_not_parse_again(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("Words.")
    monkeypatch.setattr(wiring, "parser", lambda: pytest.fail("parsed"))
    world.base.refresh_from_db()
    assert reconcile.rebuild(base=world.base) == (1, 1)


@pytest.mark.parametrize("moment", ["before", "reading", "writing"])
def test_document_deleted_while_its_base_is_rebuilt_leaves_nothing(
    world: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    document = world.add("The otter sleeps.", "a.md")
    world.add("The heron stands.", "b.md")

    def delete() -> None:
        if Document.objects.filter(pk=document.pk).exists():
            services.delete_document(document=document)
            world.work()

    name, owner = {
        "before": ("rewrite", reconcile),
        "reading": ("terms_of", indexing.stages),
        "writing": ("write", indexing.stages),
    }[moment]
    real = getattr(owner, name)

    def act(*args: Any, **kwargs: Any) -> Any:
        delete()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, act)
    world.base.refresh_from_db()
    reconcile.rebuild(base=world.base)
    assert not Document.objects.filter(pk=document.pk).exists()
    assert len(world.keys()) == 1
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()


def test_missing_text_of_a_live_version_is_told(world: Any) -> None:
    document = world.add("The otter sleeps.")
    version = DocumentVersion.objects.select_related("document__knowledge_base").get(pk=document.current_version_id)
    files.remove(version, files.TEXT)
    with pytest.raises(FileNotFoundError):
        reconcile.rewrite(version)
