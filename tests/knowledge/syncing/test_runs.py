"""Runs over a source: what is stored, what is left alone, what is withdrawn, and what survives a stop."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from knowledge.documents import files
from knowledge.documents import services as document_services
from knowledge.documents.deletions.models import DeletionReport
from knowledge.documents.models import Document, DocumentVersion, IngestionJob
from knowledge.embedding import LocalEmbedder
from knowledge.errors import StoreBusy
from knowledge.sources.base import Problem
from knowledge.syncing import kinds, runs, services
from knowledge.syncing.models import Source, SourceItem, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)


def counts(run: SyncRun) -> dict[str, int]:
    return {name: number for name, number in run.counts.items() if number}


def texts(world: Any) -> dict[str, int]:
    """Titles of the documents that are there, with the number of their newest version."""
    rows = Document.objects.alive().filter(knowledge_base=world.base)
    return dict(rows.values_list("title", "latest_number"))


def test_new_items_become_documents_that_are_found(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {"a/otter.md": "The otter sleeps at noon.", "b/heron.md": "The heron stands on one leg."}
    run = sync(source)
    assert run.state == "done", run.last_error
    assert counts(run) == {"listed": 2, "added": 2}
    assert [(change["action"], change["key"]) for change in run.changes] == [
        ("added", "a/otter.md"), ("added", "b/heron.md"),
    ]  # fmt: skip
    world.work()
    assert world.search("heron leg")[0].title == "heron.md"
    document = Document.objects.get(title="heron.md")
    assert document.metadata == {"source": "Shelf"}
    assert document.status == "ready"


def test_what_is_unchanged_is_not_read_again(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    sync(source)
    shelf.fetched.clear()
    run = sync(source)
    assert counts(run) == {"listed": 2, "unchanged": 2}
    assert shelf.fetched == []
    assert set(shelf.known[-1]) == {"a.md", "b.md"}


def test_a_changed_item_becomes_the_next_version(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {"a.md": "The pool opens at six.", "b.md": "Two."}
    sync(source)
    world.work()
    shelf.texts["a.md"] = "The pool opens at eight."
    run = sync(source)
    assert counts(run) == {"listed": 2, "unchanged": 1, "changed": 1}
    world.work()
    assert texts(world) == {"a.md": 2, "b.md": 1}
    found = world.search("When does the pool open?")[0]
    assert "eight" in found.text
    assert not any("six" in passage.text for passage in world.search("pool opens"))


def test_equal_bytes_make_no_version_and_the_fingerprint_is_kept(source: Source, shelf: Any, sync: Any) -> None:
    shelf.texts["a.md"] = "One."
    sync(source)
    shelf.prints["a.md"] = "touched"
    assert counts(sync(source)) == {"listed": 1, "unchanged": 1}
    assert SourceItem.objects.get().fingerprint == "touched"
    shelf.fetched.clear()
    assert counts(sync(source)) == {"listed": 1, "unchanged": 1}
    assert shelf.fetched == []
    assert DocumentVersion.objects.count() == 1


def test_without_fingerprints_the_bytes_decide(source: Source, shelf: Any, sync: Any) -> None:
    shelf.tells = False
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    sync(source)
    shelf.texts["b.md"] = "Three."
    assert counts(sync(source)) == {"listed": 2, "unchanged": 1, "changed": 1}
    assert DocumentVersion.objects.count() == 3


def test_two_sources_and_an_upload_of_one_name_do_not_collide(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any, base: Any
) -> None:
    other = services.create_source(actor=actor, base=base, kind="listed", name="Other", options={"shelf": "B"})
    world.upload("By hand.", "a.md")
    shelf.texts["a.md"] = "From a source."
    sync(source)
    sync(other)
    assert Document.objects.filter(title="a.md").count() == 3
    shelf.texts["a.md"] = "From a source, changed."
    sync(source)
    assert sorted(Document.objects.filter(title="a.md").values_list("latest_number", flat=True)) == [1, 1, 2]


def test_removed_items_are_withdrawn(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {"a.md": "The badger digs.", "b.md": "Two."}
    sync(source)
    world.work()
    del shelf.texts["a.md"]
    run = sync(source)
    assert counts(run) == {"listed": 1, "unchanged": 1, "withdrawn": 1}
    assert texts(world) == {"b.md": 1}
    assert "a.md" not in world.titles("badger digs")
    world.work()
    assert SourceItem.objects.count() == 1
    shelf.texts["a.md"] = "The badger digs."
    assert counts(sync(source)) == {"listed": 2, "unchanged": 1, "added": 1}


def test_deletion_reports_say_who_and_why_and_what_the_source_keeps(
    source: Source, shelf: Any, actor: Any, owner: Any, sync: Any, world: Any
) -> None:
    shelf.texts |= {"a.md": "The badger digs.", "b.md": "Two.", "c.md": "Three."}
    sync(source)
    world.work()
    del shelf.texts["a.md"]
    run = services.start_run(source=source, actor=replace(actor, user_id=owner.pk))
    runs.run_sync(run_id=run.pk)
    del shelf.texts["b.md"]
    runs.run_sync(run_id=services.start_run(source=source).pk)
    document_services.delete_document(document=Document.objects.get(title="c.md"))
    kinds.work_folder(source.pk).mkdir(parents=True)
    (kinds.work_folder(source.pk) / "clone").write_text("Three.")
    world.work()
    said = {report.name: (report.requested_by, report.reason) for report in DeletionReport.objects.all()}
    assert said == {
        "a.md": ("owner@acme.test", "Gone from “Shelf”."), "b.md": ("", "Gone from “Shelf”."), "c.md": ("", ""),
    }  # fmt: skip
    kept = {row["place"]: row["after"] for row in DeletionReport.objects.get(name="c.md").places}
    assert (kept["source_items"], kept["source_copies"]) == (1, 1)
    gone = {row["place"]: row["after"] for row in DeletionReport.objects.get(name="a.md").places}
    assert gone["source_items"] == 0
    kinds.forget_work(source.pk)


def test_nothing_is_withdrawn_after_a_listing_that_was_cut_short(
    source: Source, shelf: Any, sync: Any, world: Any
) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    sync(source)
    del shelf.texts["a.md"]
    shelf.complete = False
    shelf.problems = [Problem(key="", message="The second page of the listing did not come.")]
    run = sync(source)
    assert counts(run) == {"listed": 1, "unchanged": 1, "failed": 1}
    assert run.errors == [{"key": "", "message": "The second page of the listing did not come."}]
    assert run.report["complete"] is False
    assert texts(world) == {"a.md": 1, "b.md": 1}


def test_an_item_that_is_only_a_problem_is_not_withdrawn(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    sync(source)
    del shelf.texts["a.md"]
    shelf.problems = [Problem(key="a.md", message="Locked.")]
    assert counts(sync(source)) == {"listed": 1, "unchanged": 1, "failed": 1}
    assert texts(world) == {"a.md": 1, "b.md": 1}


def test_many_withdrawals_wait_for_somebody_to_agree(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(20)}
    sync(source)
    for n in range(11):
        del shelf.texts[f"{n}.md"]
    run = sync(source)
    assert (run.state, run.withheld, counts(run)) == ("done", 11, {"listed": 9, "unchanged": 9})
    assert len(texts(world)) == 20
    assert SourceItem.objects.filter(missing_since__isnull=False).count() == 11
    shelf.texts["3.md"] = "Number 3."  # one came back
    shelf.texts["4.md"] = "Number 4."
    run = sync(source)
    assert (run.withheld, counts(run)) == (0, {"listed": 11, "unchanged": 11, "withdrawn": 9})
    assert SourceItem.objects.filter(missing_since__isnull=False).count() == 0


def test_somebody_can_agree_to_many_withdrawals(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(12)}
    sync(source)
    shelf.texts.clear()
    assert sync(source).withheld == 12
    run = sync(source, allow_withdrawals=True)
    assert (run.withheld, counts(run)) == (0, {"withdrawn": 12})
    assert texts(world) == {}


def test_failed_items_are_tried_again_and_never_withdrawn(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two.", "empty.md": ""}
    sync(source)
    shelf.texts["a.md"] = "One, changed."
    shelf.broken = {"a.md"}
    run = sync(source)
    assert counts(run) == {"listed": 3, "unchanged": 1, "failed": 2}
    assert {e["key"]: e["message"] for e in run.errors} == {
        "a.md": "The shelf is locked.", "empty.md": "The file is empty.",
    }  # fmt: skip
    assert texts(world) == {"a.md": 1, "b.md": 1}
    shelf.broken = set()
    assert counts(sync(source)) == {"listed": 3, "unchanged": 1, "changed": 1, "failed": 1}
    assert texts(world) == {"a.md": 2, "b.md": 1}
    assert SourceItem.objects.get(key="a.md").error == ""


def test_an_error_nobody_foresaw_costs_one_item(source: Source, shelf: Any, sync: Any, caplog: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}

    def burst(key: str) -> None:
        if key == "a.md":
            raise RuntimeError("a secret of the server")

    shelf.before_fetch = burst
    run = sync(source)
    assert counts(run) == {"listed": 2, "added": 1, "failed": 1}
    assert run.errors[0]["message"].startswith("Something went wrong")


@pytest.mark.parametrize("key", ["nul\0.md", "half\ud800.md", "x" * 2001])
def test_keys_that_no_database_keeps_are_named(source: Source, shelf: Any, sync: Any, key: str) -> None:
    shelf.texts |= {key: "One.", "b.md": "Two."}
    run = sync(source)
    assert counts(run) == {"listed": 2, "added": 1, "failed": 1}
    assert "Rename it" in run.errors[0]["message"]


def test_long_keys_that_begin_alike_stay_apart(source: Source, shelf: Any, sync: Any) -> None:
    shelf.texts |= {"x" * 1900 + "a.md": "One.", "x" * 1900 + "b.md": "Two."}
    sync(source)
    assert Document.objects.count() == 2


def test_a_document_deleted_by_hand_comes_back_only_when_it_changes(
    source: Source, shelf: Any, sync: Any, world: Any
) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    sync(source)
    world.work()
    document_services.delete_document(document=Document.objects.get(title="a.md"))
    assert counts(sync(source))["listed"] == 2
    assert texts(world) == {"b.md": 1}
    world.work()
    shelf.prints["a.md"] = "touched"
    assert counts(sync(source)) == {"listed": 2, "unchanged": 1, "skipped": 1}
    shelf.texts["a.md"] = "One, changed."
    shelf.prints.clear()
    assert counts(sync(source)) == {"listed": 2, "unchanged": 1, "added": 1}
    assert texts(world) == {"a.md": 1, "b.md": 1}


# --- dry runs


def test_a_dry_run_says_what_would_be_done_and_stores_nothing(
    source: Source, shelf: Any, sync: Any, world: Any
) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two.", "c.md": "Three.", "d.md": "Four."}
    sync(source)
    shelf.texts |= {"a.md": "One, changed.", "e.md": "Five."}
    del shelf.texts["b.md"]
    shelf.prints["c.md"] = "touched"
    shelf.fetched.clear()
    before = list(SourceItem.objects.values().order_by("pk")), list(Document.objects.values().order_by("pk"))
    run = sync(source, kind="dry")
    assert counts(run) == {"listed": 4, "unchanged": 2, "added": 1, "changed": 1, "withdrawn": 1}
    assert {(c["action"], c["key"]) for c in run.changes} == {
        ("added", "e.md"), ("changed", "a.md"), ("withdrawn", "b.md"),
    }  # fmt: skip
    assert "e.md" not in shelf.fetched
    assert before == (list(SourceItem.objects.values().order_by("pk")), list(Document.objects.values().order_by("pk")))
    real = sync(source)
    assert {c["action"] for c in real.changes} == {"added", "changed", "withdrawn"}
    assert counts(real) == counts(run)


def test_a_dry_run_says_when_withdrawals_would_be_asked_about(
    source: Source, shelf: Any, sync: Any, world: Any
) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(12)}
    sync(source)
    shelf.texts.clear()
    run = sync(source, kind="dry")
    assert (run.withheld, counts(run)) == (12, {"withdrawn": 12})
    assert len(texts(world)) == 12


# --- stops


class Killed(BaseException):
    """Stands for kill -9: nothing after it is done, not even what handles errors."""


def test_a_run_that_was_killed_goes_on_where_it_was(
    source: Source, shelf: Any, actor: Any, world: Any, settings: Any
) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(6)}

    def die(key: str) -> None:
        if key == "3.md":
            raise Killed

    shelf.before_fetch = die
    run = services.start_run(source=source, actor=actor)
    with pytest.raises(Killed):
        runs.run_sync(run_id=run.pk)
    assert len(texts(world)) == 3
    SyncRun.objects.filter(pk=run.pk).update(lease_until=run.created)
    shelf.before_fetch = lambda key: None
    shelf.fetched.clear()
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, counts(run)) == ("done", {"listed": 6, "added": 6})
    assert shelf.fetched == ["3.md", "4.md", "5.md"]
    assert [c["key"] for c in run.changes] == [f"{n}.md" for n in range(6)]
    assert DocumentVersion.objects.count() == 6


def test_a_run_whose_task_is_out_of_time_goes_on_in_the_next(
    source: Source, shelf: Any, actor: Any, world: Any
) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(6)}

    def out_of_time(key: str) -> None:
        if key == "3.md":
            raise SoftTimeLimitExceeded

    shelf.before_fetch = out_of_time
    run = services.start_run(source=source, actor=actor)
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts, run.errors) == ("queued", 0, [])
    shelf.before_fetch = lambda key: None
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, counts(run)) == ("done", {"listed": 6, "added": 6})


@pytest.mark.parametrize("at", ["hold", "upload", "remember"])
def test_a_stop_within_an_item_leaves_all_of_it_or_nothing(
    source: Source, shelf: Any, actor: Any, world: Any, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    from knowledge.syncing import items

    shelf.texts["a.md"] = "One."
    with monkeypatch.context() as patched:
        if at == "remember":
            patched.setattr(items.Doing, "_remember", lambda *_, **__: (_ for _ in ()).throw(Killed()))
        elif at == "upload":
            real = document_services.upload_document

            def then_die(**given: Any) -> Any:
                real(**given)
                raise Killed

            patched.setattr(items.services, "upload_document", then_die)
        else:
            patched.setattr(items.jobs, "hold", lambda _: (_ for _ in ()).throw(Killed()))
        run = services.start_run(source=source, actor=actor)
        with pytest.raises(Killed):
            runs.run_sync(run_id=run.pk)
    assert (Document.objects.count(), SourceItem.objects.count()) == (0, 0)
    SyncRun.objects.filter(pk=run.pk).update(lease_until=run.created)
    runs.run_sync(run_id=run.pk)
    assert (Document.objects.count(), DocumentVersion.objects.count(), SourceItem.objects.count()) == (1, 1, 1)


def stored_files() -> set[str]:
    return {str(path) for path in Path(default_storage.location).rglob("*") if path.is_file()}  # type: ignore[attr-defined]


def test_bytes_are_stored_before_the_transaction_that_writes_their_rows(
    source: Source, shelf: Any, sync: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, within = files.save_upload, []

    def saved(version: DocumentVersion, upload: Any) -> None:
        within.append(connection.in_atomic_block)
        real(version, upload)

    monkeypatch.setattr(files, "save_upload", saved)
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    assert counts(sync(source)) == {"listed": 2, "added": 2}
    world.work()
    shelf.texts["a.md"] = "One, changed."
    assert counts(sync(source)) == {"listed": 2, "unchanged": 1, "changed": 1}
    assert within == [False] * 3
    newest = Document.objects.get(title="a.md").versions.order_by("-number").first()
    assert files.read(newest, files.ORIGINAL) == b"One, changed."


def test_bytes_without_a_row_do_not_stay(source: Source, shelf: Any, actor: Any, world: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    run = services.start_run(source=source, actor=actor)
    before = stored_files()

    def cancel(key: str) -> None:
        services.cancel_run(run=run)

    shelf.before_fetch = cancel
    runs.run_sync(run_id=run.pk)
    assert Document.objects.count() == 0
    assert stored_files() == before


def test_bytes_that_the_document_has_already_are_stored_once(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts["a.md"] = "One."
    sync(source)
    before = stored_files()
    SourceItem.objects.update(sha256="0" * 64, fingerprint="")  # what was noted of it is wrong
    sync(source)
    assert DocumentVersion.objects.count() == 1
    assert stored_files() == before


def test_a_cancelled_run_stops_and_keeps_what_it_stored(source: Source, shelf: Any, actor: Any, world: Any) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(6)}
    run = services.start_run(source=source, actor=actor)

    def cancel(key: str) -> None:
        if key == "2.md":
            services.cancel_run(run=run)

    shelf.before_fetch = cancel
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.counts["added"], len(texts(world))) == ("cancelled", 2, 2)
    assert services.start_run(source=source, actor=actor).state == "queued"


def test_a_run_that_never_gets_anywhere_fails_after_three_attempts(source: Source, shelf: Any, actor: Any) -> None:
    shelf.texts["a.md"] = "One."

    def die(key: str) -> None:
        raise Killed

    shelf.before_fetch = die
    run = services.start_run(source=source, actor=actor)
    for _ in range(3):
        with pytest.raises(Killed):
            runs.run_sync(run_id=run.pk)
        SyncRun.objects.filter(pk=run.pk).update(lease_until=run.created)
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.last_error) == ("failed", runs.STOPPED)


def test_a_run_that_gets_on_may_be_stopped_often(source: Source, shelf: Any, actor: Any) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(6)}
    run = services.start_run(source=source, actor=actor)
    read: list[str] = []

    def die_at_second(key: str) -> None:
        read.append(key)
        if len(read) == 2:
            raise Killed

    shelf.before_fetch = die_at_second
    for _ in range(5):
        read.clear()
        with pytest.raises(Killed):
            runs.run_sync(run_id=run.pk)
        SyncRun.objects.filter(pk=run.pk).update(lease_until=run.created)
    read.clear()
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, counts(run)) == ("done", {"listed": 6, "added": 6})


def test_settings_that_do_not_hold_any_more_end_the_run_in_words(
    source: Source, shelf: Any, sync: Any, settings: Any
) -> None:
    Source.objects.filter(pk=source.pk).update(options={})
    run = sync(source)
    assert (run.state, run.last_error) == ("failed", "“Shelf” is needed. Fill it in.")


def test_a_base_that_is_being_deleted_gets_nothing_more(source: Source, shelf: Any, sync: Any, world: Any) -> None:
    shelf.texts["a.md"] = "One."
    document_services.delete_knowledge_base(base=world.base)
    run = sync(source)
    assert run.state == "failed"
    assert "deleted" in run.last_error
    assert Document.objects.count() == 0


def test_only_so_many_runs_go_on_at_once(
    source: Source, shelf: Any, sync: Any, actor: Any, base: Any, settings: Any
) -> None:
    from django.utils import timezone

    settings.SYNCS_AT_ONCE = 1
    other = services.create_source(actor=actor, base=base, kind="listed", name="Other", options={"shelf": "B"})
    shelf.texts["a.md"] = "One."
    begun = services.start_run(source=other, actor=actor)
    lease = timezone.now() + timezone.timedelta(seconds=60)
    SyncRun.objects.filter(pk=begun.pk).update(state="running", lease_until=lease)
    run = sync(source)
    assert (run.state, run.attempts) == ("queued", 0)
    assert run.not_before > timezone.now()
    SyncRun.objects.filter(pk=begun.pk).update(lease_until=timezone.now())  # it died
    SyncRun.objects.filter(pk=run.pk).update(not_before=timezone.now())
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == "done"


# --- removal


def test_a_source_can_go_and_its_documents_stay(source: Source, shelf: Any, sync: Any, world: Any, actor: Any) -> None:
    shelf.texts["a.md"] = "One."
    done = sync(source)
    kinds.work_folder(source.pk).mkdir(parents=True)
    assert services.delete_source(source=source, actor=actor, withdraw=False) is None
    assert not kinds.work_folder(source.pk or done.pk).exists()
    assert (Source.objects.count(), SourceItem.objects.count(), texts(world)) == (0, 0, {"a.md": 1})
    done.refresh_from_db()
    assert (done.source, done.source_name) == (None, "Shelf")


def test_a_source_can_go_with_its_documents_and_leaves_a_report(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any
) -> None:
    shelf.texts |= {f"{n}.md": f"The number {n}." for n in range(4)}
    sync(source)
    world.work()
    world.add("By hand.", "own.md")
    pk = source.pk
    kinds.work_folder(pk).mkdir(parents=True)
    run = services.delete_source(source=source, actor=actor, withdraw=True)
    assert run is not None
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.counts["withdrawn"], run.source, run.report) == ("done", 4, None, {"removed": True})
    assert Source.objects.count() == 0
    assert texts(world) == {"own.md": 1}
    assert not kinds.work_folder(pk).exists()
    world.work()
    assert Document.objects.count() == 1


def test_a_removal_that_was_killed_goes_on(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.syncing import items

    shelf.texts |= {f"{n}.md": f"The number {n}." for n in range(4)}
    sync(source)
    run = services.delete_source(source=source, actor=actor, withdraw=True)
    assert run is not None
    with monkeypatch.context() as patched:
        left, real = [2], document_services.delete_document

        def die(**given: Any) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            real(**given)

        patched.setattr(items.services, "delete_document", die)
        with pytest.raises(Killed):
            runs.run_sync(run_id=run.pk)
    assert len(texts(world)) == 2
    SyncRun.objects.filter(pk=run.pk).update(lease_until=run.created)
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.counts["withdrawn"], Source.objects.count(), texts(world)) == ("done", 4, 0, {})


def test_a_removal_that_failed_is_queued_again_by_itself(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.syncing import items

    def busy(**_: Any) -> None:
        raise StoreBusy

    shelf.texts |= {f"{n}.md": f"The number {n}." for n in range(3)}
    sync(source)
    run = services.delete_source(source=source, actor=replace(actor, user_id=owner.pk), withdraw=True)
    assert run is not None
    assert services.start_due() == 0  # it is queued
    with monkeypatch.context() as patched:
        patched.setattr(items.services, "delete_document", busy)
        for _ in range(3):
            SyncRun.objects.filter(pk=run.pk).update(not_before=run.created)
            runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, Source.objects.get().deleting) == ("failed", True)
    assert services.start_due() == 0  # not at once
    SyncRun.objects.update(finished=run.created - services.REMOVAL_AGAIN)
    assert services.start_due() == 1
    assert services.start_due() == 0
    again = SyncRun.objects.get(state="queued")
    assert (again.kind, again.requested_by, again.scheduled) == ("remove", owner, False)
    runs.run_sync(run_id=again.pk)
    assert (Source.objects.count(), texts(world)) == (0, {})


# --- cost


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that the embedding model was given."""
    found: list[str] = []
    for name in ("embed_passages", "embed_with_tokens"):
        real = getattr(LocalEmbedder, name)

        def counted(self: Any, texts: Any, real: Any = real) -> Any:
            found.extend(texts)
            return real(self, texts)

        monkeypatch.setattr(LocalEmbedder, name, counted)
    return found


