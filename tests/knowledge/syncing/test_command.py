"""``manage.py sync`` as an operator types it; the worker is played by a thread of the test's own."""

from __future__ import annotations

import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge.documents import tasks as document_tasks
from knowledge.documents.models import Document
from knowledge.syncing import runs, services
from knowledge.syncing.models import Source, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    """What is sent is done at once."""

    def publish(task: Any, **arguments: Any) -> bool:
        if task.name.endswith("run_sync"):
            runs.run_sync(run_id=uuid.UUID(arguments["job_id"]))
        return True

    monkeypatch.setattr(document_tasks, "publish", publish)


def manage(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("sync", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_source_is_run_by_its_name_and_says_what_it_did(source: Source, shelf: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": ""}
    out, err = manage("Shelf", "--wait")
    assert "1 added, 1 failed" in out
    assert "b.md: The file is empty." in err
    assert Document.objects.count() == 1


def test_a_dry_run_lists_the_changes(source: Source, shelf: Any) -> None:
    shelf.texts["a.md"] = "One."
    out, _ = manage(str(source.pk), "--dry-run", "--wait")
    assert "added      a.md" in out
    assert "1 would be added" in out
    assert Document.objects.count() == 0


def test_many_withdrawals_end_in_a_sentence_that_says_how(source: Source, shelf: Any) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(12)}
    manage("Shelf", "--wait")
    shelf.texts.clear()
    with pytest.raises(CommandError, match="12 documents are gone.*--allow-withdrawals"):
        manage("Shelf", "--wait")
    assert "12 withdrawn" in manage("Shelf", "--wait", "--allow-withdrawals")[0]


def test_the_list_says_how_each_source_stands(source: Source, shelf: Any) -> None:
    shelf.texts["a.md"] = "One."
    manage("Shelf", "--wait")
    out, _ = manage("--list")
    for words in (str(source.pk), "handbook", "listed", "Shelf", "by hand only", "1 documents", "In order."):
        assert words in out


def test_names_that_mean_nothing_or_two_sources_are_refused(source: Source, actor: Any, base: Any) -> None:
    with pytest.raises(CommandError, match="no source 'Shelve'. Known: Shelf"):
        manage("Shelve")
    services.create_source(actor=actor, base=base, kind="listed", name="Shelf", options={"shelf": "B"})
    with pytest.raises(CommandError, match="Several sources"):
        manage("Shelf")


def test_a_run_that_is_open_and_one_that_fails_are_said(source: Source, actor: Any) -> None:
    run = SyncRun.objects.create(
        tenant_id=source.tenant_id, source=source, source_name="Shelf", not_before=source.created
    )
    with pytest.raises(CommandError, match="under way"):
        manage("Shelf")
    services.cancel_run(run=run)
    Source.objects.update(options={})
    with pytest.raises(CommandError, match="is needed"):
        manage("Shelf", "--wait")
