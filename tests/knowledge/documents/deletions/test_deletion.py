"""Delete deletes: out of retrieval at once, then records, rows, files and the bytes themselves, counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import ingest, jobs, services, tasks
from knowledge.documents.deletions import deletion
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexGeneration,
    IngestionJob,
    KnowledgeBase,
    Purge,
    TermStatistic,
)
from knowledge.errors import StoreBusy

pytestmark = pytest.mark.django_db(transaction=True)

State = IngestionJob.State


def stored(document: Document) -> list[Path]:
    """Return the files of a document on the disk."""
    folder = Path(default_storage.path(f"{document.tenant_id}/{document.pk}"))
    return [path for path in folder.rglob("*") if path.is_file()]


def files_holding(canary: str) -> Iterator[Path]:
    for path in Path(django_settings.DATA_DIR).rglob("*"):
        if path.is_file() and canary.encode() in path.read_bytes():
            yield path.relative_to(django_settings.DATA_DIR)


def test_deleted_document_leaves_retrieval_before_any_job_ran(world: Any) -> None:
    document = world.add("The otter sleeps at noon.")
    assert world.search("otter")
    services.delete_document(document=document)
    assert world.search("otter") == []
    assert world.keys() != set()  # the records are still there; the rows decide
    document.refresh_from_db()
    assert (document.status, document.current_version) == ("deleting", None)
    assert world.stated() == (0, 0, {})


def test_everything_of_the_document_goes_and_is_counted(world: Any, sections: Callable[..., str]) -> None:
    world.add(sections("badger", 2))
    document = world.add(sections("otter", 3))
    kept = world.add("The heron stands still.", "kept.md")
    files, other = len(stored(document)), stored(kept)
    services.delete_document(document=document)
    world.work()
    job = world.job(document)
    assert job.report == {"records": 3, "chunks": 3, "versions": 2, "files": files}
    assert files >= 5
    assert (job.state, job.document, job.document_ref) == (State.DONE, None, document.pk)
    assert not Document.objects.filter(pk=document.pk).exists()
    assert not DocumentVersion.objects.filter(document=document.pk).exists()
    assert not Path(default_storage.path(f"{document.tenant_id}/{document.pk}")).exists()
    assert stored(kept) == other
    assert world.titles("heron") == {"kept.md"}
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()


def test_deleted_bytes_are_in_no_file_any_more(world: Any) -> None:
    canary = "zanzibarquokka"
    world.add("The heron stands still.", "kept.md")
    document = world.add(f"# The {canary}\n\nThe {canary} sleeps.", f"{canary}.md", metadata={"about": canary})
    world.add(f"# Another {canary}\n\nThe {canary} wakes.", f"{canary}.md")
    world.search(f"Where does the {canary} sleep?")
    assert len(list(files_holding(canary))) > 3
    services.delete_document(document=Document.objects.get(pk=document.pk), keep_name=False)  # it has the word too
    world.work()
    assert Purge.objects.count() == 0
    assert list(files_holding(canary)) == []
    assert world.search("heron")


def test_bytes_of_a_document_that_was_never_indexed_go_too(world: Any) -> None:
    canary = "xylophonewombat"
    document = world.add(f"%PDF-1.7 {canary}".encode(), f"{canary}.pdf")
    assert document.status == "failed"
    services.delete_document(document=document, keep_name=False)
    world.work()
    assert list(files_holding(canary)) == []


def test_replaced_text_leaves_the_index_with_the_next_purge(world: Any) -> None:
    canary = "yttriumpangolin"
    world.add(f"The {canary} sleeps.", "a.md")
    world.add("The heron stands still.", "a.md")
    assert Purge.objects.count() == 1
    assert deletion.purge() == 1
    held = {path.parts[0] for path in files_holding(canary)}
    assert held <= {"files"}  # the archived version's own text, kept for citations


def test_deletion_stops_the_jobs_of_the_document(world: Any) -> None:
    document = world.upload("Words.")
    services.delete_document(document=document)
    assert document.jobs.get(kind="ingest").state == State.CANCELLED
    assert world.work() == 1
    assert not Document.objects.filter(pk=document.pk).exists()


def test_deleting_twice_queues_one_job(world: Any) -> None:
    document = world.add("Words.")
    services.delete_document(document=document)
    services.delete_document(document=document)
    assert IngestionJob.objects.filter(kind="delete").count() == 1
    world.work()
    services.delete_document(document=document)
    assert IngestionJob.objects.filter(kind="delete").count() == 1


def test_name_is_free_again_while_its_document_is_being_deleted(world: Any) -> None:
    first = world.add("The otter sleeps.")
    services.delete_document(document=first)
    second = world.upload("The heron stands.")
    assert second.pk != first.pk
    world.work()
    assert world.titles("heron") == {"notes.md"}
    assert len(world.keys()) == 1


@pytest.mark.parametrize("moment", ["after_parse", "after_batch"])
@pytest.mark.parametrize("purged", [True, False], ids=["deletion done", "deletion queued"])
def test_document_deleted_while_it_is_processed_leaves_nothing(
    world: Any, moment: str, purged: bool, request: pytest.FixtureRequest, sections: Callable[..., str]
) -> None:
    document = world.upload(sections("zanzibarotter", 70))

    def delete() -> None:
        services.delete_document(document=document)
        if purged:
            deletion.run_delete(job_id=world.job(document).pk)

    request.getfixturevalue(moment)(delete)
    ingest.run_ingest(job_id=world.job(document).pk)
    assert IngestionJob.objects.get(kind="ingest").state == State.CANCELLED
    world.work()
    assert not Document.objects.filter(pk=document.pk).exists()
    assert world.keys() == world.rows() == set()
    assert stored(document) == []
    deletion.purge()
    assert list(files_holding("zanzibarotter")) == []


def test_base_deleted_while_a_document_is_processed_leaves_nothing(
    world: Any, monkeypatch: pytest.MonkeyPatch, sections: Callable[..., str]
) -> None:
    document = world.upload(sections("zanzibarotter", 70))
    real, waiting = type(wiring.store()).upsert, [True]

    def upsert(self: Any, records: Any, **where: Any) -> int:
        if waiting:  # the whole base goes while a batch is on its way
            waiting.pop()
            services.delete_knowledge_base(base=world.base)
            deletion.run_delete(job_id=world.job(document).pk)
            deletion.drop_empty_bases()
        return int(real(self, records, **where))

    monkeypatch.setattr(type(wiring.store()), "upsert", upsert)
    ingest.run_ingest(job_id=world.job(document).pk)
    assert not IndexGeneration.objects.exists()
    assert world.keys() == set()


@pytest.mark.parametrize("attempts", [3, 4])
def test_deletion_whose_worker_ends_each_time_ends_in_words(world: Any, attempts: int) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    job = world.job(document)
    IngestionJob.objects.filter(pk=job.pk).update(
        state=State.RUNNING, attempts=attempts, lease_until=timezone.now() - timedelta(seconds=1)
    )
    deletion.run_delete(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.last_error.startswith("The worker was stopped each time it deleted this document.")


def test_document_deleted_while_its_reading_fails_leaves_nothing(world: Any, after_parse: Callable[..., None]) -> None:
    document = world.upload("The otter sleeps.")

    def act() -> None:
        services.delete_document(document=document)
        deletion.run_delete(job_id=world.job(document).pk)
        raise StoreBusy

    after_parse(act)
    ingest.run_ingest(job_id=world.job(document).pk)
    assert stored(document) == []
    assert IngestionJob.objects.get(kind="ingest").state == State.CANCELLED


def test_text_kept_after_the_deletion_is_taken_back(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    document = world.upload("The otter sleeps.")
    real = ingest.keep

    def keep(*args: Any) -> None:  # the deletion slips in between the check and the writing
        services.delete_document(document=document)
        deletion.run_delete(job_id=world.job(document).pk)
        real(*args)

    monkeypatch.setattr(ingest, "keep", keep)
    ingest.run_ingest(job_id=world.job(document).pk)
    assert stored(document) == []
    assert DocumentVersion.objects.count() == 0
    assert "Traceback" not in caplog.text  # an ordinary end, no defect


# --- what goes wrong --------------------------------------------------------------------------------


def busy(*_: object, **__: object) -> None:
    raise StoreBusy


def test_deletion_that_fails_is_repeated_and_reports_in_words(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "delete", busy)
        world.work()
    job = world.job(document)
    assert (job.state, job.last_error) == (
        State.QUEUED,
        "The search index is busy. Try again in a moment. (attempt 1 of 3)",
    )
    assert stored(document) != []
    IngestionJob.objects.update(not_before=timezone.now())
    world.work()
    assert world.job(document).report["records"] == 1


def test_records_that_stay_are_told_and_nothing_else_is_removed(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "delete", lambda **_: 0)
        world.work()
    assert "1 passages of the deleted document are still in the index." in world.job(document).last_error
    assert stored(document) != []


def test_deletion_that_gave_up_is_taken_up_again_by_the_sweeper(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "delete", busy)
        patch.setattr("django.conf.settings.JOB_ATTEMPTS", 1)
        world.work()
    assert world.job(document).state == State.FAILED
    tasks.sweep_jobs()
    assert IngestionJob.objects.filter(kind="delete").count() == 1  # not at once
    IngestionJob.objects.filter(kind="delete").update(finished=timezone.now() - timedelta(minutes=11))
    tasks.sweep_jobs()
    world.work()
    assert not Document.objects.filter(pk=document.pk).exists()


def test_deletion_is_done_though_the_purge_must_wait(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "optimize", busy)
        world.work()
    assert world.job(document).state == State.DONE
    assert world.job(document).report["records"] == 1
    assert Purge.objects.count() == 1
    tasks.purge_deleted()
    assert Purge.objects.count() == 0


def test_purge_is_repeated_while_a_reader_holds_the_log(world: Any) -> None:
    import sqlite3

    if connection.vendor != "sqlite":
        pytest.skip("The write-ahead log is SQLite's.")
    deletion.request_purge(tenant_id=world.actor.tenant_id, space="")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=50")
    reader = sqlite3.connect(connection.settings_dict["NAME"])
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM documents_document").fetchone()
        Purge.objects.update(requested=timezone.now())  # a frame behind the reader's mark
        assert deletion.purge() == 0
        assert Purge.objects.count() == 1
    finally:
        reader.close()
    assert deletion.purge() == 1
    connection.close()


def test_purge_asked_for_again_meanwhile_is_not_forgotten(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deletion.request_purge(tenant_id=world.actor.tenant_id, space=world.space)
    real = wiring.store().optimize

    def optimize(*, space: str, tenant: str) -> None:
        real(space=space, tenant=tenant)
        deletion.request_purge(tenant_id=world.actor.tenant_id, space=space)

    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "optimize", optimize)
        assert deletion.purge() == 0
    assert deletion.purge() == 1


@pytest.fixture
def slow_purge(world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], Callable[[], int]]]:
    """A purge of the world's tenant that is under way: the tenants asked for, and what ends it and gives its result."""
    world.add("The heron stands still.", "kept.md")
    deletion.request_purge(tenant_id=world.actor.tenant_id, space=world.space)
    asked: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def optimize(*, space: str, tenant: str) -> None:
        asked.append(tenant)
        if len(asked) == 1:
            inside.set()
            assert go_on.wait(30)

    def purge() -> int:
        try:
            return deletion.purge()
        finally:
            connection.close()

    monkeypatch.setattr(wiring.store(), "optimize", optimize)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(purge)
        assert inside.wait(30)

        def finish() -> int:
            go_on.set()
            return first.result(30)

        yield asked, finish
        go_on.set()