def test_what_is_unchanged_computes_no_embeddings(
    source: Source, shelf: Any, sync: Any, world: Any, embedded: list[str]
) -> None:
    shelf.texts |= {f"{n}.md": f"Note {n}: the shelf has number {n * 7}." for n in range(20)}
    sync(source)
    assert world.work() == 20
    assert len(set(embedded)) == 20
    embedded.clear()
    sync(source)
    assert (world.work(), embedded) == (0, [])
    shelf.texts["7.md"] = "Note 7 is another one."
    sync(source)
    assert (world.work(), len(set(embedded))) == (1, 1)


def test_a_thousand_unchanged_files_cost_seconds_and_touch_nothing(
    actor: Any, base: Any, sync: Any, world: Any, tmp_path: Path, settings: Any
) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    for n in range(1000):
        (tmp_path / f"{n % 20}").mkdir(exist_ok=True)
        (tmp_path / f"{n % 20}" / f"note {n}.md").write_text(f"Note {n}: the shelf has number {n * 7}.")
    source = services.create_source(
        actor=actor, base=base, kind="folder", name="Notes", options={"path": str(tmp_path)}
    )
    assert counts(sync(source)) == {"listed": 1000, "added": 1000}
    rows = list(Document.objects.order_by("pk").values()), list(DocumentVersion.objects.order_by("pk").values())
    jobs, sent = IngestionJob.objects.count(), len(world.sent)
    began = time.perf_counter()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        run = sync(source)
    seconds = time.perf_counter() - began
    assert counts(run) == {"listed": 1000, "unchanged": 1000}
    assert len(queries) < 40, len(queries)
    assert not [q["sql"] for q in queries if "documents_" in q["sql"] and not q["sql"].startswith("SELECT")]
    assert (
        list(Document.objects.order_by("pk").values()),
        list(DocumentVersion.objects.order_by("pk").values()),
    ) == rows
    assert (IngestionJob.objects.count(), [name for name, _ in world.sent[sent:]]) == (jobs, ["run_sync"])
    print(f"1,000 unchanged files: {seconds:.2f} s, {len(queries)} queries")
    assert seconds < 2
