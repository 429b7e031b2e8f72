"""What logs of runs keep: the newest runs, and of erased documents no path."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge.documents import services as document_services
from knowledge.documents.deletions import reports
from knowledge.documents.deletions.models import DeletionReport
from knowledge.documents.models import Document
from knowledge.syncing import runs, services
from knowledge.syncing.models import Source, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "private/of-jane-roe.md"


def logged(run: SyncRun) -> list[str]:
    run.refresh_from_db()
    return [line["key"] for line in (*run.changes, *run.errors)]


def left_after(document: Document) -> int | None:
    report = DeletionReport.objects.get(document_ref=document.pk)
    [entry] = [entry for entry in report.places if entry["place"] == "run_log"]
    left: int | None = entry["after"]
    return left


def test_an_erasure_blanks_the_path_in_every_log_and_a_deletion_does_not(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any
) -> None:
    shelf.texts |= {PATH: "One.", "b.md": "Two."}
    first = sync(source)
    world.work()
    shelf.broken, shelf.texts[PATH] = {PATH}, "One, changed."
    second = sync(source)
    dry = sync(source, kind="dry")
    assert PATH in logged(first)
    assert (logged(second), PATH in logged(dry)) == ([PATH], True)
    jane, other = Document.objects.get(title="of-jane-roe.md"), Document.objects.get(title="b.md")
    document_services.delete_document(document=other)
    document_services.erase_document(document=jane, actor=actor)
    assert "b.md" in logged(first)
    world.work()
    assert (left_after(jane), left_after(other)) == (0, 1)
    for run in (first, second, dry):
        assert PATH not in logged(run)
    assert [line["action"] for line in first.changes] == ["added", "added"]
    assert reports.left_of(DeletionReport.objects.get(erased=True)) == []


def test_a_document_that_was_withdrawn_before_is_blanked_when_it_is_erased(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any
) -> None:
    shelf.texts |= {PATH: "One.", "b.md": "Two."}
    first = sync(source)
    world.work()
    del shelf.texts[PATH]
    second = sync(source)
    world.work()
    ref = DeletionReport.objects.get().document_ref
    assert PATH in logged(first)
    assert logged(second) == [PATH]
    reports.reopen(tenant_id=actor.tenant_id, document_ref=ref)
    assert PATH not in logged(first)
    assert logged(second) == [""]


def test_a_run_under_way_does_not_write_an_erased_path_back(
    source: Source, shelf: Any, sync: Any, world: Any, actor: Any
) -> None:
    shelf.texts |= {PATH: "One.", "z.md": "Two."}

    def erase(key: str) -> None:
        if key == "z.md":
            document_services.erase_document(document=Document.objects.get(title="of-jane-roe.md"), actor=actor)

    shelf.before_fetch = erase
    run = sync(source)
    assert (run.state, logged(run)) == ("done", ["", "z.md"])


def test_only_the_newest_runs_of_a_source_are_kept(
    source: Source, shelf: Any, sync: Any, actor: Any, base: Any
) -> None:
    other = services.create_source(actor=actor, base=base, kind="listed", name="Other", options={"shelf": "B"})
    long_ago = timezone.now() - timedelta(days=1)
    for one, number in ((source, 120), (other, 5)):
        SyncRun.objects.bulk_create(
            SyncRun(source=one, tenant_id=one.tenant_id, source_name=one.name, not_before=long_ago, finished=long_ago,
                    state="done") for _ in range(number)
        )  # fmt: skip
    SyncRun.objects.update(created=long_ago)
    run = services.start_run(source=source, actor=actor)
    assert (source.runs.count(), other.runs.count()) == (100, 5)
    runs.run_sync(run_id=run.pk)
    assert source.runs.order_by("-created").first() == run