def test_second_purge_of_a_tenant_returns_at_once(world: Any, slow_purge: tuple[list[str], Callable[[], int]]) -> None:
    asked, finish = slow_purge
    assert deletion.purge() == 0
    assert not deletion.optimize(tenant_id=world.actor.tenant_id, space=world.space)
    assert asked == [str(world.actor.tenant_id)]
    assert Purge.objects.count() == 1
    assert finish() == 1
    assert Purge.objects.count() == 0


def test_deletion_asked_for_while_a_purge_is_under_way_is_purged_by_the_timer(
    world: Any, slow_purge: tuple[list[str], Callable[[], int]]
) -> None:
    asked, finish = slow_purge
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    world.work()
    assert world.job(document).state == State.DONE
    assert finish() == 0  # it may have begun before these words were deleted
    tasks.purge_deleted()
    assert (len(asked), Purge.objects.count()) == (2, 0)


def test_purge_of_another_tenant_is_not_held_up(
    world: Any, other_world: Any, slow_purge: tuple[list[str], Callable[[], int]]
) -> None:
    asked, finish = slow_purge
    deletion.request_purge(tenant_id=other_world.actor.tenant_id, space=world.space)
    assert deletion.purge() == 1
    assert asked[1:] == [str(other_world.actor.tenant_id)]
    assert finish() == 1


