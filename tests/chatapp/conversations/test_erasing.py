"""What an erasure takes from answers, what it leaves, and what the chain says of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
import stored_answers
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from chatapp.conversations import audit, erasing, selectors, services, tasks
from chatapp.conversations.events import stream_key
from chatapp.conversations.models import (
    AnswerRun,
    AuditEntry,
    Citation,
    ContextPassage,
    Erasure,
    Message,
    PassageSnapshot,
)
from chatapp.conversations.records import digest_of, record_of
from chatapp.conversations.sealing import canonical
from knowledge.documents.deletions.deletion import purge
from knowledge.documents.models import Document
from knowledge.documents.services import erase_document

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

WORDS = ("Visitors register", "front desk", "About visitors")


def everything() -> str:
    """Return all that the database holds of answers."""
    models = (AnswerRun, AuditEntry, Citation, ContextPassage, Erasure, Message, PassageSnapshot)
    return "".join(serializers.serialize("json", model.objects.all(), ensure_ascii=False) for model in models)


def findings(tenant: Any) -> tuple[list[str], list[str]]:
    """Return what the chain says: what is broken, and what is not."""
    found = list(audit.check(tenant))
    return [f.words for f in found if f.broken], [f.words for f in found if not f.broken]


def test_words_go_and_the_chain_stays_whole(
    make_answer: Any, visitors: Document, leave: Document, actor: Any, tenant: Any
) -> None:
    run, other = make_answer(visitors, leave), make_answer(leave)
    assert all(words in everything() for words in WORDS)
    digests = list(AuditEntry.objects.values_list("digest", flat=True))
    erase_document(document=visitors, actor=actor, reason="asked by the person")
    Document.objects.filter(pk=visitors.pk).delete()  # as its job does
    assert not any(words in everything() for words in WORDS)
    assert list(AuditEntry.objects.order_by("sequence").values_list("digest", flat=True))[:2] == digests
    broken, told = findings(tenant)
    assert broken == []
    assert any(f"answer {run.pk}" in words and "1 source erased on" in words for words in told)
    assert any(f"{visitors.pk} were erased" in words for words in told)
    erasure = Erasure.objects.get()
    assert (erasure.by, erasure.reason) == ("owner@acme.test", "asked by the person")
    run.refresh_from_db()
    detail = selectors.run_detail(run, actor=actor)
    assert detail["citations"][0]["standing"]["state"] == "erased"
    assert detail["citations"][1]["quote"] == "Every employee has 2"
    first, second, last = detail["sentences"]
    assert detail["answer"][first["start"] : first["end"]].startswith("[Left out: its source was erased on ")
    assert detail["answer"][second["start"] : second["end"]].startswith("Every employee has 27 days")
    assert first["verdict"] == "supported"  # numbers stay
    assert first["left_out"]
    assert not second.get("left_out")
    other.refresh_from_db()
    assert other.erased is None
    assert other.raw_output


def test_later_answers_of_the_conversation_lose_what_repeats_it(
    make_answer: Any, visitors: Document, leave: Document, actor: Any, tenant: Any
) -> None:
    first = make_answer(visitors)
    later = make_answer(leave, conversation=str(first.conversation_id))
    repeated = "As said, visitors register at the front desk before 18:00."
    AnswerRun.objects.filter(pk=later.pk).update(prompt=[{"role": "assistant", "content": repeated}])
    AuditEntry.objects.filter(run_ref=later.pk)._raw_delete("default")
    audit.append(later.pk)
    erase_document(document=visitors, actor=actor)
    later.refresh_from_db()
    assert later.prompt == []
    assert later.raw_output.startswith("Every employee")
    assert findings(tenant)[0] == []


def test_the_events_lose_an_erased_query(make_answer: Any, visitors: Document, leave: Document, actor: Any) -> None:
    later = make_answer(leave, conversation=str(make_answer(visitors).conversation_id))
    query = "Do visitors register at the front desk before 18:00?"
    later.events[1]["query"] = query
    AnswerRun.objects.filter(pk=later.pk).update(query=query, events=later.events)
    erase_document(document=visitors, actor=actor)
    assert not any(words in everything() for words in WORDS)
    later.refresh_from_db()
    assert (later.query, later.events[1]["query"]) == ("", "")


def test_a_text_that_vanished_without_an_erasure_is_a_changed_text(
    make_answer: Any, visitors: Document, tenant: Any
) -> None:
    run = make_answer(visitors)
    PassageSnapshot.objects.update(text="")
    AnswerRun.objects.update(raw_output="", salts={**run.salts, "raw_output": ""})
    broken, _ = findings(tenant)
    assert len(broken) == 2
    assert any("passage S1" in words for words in broken)


def test_what_an_erasure_left_is_still_proved(
    make_answer: Any, visitors: Document, leave: Document, actor: Any, tenant: Any
) -> None:
    run = make_answer(visitors, leave)
    erase_document(document=visitors, actor=actor)
    Citation.objects.filter(run=run, number=2).update(quote="other words")
    (broken,) = findings(tenant)[0]
    assert "citation S2 is not as it was recorded" in broken


def test_an_erasure_whose_entry_is_gone_excuses_nothing(
    make_answer: Any, visitors: Document, actor: Any, tenant: Any
) -> None:
    make_answer(visitors)
    erase_document(document=visitors, actor=actor)
    AuditEntry.objects.filter(run_ref=Erasure.objects.get().pk)._raw_delete("default")
    assert any("raw output is not as it was recorded" in words for words in findings(tenant)[0])


def test_answers_of_the_first_format_are_checked_and_erased_too(
    make_answer: Any, visitors: Document, leave: Document, actor: Any, tenant: Any
) -> None:
    run = make_answer(visitors, leave)
    AuditEntry.objects.all()._raw_delete("default")
    AnswerRun.objects.update(salts={})
    record = canonical(record_of(AnswerRun.objects.get(), sequence=1, form="footnote-answer-1"))
    AuditEntry.objects.create(tenant=tenant, sequence=1, run_ref=run.pk, record=record, digest=digest_of("", record))
    assert findings(tenant) == ([], [])
    erase_document(document=visitors, actor=actor)
    assert findings(tenant)[0] == []
    assert "Visitors register" not in everything()
    assert "Every employee" in everything()
    erase_document(document=leave, actor=actor)
    assert findings(tenant)[0] == []
    assert "Every employee" not in everything()


def test_erasing_twice_finds_nothing_more(make_answer: Any, visitors: Document, actor: Any, tenant: Any) -> None:
    make_answer(visitors)
    erase_document(document=visitors, actor=actor)
    once = Message.objects.get(role="assistant").text
    report = erasing.erase(tenant_id=tenant.pk, document_ref=visitors.pk, by="x")
    assert (report.snapshots, report.answers) == (0, 0)
    assert Message.objects.get(role="assistant").text == once
    assert findings(tenant)[0] == []


@pytest.fixture
def erased_meanwhile(visitors: Document, actor: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call to have the visitors' document erased just before the next answer ends."""
    keep = services.store_outcome

    def late(**more: Any) -> None:
        monkeypatch.setattr(services, "store_outcome", keep)
        erase_document(document=visitors, actor=actor)
        keep(**more)

    return lambda: monkeypatch.setattr(services, "store_outcome", late)


