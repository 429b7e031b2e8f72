"""The chain of recorded answers, over answers that were really given."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from chatapp.conversations import audit, services, tasks
from chatapp.conversations.models import (
    AnswerRun,
    AuditEntry,
    Citation,
    ContextPassage,
    Conversation,
    Message,
    PassageSnapshot,
)
from chatapp.conversations.records import digest_of, record_of
from chatapp.conversations.sealing import canonical
from chatapp.conversations.services import store_passages

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
SAID = ["Visitors register at the front desk before 18:00 and wear a badge on all floors", " [S", "1]", "."]


@pytest.fixture
def answered(library: Any, use_model: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any) -> Any:
    """Await with a number to have so many questions answered; returns the tenant."""

    async def ask(count: int) -> Any:
        scripted_model.script(SAID)
        await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
        chat = await open_chat(owner)
        for number in range(count):
            events = await chat.ask(QUESTION, client_id=f"question-{number}")
            assert events[-1]["type"] == "answer.done"
        return library.tenant

    return ask


def broken(tenant: Any) -> list[str]:
    return [finding.words for finding in audit.check(tenant) if finding.broken]


def run_command(*arguments: object) -> str:
    out = StringIO()
    call_command("audit", *map(str, arguments), stdout=out)
    return out.getvalue()


async def test_every_answer_is_recorded_in_one_chain(answered: Any, rows: Any, api: Any) -> None:
    tenant = await answered(3)
    entries = await rows(lambda: list(AuditEntry.objects.order_by("sequence")))
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == ["", entries[0].digest, entries[1].digest]
    record = json.loads(entries[0].record)
    assert record["citations"][0]["label"] == "S1"
    assert record["sentences"][0]["judged_by"] == "check"
    assert "Visitors" not in entries[0].record  # texts as digests only
    assert await rows(lambda: broken(tenant)) == []
    last = entries[2].digest
    assert await rows(run_command) == f"{tenant.slug}: 3 answers recorded, the chain is whole. Last digest: {last}\n"
    trace = (await api.get(f"/runs/{entries[0].run_ref}")).json()
    assert trace["audit"] == {"sequence": 1, "previous": "", "digest": entries[0].digest}


def change_answer() -> None:
    run = AnswerRun.objects.order_by("started")[1]
    Message.objects.filter(pk=run.answer_id).update(text="Visitors never register.")


def change_quote() -> None:
    Citation.objects.filter(run=AnswerRun.objects.order_by("started")[1]).update(quote="other words")


def change_passage() -> None:
    passage = ContextPassage.objects.get(run=AnswerRun.objects.order_by("started")[1], label="S1")
    other = PassageSnapshot.objects.create(
        tenant=passage.run.tenant, document_ref=passage.document_ref, address="0" * 64, text="other words"
    )
    ContextPassage.objects.filter(pk=passage.pk).update(snapshot=other)


def change_verdict() -> None:
    run = AnswerRun.objects.order_by("started")[1]
    AnswerRun.objects.filter(pk=run.pk).update(sentences=[{**run.sentences[0], "verdict": "weak"}])


def change_judge() -> None:
    run = AnswerRun.objects.order_by("started")[1]
    AnswerRun.objects.filter(pk=run.pk).update(sentences=[{**run.sentences[0], "judged_by": "judge"}])


def change_thresholds() -> None:
    run = AnswerRun.objects.order_by("started")[1]
    AnswerRun.objects.filter(pk=run.pk).update(verification={**run.verification, "supported": 0.1})


def drop_citation() -> None:
    Citation.objects.filter(run=AnswerRun.objects.order_by("started")[1]).delete()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_answer, "answer is not as it was recorded"),
        (change_quote, "citation S1 is not as it was recorded"),
        (change_passage, "passage S1 is not as it was recorded"),
        (change_verdict, "sentences is not as it was recorded"),
        (change_judge, "sentences is not as it was recorded"),
        (change_thresholds, "verification is not as it was recorded"),
        (drop_citation, "citations is not as it was recorded"),
    ],
)
async def test_a_changed_answer_is_found(answered: Any, rows: Any, change: Any, words: str) -> None:
    tenant = await answered(2)
    await rows(change)
    (found,) = await rows(lambda: broken(tenant))
    assert "entry 2" in found
    assert words in found
    with pytest.raises(CommandError) as error:
        await rows(run_command)
    assert error.value.returncode == 1


def raw(statement: str, *values: object) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)


async def test_records_of_answers_that_do_not_say_by_what_they_were_judged_stay_true(
    answered: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older_release:
        older_release.setattr(services, "verification_of", lambda _: {})
        tenant = await answered(1)
    await answered(2)  # the first is the same question, sent once more
    older, newer = await rows(lambda: list(AuditEntry.objects.order_by("sequence")))
    assert "verification" not in json.loads(older.record)
    assert json.loads(newer.record)["verification"]["verifier"] == "signals-2"
    assert await rows(lambda: broken(tenant)) == []


async def test_a_changed_or_missing_entry_breaks_the_chain(answered: Any, rows: Any) -> None:
    tenant = await answered(3)
    table = AuditEntry._meta.db_table
    await rows(lambda: raw(f"UPDATE {table} SET record = '{{}}' WHERE sequence = 2"))  # noqa: S608
    assert "Entry 2 was changed." in await rows(lambda: broken(tenant))
    await rows(lambda: raw(f"DELETE FROM {table} WHERE sequence = 2"))  # noqa: S608
    found = await rows(lambda: broken(tenant))
    assert "Entries 2 to 2 are missing." in found
    assert any("has no entry" in words for words in found)
    await rows(lambda: raw(f"UPDATE {table} SET sequence = 2 WHERE sequence = 3"))  # noqa: S608
    assert "Entry 2 does not follow from the one before it." in await rows(lambda: broken(tenant))


async def test_an_entry_made_anew_for_a_changed_answer_no_longer_carries_the_next(answered: Any, rows: Any) -> None:
    tenant = await answered(2)

    def forge() -> None:
        run = AnswerRun.objects.order_by("started")[0]
        Message.objects.filter(pk=run.answer_id).update(text="Visitors never register.")
        record = canonical(record_of(AnswerRun.objects.get(pk=run.pk), sequence=1))
        digest = digest_of("", record)
        raw(f"UPDATE {AuditEntry._meta.db_table} SET record = %s, digest = %s WHERE sequence = 1", record, digest)  # noqa: S608

    await rows(forge)
    assert await rows(lambda: broken(tenant)) == ["Entry 2 does not follow from the one before it."]


async def test_an_entry_that_points_elsewhere_and_a_chain_that_is_gone_are_found(answered: Any, rows: Any) -> None:
    tenant = await answered(2)
    table = AuditEntry._meta.db_table
    await rows(lambda: raw(f"UPDATE {table} SET run_ref = %s WHERE sequence = 1", "0" * 32))  # noqa: S608
    found = await rows(lambda: broken(tenant))
    assert "Entry 1 names another answer than its record does." in found
    assert any("has no entry" in words for words in found)
    await rows(lambda: raw(f"DELETE FROM {table}"))  # noqa: S608
    assert len([words for words in await rows(lambda: broken(tenant)) if "has no entry" in words]) == 2


async def test_passages_that_come_after_the_end_change_nothing(answered: Any, rows: Any) -> None:
    """A process that stalled for so long that its run was ended for it."""
    tenant = await answered(1)
    run = await rows(lambda: AnswerRun.objects.get())
    await rows(lambda: store_passages(run=run, query="another", labelled=[], notes=["late"]))
    assert await rows(lambda: broken(tenant)) == []


async def test_entries_stay_when_answers_are_deleted(answered: Any, rows: Any) -> None:
    tenant = await answered(2)
    await rows(lambda: Conversation.objects.all().delete())
    assert await rows(AuditEntry.objects.count) == 2
    findings = await rows(lambda: list(audit.check(tenant)))
    assert [finding.broken for finding in findings] == [False, False]
    assert "was deleted" in findings[0].words
    assert "2 answers recorded" in await rows(run_command)


async def test_entries_are_never_changed_or_deleted(answered: Any, rows: Any) -> None:
    await answered(1)

    def attempts() -> None:
        entry = AuditEntry.objects.get()
        for attempt in (entry.save, entry.delete, AuditEntry.objects.all().delete, AuditEntry.objects.update):
            with pytest.raises(TypeError, match="never"):
                attempt()

    await rows(attempts)


async def test_an_answer_whose_process_died_is_recorded_too(answered: Any, rows: Any) -> None:
    tenant = await answered(1)

    def die() -> None:
        run = AnswerRun.objects.select_related("conversation").get()
        answer = Message.objects.create(conversation=run.conversation, role="assistant")
        AnswerRun.objects.create(
            tenant=tenant, conversation=run.conversation, question=run.question, answer=answer,
            heartbeat=timezone.now() - timezone.timedelta(minutes=5),
        )  # fmt: skip
        tasks.sweep_runs()

    await rows(die)
    assert await rows(AuditEntry.objects.count) == 2
    assert await rows(lambda: broken(tenant)) == []


async def test_chains_of_tenants_are_their_own(answered: Any, rows: Any, other_tenant: Any) -> None:
    tenant = await answered(1)
    assert await rows(lambda: broken(other_tenant)) == []
    with pytest.raises(CommandError, match="no recorded answer"):
        run = await rows(lambda: AnswerRun.objects.get().pk)
        await rows(lambda: run_command("--tenant", other_tenant.slug, "--export", run, "nowhere.json"))
    assert "1 answer recorded" in await rows(lambda: run_command("--tenant", tenant.slug))


async def test_files_that_cannot_be_read_are_named(rows: Any, tenant: Any, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no")
    for name, words in (("none", "No such file"), ("text", "is no JSON")):
        with pytest.raises(CommandError, match=words):
            await rows(lambda name=name: run_command("--check", tmp_path / name))


async def test_records_are_the_same_however_they_were_stored() -> None:
    assert canonical({"b": 1, "a": ["ü", 0.5]}) == '{"a":["ü",0.5],"b":1}' == canonical({"a": ["ü", 0.5], "b": 1})