def test_deletions_in_a_row_are_purged_once_by_the_last(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [world.add(f"The {word} sleeps.", f"{word}.md") for word in ("otter", "heron", "wren")]
    asked: list[str] = []
    monkeypatch.setattr(wiring.store(), "optimize", lambda **named: asked.append(named["space"]))
    for document in documents:
        services.delete_document(document=document)
    world.work()
    assert asked == [world.space]


def test_holder_of_a_lost_lease_deletes_no_row(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    job = world.job(document)
    real = wiring.store().count

    def count(**named: Any) -> int:
        IngestionJob.objects.filter(pk=job.pk).update(fence=9)
        return real(**named)

    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "count", count)
        deletion.run_delete(job_id=job.pk)
    assert Document.objects.filter(pk=document.pk).exists()
    job.refresh_from_db()
    assert (job.state, job.report) == (State.RUNNING, {})


def test_unknown_job_is_nothing_to_do(world: Any) -> None:
    deletion.run_delete(job_id=world.base.pk)
    ingest.run_ingest(job_id=world.base.pk)
    assert jobs.claim(world.base.pk) is None


# --- whole bases --------------------------------------------------------------------------------------


def test_deleted_base_is_hidden_at_once_and_its_row_goes_with_its_last_document(world: Any) -> None:
    for word in ("otter", "heron"):
        world.add(f"The {word} sleeps.", f"{word}.md")
    assert services.delete_knowledge_base(base=world.base) == 2
    assert world.search("otter") == []
    assert KnowledgeBase.objects.get().deleting
    assert ("sweep_jobs", {}) in world.sent
    world.work()
    assert KnowledgeBase.objects.count() == Document.objects.count() == Chunk.objects.count() == 0
    assert IndexGeneration.objects.count() == TermStatistic.objects.count() == Purge.objects.count() == 0
    assert world.keys() == set()


def test_empty_base_goes_with_the_next_sweep(world: Any) -> None:
    services.delete_knowledge_base(base=world.base)
    tasks.sweep_jobs()
    assert not KnowledgeBase.objects.exists()


def test_address_of_a_deleted_base_is_free(world: Any) -> None:
    world.add("Words.")
    services.delete_knowledge_base(base=world.base)
    again = services.create_knowledge_base(actor=world.actor, name="Handbook")
    assert again.slug == "handbook"


def test_upload_that_slipped_into_a_deleted_base_is_deleted_too(world: Any) -> None:
    world.add("The otter sleeps.", "a.md")
    services.delete_knowledge_base(base=world.base)
    late = world.upload("The heron stands.", "late.md")
    world.work()
    tasks.sweep_jobs()
    world.work()
    tasks.sweep_jobs()
    assert not KnowledgeBase.objects.exists()
    assert stored(late) == []