def test_an_answer_under_way_loses_the_words_when_it_ends(
    make_answer: Any, visitors: Document, leave: Document, tenant: Any, erased_meanwhile: Callable[[], None]
) -> None:
    erased_meanwhile()
    run = make_answer(visitors, leave)
    assert run.prompt == []
    assert "front desk" not in everything()
    assert "Every employee" in everything()
    assert findings(tenant)[0] == []


def test_an_answer_under_way_that_was_told_the_words_loses_them_too(
    make_answer: Any, visitors: Document, leave: Document, tenant: Any, erased_meanwhile: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = make_answer(visitors)
    untouched = make_answer(leave)
    monkeypatch.setitem(stored_answers.QUOTES, "leave", "As said, visitors register at the front desk before 18:00.")
    erased_meanwhile()
    run = make_answer(leave, conversation=str(first.conversation_id))
    assert run.prompt == []
    assert "front desk" not in run.answer.text + run.raw_output + json.dumps(run.events)
    assert AnswerRun.objects.get(pk=untouched.pk).raw_output
    assert findings(tenant)[0] == []


def test_an_answer_that_began_after_an_erasure_keeps_its_words_while_others_catch_up(
    make_answer: Any, visitors: Document, leave: Document, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_answer(visitors)
    erasing.erase(tenant_id=tenant.pk, document_ref=visitors.pk, by="x")
    (erased,) = Erasure.objects.all()
    store = services.store_outcome

    def late(**arguments: Any) -> None:
        """Another answer, under way since before the erasure, ends while this one is under way."""
        monkeypatch.setattr(services, "store_outcome", store)
        other = make_answer(leave, conversation=str(first.conversation_id))
        AnswerRun.objects.filter(pk=other.pk).update(started=erased.created - timedelta(seconds=1))
        erasing.catch_up(AnswerRun.objects.get(pk=other.pk))
        store(**arguments)

    monkeypatch.setattr(services, "store_outcome", late)
    run = make_answer(leave, conversation=str(first.conversation_id))
    assert [row.created for row in Erasure.objects.all()] == [erased.created] * 2
    assert "Every employee" in run.answer.text
    assert run.erased is None


def test_an_erasure_waits_for_answers_that_end_right_now(
    make_answer: Any, visitors: Document, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both hold the chain from before they look at what the other does until they are done."""
    run, held = make_answer(visitors), list[str]()
    hold, touched = audit.hold_chain, erasing._runs_touched
    monkeypatch.setattr(audit, "hold_chain", lambda pk: held.append("chain") or hold(pk))
    monkeypatch.setattr(erasing, "_runs_touched", lambda *of: held.append("look") or touched(*of))
    erasing.erase(tenant_id=tenant.pk, document_ref=visitors.pk, by="x")
    assert held[:2] == ["chain", "look"]
    held.clear()
    monkeypatch.setattr(erasing, "catch_up", lambda _: held.append("look"))
    AnswerRun.objects.filter(pk=run.pk).update(status=AnswerRun.Status.RUNNING)
    AuditEntry.objects.filter(run_ref=run.pk)._raw_delete("default")
    services.store_outcome(run=run, outcome=services.Outcome(status="done"), events=[])
    assert held == ["chain", "look"]


def test_an_answer_whose_process_died_loses_the_words_when_it_is_ended(
    make_answer: Any, visitors: Document, actor: Any, tenant: Any, redis_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "store_outcome", lambda **_: None)
    run = make_answer(visitors)
    sent = {"v": 1, "type": "answer.delta", "run": str(run.pk), "seq": 1, "text": stored_answers.QUOTES["visitors"]}
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.xadd(stream_key(str(run.pk)), {"e": json.dumps(sent)}, id="1-0")
    erase_document(document=visitors, actor=actor)
    Document.objects.filter(pk=visitors.pk).delete()
    AnswerRun.objects.update(heartbeat=timezone.now() - timedelta(minutes=5))
    tasks.sweep_runs()
    run.refresh_from_db()
    assert run.status == AnswerRun.Status.FAILED
    assert run.answer.text.startswith("[Left out")
    assert not any(words in everything() for words in WORDS)
    assert findings(tenant)[0] == []


def test_passages_found_before_and_stored_after_an_erasure_are_stored_without_words(
    make_answer: Any, visitors: Document, actor: Any, tenant: Any
) -> None:
    erasing.erase(tenant_id=tenant.pk, document_ref=visitors.pk, by="x")
    run = make_answer(visitors)
    assert ContextPassage.objects.get(run=run).text == ""
    assert not any(words in everything() for words in WORDS)
    assert findings(tenant)[0] == []


def test_a_changed_entry_of_an_erasure_excuses_nothing(
    make_answer: Any, visitors: Document, actor: Any, tenant: Any
) -> None:
    make_answer(visitors)
    erase_document(document=visitors, actor=actor)
    entry = AuditEntry.objects.get(run_ref=Erasure.objects.get().pk)
    for record in ("{}", "odd", '{"parts": 1, "erased": "x"}'):
        with connection.cursor() as cursor:
            table = AuditEntry._meta.db_table
            cursor.execute(f"UPDATE {table} SET record = %s WHERE id = %s", [record, entry.pk])  # noqa: S608
        words = findings(tenant)[0]
        assert f"Entry {entry.sequence} was changed." in words
        assert any("raw output is not as it was recorded" in each for each in words)


def test_a_record_without_its_parts_is_told(make_answer: Any, visitors: Document, tenant: Any) -> None:
    run = make_answer(visitors)
    AuditEntry.objects.all()._raw_delete("default")
    record = canonical({"run": str(run.pk), "tenant": str(tenant.pk), "sequence": 1})
    AuditEntry.objects.create(tenant=tenant, sequence=1, run_ref=run.pk, record=record, digest=digest_of("", record))
    (words,) = findings(tenant)[0]
    assert "the record itself is not as it was recorded" in words


@pytest.mark.django_db(transaction=True)
def test_no_byte_stays_in_the_database_file(make_answer: Any, visitors: Document, actor: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL cleans its own files, by VACUUM")
    make_answer(visitors)
    file = Path(connection.settings_dict["NAME"])

    def held() -> bool:
        files = (file, file.with_name(f"{file.name}-wal"))
        return any(b"badge" in path.read_bytes() for path in files if path.exists())

    assert held()
    erase_document(document=visitors, actor=actor)
    assert purge() == 2  # the log of the database, and that of Redis
    assert not held()


def test_redis_forgets_the_events(
    make_answer: Any, visitors: Document, actor: Any, redis_server: Any, django_capture_on_commit_callbacks: Any
) -> None:
    run = make_answer(visitors)
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.xadd(stream_key(str(run.pk)), {"e": "Visitors register at the front desk"})
        with django_capture_on_commit_callbacks(execute=True):
            erase_document(document=visitors, actor=actor)
        assert not client.exists(stream_key(str(run.pk)))


def test_a_redis_that_is_away_stops_no_erasure(
    make_answer: Any, visitors: Document, actor: Any, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    make_answer(visitors)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    with django_capture_on_commit_callbacks(execute=True):
        erase_document(document=visitors, actor=actor)
    assert "front desk" not in everything()


def erase_over_http(client: Client, user: Any, document: object) -> int:
    client.force_login(user)
    return client.delete(f"/api/v1/documents/{document}?erase=true&reason=why").status_code


def test_only_administrators_of_the_tenant_erase(
    client: Client, make_answer: Any, visitors: Document, make_user: Any, tenant: Any, other_tenant: Any
) -> None:
    make_answer(visitors)
    people = {role: make_user(f"{role}@acme.test", tenant=tenant, role=role) for role in ("reader", "editor", "admin")}
    stranger = make_user("stranger@globex.test", tenant=other_tenant, role="owner")
    assert erase_over_http(client, stranger, visitors.pk) == erase_over_http(client, stranger, uuid.uuid4()) == 404
    assert [erase_over_http(client, people[role], visitors.pk) for role in ("reader", "editor")] == [403, 403]
    assert "front desk" in everything()
    assert erase_over_http(client, people["admin"], visitors.pk) == 202
    assert "front desk" not in everything()
    assert Erasure.objects.get().by == "admin@acme.test"


def test_the_command_erases_what_was_deleted_before(make_answer: Any, visitors: Document, other_tenant: Any) -> None:
    make_answer(visitors)
    ref = str(visitors.pk)
    visitors.delete()
    assert "front desk" in everything()

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("erase", *arguments, stdout=out)
        return out.getvalue()

    with pytest.raises(CommandError, match="no document"):
        run(ref, "--tenant", other_tenant.slug)
    with pytest.raises(CommandError, match="no id"):
        run("x", "--tenant", "acme")
    assert run(ref, "--tenant", "acme") == f"{ref}: erased from 1 answer.\n"
    assert "front desk" not in everything()
    with pytest.raises(CommandError, match="no document"):
        run(ref, "--tenant", "acme")
