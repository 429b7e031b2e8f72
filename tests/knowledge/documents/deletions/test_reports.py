"""The report of a deletion: every place before and after, whatever happens in between, signed when the bytes are gone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import selectors, services, tasks
from knowledge.documents.deletions import deletion, places, reports, signing
from knowledge.documents.deletions.places import Found, Place, Rule
from knowledge.documents.models import DeletionReport, Document, IngestionJob, Purge
from knowledge.errors import DeletionNotFound, StoreBusy, StoreUnavailable

pytestmark = pytest.mark.django_db(transaction=True)

State = DeletionReport.State


def report_of(document: Document) -> DeletionReport:
    return DeletionReport.objects.get(document_ref=document.pk)


def counts(document: Document) -> dict[str, tuple[int | None, int | None]]:
    """Return ``(before, after)`` of each place of this package that is not about answers."""
    ours = {"terms", "document", "versions", "chunks", "files", "tokens", "records", "index_files", "database",
            "admin_log", "memory"}  # fmt: skip
    found = {e["place"]: (e["before"], e["after"]) for e in report_of(document).places}
    assert ours <= found.keys()
    return {place: found[place] for place in sorted(ours)}


def signed(report: DeletionReport) -> bool:
    return signing.is_signed(signing.facts_of(report), report.signature)


@pytest.fixture
def extra() -> Any:
    """Call with a place to have it among the others in this test."""
    added: list[str] = []

    def add(place: Place) -> None:
        added.append(place.key)
        places.register(place)

    yield add
    for key in added:
        del places._places[key]


def test_every_place_is_counted_before_and_after_and_the_whole_is_signed(
    world: Any, sections: Callable[..., str], owner: Any
) -> None:
    from knowledge.tenants.access import actor_for

    world.add("The heron stands still beside the otter.", "kept.md")
    world.add(sections("badger", 2))
    document = world.add(sections("otter", 3), title="On otters")
    selectors.text_of_version(str(document.current_version_id))  # as a search does
    actor = actor_for(user_id=owner.pk)
    files = [
        p.name for p in Path(default_storage.path(f"{document.tenant_id}/{document.pk}")).rglob("*") if p.is_file()
    ]
    tokens = [name for name in files if name.startswith("tokens-")]
    services.delete_document(document=document, actor=actor, reason="Asked for by its author")
    assert (report_of(document).state, report_of(document).name) == (State.RUNNING, "On otters")
    world.work()
    report = report_of(document)
    assert (report.state, report.error, report.requested_by) == (State.DONE, "", owner.email)
    assert (report.reason, report.erased) == ("Asked for by its author", False)
    assert report.requested <= report.finished <= report.purged
    found = counts(document)
    own, left = found.pop("terms")
    assert (own >= 3, left) == (True, 0)
    assert found == {
        "document": (1, 0), "versions": (2, 0), "chunks": (3, 0), "records": (3, 0), "index_files": (1, 0),
        "files": (len(files) - len(tokens), 0), "tokens": (len(tokens), 0), "database": (1, 0), "admin_log": (0, 0),
        "memory": (1, 0),
    }  # fmt: skip
    assert reports.is_gone(report)
    assert signed(report)
    assert tokens


def test_words_that_others_have_too_are_not_counted_as_its_own(world: Any) -> None:
    world.add("The heron stands.", "kept.md")
    document = world.add("The heron dances.", "gone.md")
    services.delete_document(document=document)
    [terms] = [e for e in report_of(document).places if e["place"] == "terms"]
    assert (terms["before"], terms["after"]) == (2, 0)  # of its title and of its text


def test_report_may_keep_no_name(world: Any) -> None:
    document = world.add("The otter sleeps.", "secret-name.md")
    services.delete_document(document=document, keep_name=False)
    world.work()
    assert report_of(document).name == ""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert not [row for row in cursor.fetchall() if "secret-name" in repr(row)], table


def test_title_leaves_the_operators_log(world: Any, owner: Any) -> None:
    document = world.add("The otter sleeps.", title="Zanzibar")
    kind = ContentType.objects.get_for_model(Document)
    LogEntry.objects.create(
        user_id=owner.pk, content_type=kind, object_id=str(document.pk), object_repr="Zanzibar", action_flag=CHANGE,
        change_message="Changed title to Zanzibar",
    )  # fmt: skip
    services.delete_document(document=document)
    world.work()
    assert counts(document)["admin_log"] == (1, 0)
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.change_message) == (str(document.pk), "")


# --- what goes wrong ---------------------------------------------------------------------------------


class Killed(BaseException):
    """What ends a process at once does not run through ``except Exception``."""


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    "step", ["store.delete", "store.count", "files.delete_folder", "reports.finish", "reports.count_after", "purge",
             "reports.settle", "log"],
)  # fmt: skip
def test_deletion_killed_at_any_step_and_run_again_gives_one_complete_report(
    world: Any, step: str, monkeypatch: pytest.MonkeyPatch, sections: Callable[..., str]
) -> None:
    document = world.add(sections("otter", 3))
    services.delete_document(document=document)
    owner, name = {
        "store.delete": (wiring.store(), "delete"), "store.count": (wiring.store(), "count"),
        "files.delete_folder": (deletion.files, "delete_folder"), "reports.finish": (reports, "finish"),
        "reports.count_after": (reports, "count_after"), "purge": (wiring.store(), "optimize"),
        "reports.settle": (reports, "settle"), "log": (deletion, "_log_emptied"),
    }[step]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(Killed):
            world.work()
    IngestionJob.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
    world.work()
    tasks.purge_deleted()
    report = report_of(document)
    assert (report.state, Purge.objects.count()) == (State.DONE, 0)
    found = counts(document)
    assert (found["records"], found["chunks"], found["versions"]) == ((3, 0), (3, 0), (1, 0))
    assert found["files"][0] >= 4
    assert all(after == 0 for _, after in found.values())
    assert signed(report)


def test_what_is_left_is_told_loudly_and_counted_again_once_repaired(
    world: Any, extra: Any, caplog: pytest.LogCaptureFixture
) -> None:
    left = [2]
    extra(Place(key="attic", name="The attic", rule=Rule.GONE, count=lambda _: Found(count=left[0], note="boxes")))
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with caplog.at_level(logging.ERROR):
        world.work()
    report = report_of(document)
    assert report.state == State.FAILED
    assert "2 in “The attic”" in report.error
    assert "reconcile --repair" in report.error
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert report.purged is None
    assert signed(report)  # also of bad news
    left[0] = 0
    tasks.purge_deleted()
    assert report_of(document).state == State.FAILED  # not at once
    DeletionReport.objects.update(checked=timezone.now() - timedelta(minutes=11))
    tasks.purge_deleted()
    report = report_of(document)
    assert (report.state, report.error) == (State.DONE, "")
    assert signed(report)


def test_new_counts_never_stand_over_the_signature_of_the_former_ones(
    world: Any, extra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [2]
    extra(Place(key="attic", name="The attic", rule=Rule.GONE, count=lambda _: Found(count=left[0])))
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    world.work()
    assert signed(report_of(document))

    def killed(report: DeletionReport) -> None:
        raise KeyboardInterrupt

    left[0] = 1
    DeletionReport.objects.update(checked=timezone.now() - timedelta(minutes=11))
    with monkeypatch.context() as patch:
        patch.setattr(reports, "sign", killed)
        with pytest.raises(KeyboardInterrupt):
            reports.settle()
    report = report_of(document)
    assert [e["after"] for e in report.places if e["place"] == "attic"] == [1]
    assert report.signature == ""


@pytest.mark.usefixtures("redis_server")
def test_what_answers_keep_by_rule_is_no_failure_until_it_is_erased(world: Any, extra: Any) -> None:
    extra(Place(key="shelf", name="The shelf", rule=Rule.KEPT, count=lambda _: Found(count=1)))
    extra(Place(key="mist", name="The mist", rule=Rule.FADES, count=lambda _: Found(count=1)))
    first, second = (world.add(f"The {word} sleeps.", f"{word}.md") for word in ("otter", "heron"))
    services.delete_document(document=first)
    services.erase_document(document=second, actor=world.actor)
    world.work()
    assert (report_of(first).state, reports.left_of(report_of(first))) == (State.DONE, [])
    report = report_of(second)
    assert (report.state, report.name, report.erased) == (State.FAILED, "", True)
    assert [e["place"] for e in reports.left_of(report)] == ["shelf"]


def test_deletion_that_gives_up_says_so_in_its_report(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StoreBusy

    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "delete", busy)
        patch.setattr("django.conf.settings.JOB_ATTEMPTS", 1)
        world.work()
    report = report_of(document)
    assert (report.state, report.error) == (State.FAILED, StoreBusy.default_message)
    services.delete_document(document=document)
    assert report_of(document).state == State.RUNNING
    world.work()
    assert report_of(document).state == State.DONE
    assert DeletionReport.objects.count() == 1
    assert counts(document)["records"] == (1, 0)


def test_place_that_cannot_be_asked_is_asked_again(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable

    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(reports, "count_after", away)
        world.work()
        tasks.purge_deleted()
        assert report_of(document).state == State.WAITING
    tasks.purge_deleted()
    assert report_of(document).state == State.DONE


def test_report_waits_for_the_purge(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StoreBusy

    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "optimize", busy)
        world.work()
    report = report_of(document)
    assert (report.state, report.purged, report.signature) == (State.WAITING, None, "")
    assert counts(document)["index_files"] == (1, 1)
    tasks.purge_deleted()
    assert report_of(document).state == State.DONE


def test_reports_that_wait_keep_no_other_organisation_waiting(
    world: Any, other_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "AT_ONCE", 1)
    first, second = world.add("The otter sleeps."), other_world.add("The heron stands.")
    real, own = wiring.store().optimize, str(world.actor.tenant_id)

    def optimize(*, space: str, tenant: str) -> None:
        if tenant == own:
            raise StoreBusy
        real(space=space, tenant=tenant)

    with monkeypatch.context() as patch:
        patch.setattr(wiring.store(), "optimize", optimize)
        for document in (first, second):
            services.delete_document(document=document)
        world.work()
        for _ in range(3):
            deletion.purge()
        assert (report_of(first).state, report_of(second).state) == (State.WAITING, State.DONE)
    tasks.purge_deleted()
    assert report_of(first).state == State.DONE


def test_engine_with_a_purger_is_asked_until_it_is_done(world: Any) -> None:
    answers = [False, True]
    places.add_purger("press", lambda: answers.pop(0))
    try:
        document = world.add("The otter sleeps.")
        services.delete_document(document=document)
        deletion.request_purge(tenant_id=world.actor.tenant_id, space="press")
        world.work()
        assert report_of(document).state == State.WAITING
        tasks.purge_deleted()
        assert (report_of(document).state, answers) == (State.DONE, [])
    finally:
        del places._purgers["press"]


def test_deletion_that_began_before_there_were_reports_gets_one(world: Any) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    DeletionReport.objects.all().delete()
    world.work()
    report = report_of(document)
    assert (report.state, report.name, counts_without_terms(report)["records"]) == (State.DONE, "", (1, 0))


def counts_without_terms(report: DeletionReport) -> dict[str, tuple[int, int]]:
    return {e["place"]: (e["before"], e["after"]) for e in report.places}


def test_every_document_of_a_deleted_base_has_a_report(world: Any) -> None:
    for word in ("otter", "heron"):
        world.add(f"The {word} sleeps.", f"{word}.md")
    services.delete_knowledge_base(base=world.base, actor=world.actor)
    world.work()
    found = DeletionReport.objects.order_by("name")
    assert [(r.name, r.state, r.requested_by) for r in found] == [
        ("heron.md", State.DONE, "operator"), ("otter.md", State.DONE, "operator"),
    ]  # fmt: skip


# --- who sees it, and whether it was changed ----------------------------------------------------------


def test_changed_report_is_found_out(world: Any) -> None:
    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    world.work()
    report = report_of(document)
    assert signed(report)
    for change in ({"reason": "another"}, {"state": "failed"}, {"purged": timezone.now()}, {"places": []}):
        DeletionReport.objects.filter(pk=report.pk).update(**change)
        assert not signed(report_of(document)), change
        report.save()
    assert signed(report_of(document))


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("deletion_report", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_command_shows_hands_out_and_verifies(world: Any, tmp_path: Path, settings: Any) -> None:
    document = world.add("The otter sleeps.", "otters.md")
    services.delete_document(document=document, actor=world.actor, reason="No longer needed")
    with pytest.raises(CommandError, match="not signed yet"):
        command(str(document.pk), "--verify")
    world.work()
    told = command(str(document.pk))
    assert "otters.md: Gone." in told
    assert "by: operator No longer needed" in told
    assert "Records of the index: vectors, words, text: 1 -> 0." in told
    assert "Nothing is left." in told
    saved = tmp_path / "report.json"
    saved.write_text(command(str(document.pk), "--json", "--verify"))
    assert "nothing was changed" in command(str(saved))
    facts = json.loads(saved.read_text())
    saved.write_text(json.dumps({**facts, "reason": "forged"}))
    with pytest.raises(CommandError, match="signature is wrong"):
        command(str(saved))
    settings.SECRET_KEY = "another installation's"
    with pytest.raises(CommandError, match="signature is wrong"):
        command(str(document.pk), "--verify")


@pytest.mark.parametrize("named", ["/nowhere/report.json", "3e8e21ba-1466-4d48-b508-c8099b49caaf"])
def test_command_names_what_is_not_there(db: None, named: str) -> None:
    with pytest.raises(CommandError, match="neither an id nor a file|There is no report"):
        command(named)


def test_command_refuses_what_is_no_report(db: None, tmp_path: Path) -> None:
    for content in ("[]", "{}", "not json"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(CommandError, match="no saved report"):
            command(str(tmp_path / "x.json"))


def test_reports_are_for_editors_of_the_organisation(world: Any, other_world: Any) -> None:
    from dataclasses import replace

    from knowledge.documents import access

    document = world.add("The otter sleeps.")
    services.delete_document(document=document)
    report = report_of(document)
    for pk in (report.pk, document.pk):
        assert access.access_deletion(actor=world.actor, pk=pk) == report
        for stranger in (other_world.actor, replace(world.actor, role="reader"), replace(world.actor, role="member")):
            with pytest.raises(DeletionNotFound):
                access.access_deletion(actor=stranger, pk=pk)
    with pytest.raises(DeletionNotFound):
        access.access_deletion(actor=world.actor, pk="nonsense")
