"""The page that says how an answer came about."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatapp.answering.verification import default_record
from chatapp.conversations.models import AnswerRun, Conversation, Message
from knowledge.documents.models import KnowledgeBase

pytestmark = [
    pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("_parts"),
]  # fmt: skip

INLINE = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>|\son\w+\s*=|<style[\s>]|\sstyle=|javascript:", re.IGNORECASE)


async def test_the_whole_way_of_an_answer_is_told(
    answered: Any, fetch: Any, owner: Any, words: Any, library: Any
) -> None:
    run = await answered()
    response = await fetch(owner, f"/runs/{run}/")
    shown = words(response)
    assert INLINE.search(response.content) is None
    for part in (
        "When must visitors register at the desk?",
        library.base.name,
        "openai/scripted-custom",
        "the chance that they hold an answer was put at",
        "Given to the model",
        "after 1 before",
        "tokens",
        "System",
        "Rules: 1. Use only what the sources say.",
        "before 18:00 [S1]. They pay 14 euros [S1]. Ask Bob [S9].",
        "1 time: a mark of a source that the model was not given; it was not shown",
        "Found in the source",
        "Not found in the source",
        "number 14 not in",
        f"found in the source from {default_record().supported:.2f} and not found below",
        f"the thresholds Footnote comes with, of {default_record().date}.",
        "· exact words, numbers and names",
        "characters",
        "Passages found",
        "First words",
        "Search the index",
        "Cost not known",
        "Entry 1 of this organisation's chain",
        "none: this is the first",
    ):
        assert part in shown, part
    assert f'href="/search/?run={run}"' in response.content.decode()


async def test_it_says_by_whose_thresholds_and_by_which_models_it_was_judged(
    fetch: Any, owner: Any, words: Any, tenant: Any, rows: Any
) -> None:
    kept = {
        "verifier": "signals-1", "supported": 0.3, "unsupported": 0.2, "record": 7, "made": "2026-11-27",
        "encoder": "minicheck", "judge": "openai/gpt-4o",
    }  # fmt: skip
    sentence = {"index": 0, "start": 0, "end": 3, "verdict": "weak", "score": 0.4, "reasons": [], "judged_by": "judge"}
    run = await rows(
        lambda: bare(owner, tenant, status="done", text="So.", verification=kept, sentences=[sentence])
    )  # fmt: skip
    shown = words(await fetch(owner, f"/runs/{run}/"))
    assert "from 0.30 and not found below 0.20: this organisation’s own thresholds, record 7 of 2026-11-27." in shown
    assert "The local model minicheck" in shown
    assert "The language model openai/gpt-4o" in shown
    assert "0.40 · language model" in shown


async def test_evidence_leads_to_its_exact_words(answered: Any, fetch: Any, owner: Any) -> None:
    run = await answered()
    page = (await fetch(owner, f"/runs/{run}/")).content.decode()
    links = re.findall(rf'href="(/documents/[^"]*run={run}[^"]*citation=1[^"]*)#match"', page)
    assert links
    reader = await fetch(owner, links[0].replace("&amp;", "&"))
    assert "before 18:00" in " ".join(re.findall(r"<mark[^>]*>(.*?)</mark>", reader.content.decode(), re.DOTALL))


async def test_only_who_may_read_the_conversation_sees_it(
    answered: Any, fetch: Any, member: Any, make_user: Any, other_tenant: Any, rows: Any
) -> None:
    run = await answered()
    stranger = await rows(lambda: make_user("stranger@globex.test", tenant=other_tenant, role="owner"))
    for user in (member, stranger):
        theirs, missing = [await fetch(user, f"/runs/{one}/") for one in (run, uuid.uuid4())]
        assert (theirs.status_code, missing.status_code) == (404, 404)
        assert b"register" not in theirs.content
    anonymous = await rows(lambda: Client().get(f"/runs/{run}/"))
    assert anonymous.status_code == 302


async def test_a_closed_source_hides_the_prompt_and_the_raw_output(
    answered: Any, fetch: Any, owner: Any, words: Any, library: Any, other_tenant: Any, rows: Any
) -> None:
    run = await answered()
    await rows(lambda: KnowledgeBase.objects.filter(pk=library.base.pk).update(tenant=other_tenant))
    response = await fetch(owner, f"/runs/{run}/")
    shown = words(response)
    assert "You may no longer open every source of this answer." in shown
    assert "Rules: 1." not in shown
    assert "[S9]" not in shown
    assert "You may no longer open this source" in shown
    assert "Found in the source:" not in shown, "what is left out is not counted as found"
    assert "Left out: " in shown
    assert b"/documents/" not in response.content.split(b"trace-head")[1]
    assert b"export" not in response.content


async def test_a_refusal_of_the_model_is_told_as_no_answer(answered: Any, fetch: Any, owner: Any, words: Any) -> None:
    run = await answered(["NO_ANSWER\nThe sources say nothing about gates."])
    assert "This counts as no answer" in words(await fetch(owner, f"/runs/{run}/"))


async def test_nothing_found_needs_no_model(
    answered: Any, fetch: Any, owner: Any, words: Any, rows: Any, library: Any
) -> None:
    from knowledge.documents.services import delete_document

    def empty() -> None:
        for document in library.documents:
            delete_document(document=document)

    await rows(empty)
    shown = words(await fetch(owner, f"/runs/{await answered()}/"))
    assert "This counts as no answer" in shown
    assert "No passage." in shown
    assert "without passages the model is not asked" in shown
    assert "none: no language model was asked" in shown
    assert ", 0 of them ranked" in shown


def bare(owner: Any, tenant: Any, **more: Any) -> str:
    """A run as an old release or a dead process left it."""
    conversation = Conversation.objects.create(tenant=tenant, user=owner, title="t")
    question = Message.objects.create(conversation=conversation, role="user", text="Why?")
    answer = Message.objects.create(conversation=conversation, role="assistant", text=more.pop("text", ""))
    run = AnswerRun.objects.create(
        tenant=tenant, conversation=conversation, question=question, answer=answer,
        heartbeat=datetime(2025, 1, 1, tzinfo=UTC), **more,
    )  # fmt: skip
    return str(run.pk)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "running"}, ["Still being written", "Look again", "An answer is recorded when it is over."]),
        ({"status": "done", "query": "Why?", "text": "So."}, ["older than the traces", "older than the chain", "Tokens not known"]),
        ({"status": "stopped"}, ["This answer was stopped", "ended before anything was searched"]),
        (
            {"status": "failed", "error_code": "model_timeout", "error_message": "It took too long."},
            ["It took too long.", "No times were kept.", "No sentence was kept."],
        ),
        ({"status": "failed", "error_code": "odd"}, ["odd"]),
        (
            {"status": "done", "text": "So it is.", "sentences": [{"index": 0, "start": 0, "end": 9}, {"index": 1}]},
            ["So it is. Not checked against the source"],
        ),
        ({"status": "done", "anomalies": {"new_kind": 2}, "raw_output": "x"}, ["2 times: new kind"]),
        ({"status": "done", "timings": {"total": 0.0, "retrieval.search": 0.0}}, ["Over 0.0 ms"]),
        (
            {"status": "done", "usage": {"prompt_tokens": 1200, "completion_tokens": 9, "estimated": True, "cost": {
                "currency": "USD", "total": 0.00102, "prompt_per_million": 0.15, "completion_per_million": 0.6}}},
            ["1,200 read, 9 written (estimated)", "0.00102 USD", "at 0.15 for a million tokens read and 0.6 written"],
        ),
        (
            {"status": "done", "retrieval": {
                "settings": {"spelling": 0, "rerank_weight": None, "gone": 3}, "turns": [{"role": "user", "text": "Who?"}],
                "rewritten": {"standalone": "Why him?", "wordings": ["How so?"], "parts": None},
                "notes": ["Taken “vistors” for “visitors”."]}},
            ["Forgive misspelling: off", "Reranker weight: its own", "gone: 3", "Who?", "Why him?", "How so?", "for “visitors”"],
        ),
        (
            {"status": "done", "retrieval": {"search": {"candidates": 9, "ranked": 1, "chance": 0.1, "threshold": 0.3, "fates": {"unlikely": 1},
                "considered": [{"key": "k", "fate": "unlikely", "scores": {}, "ranks": {}}]}}},
            ["had to be 0.30", "A passage that was no longer there", "The chance of an answer is below", "and 8 more"],
        ),
        (
            {"status": "done", "retrieval": {"search": {"considered": [{"key": "k", "fate": "unlikely"}]}}},
            ["A passage that was no longer there", "The chance of an answer is below"],
        ),
    ],
)  # fmt: skip
async def test_runs_of_every_kind_are_shown(
    fields: dict[str, Any], told: list[str], owner: Any, tenant: Any, fetch: Any, words: Any, rows: Any
) -> None:
    run = await rows(lambda: bare(owner, tenant, **fields))
    shown = words(await fetch(owner, f"/runs/{run}/"))
    for part in told:
        assert part in shown, part


async def test_words_of_a_page_never_become_markup(owner: Any, tenant: Any, fetch: Any, rows: Any) -> None:
    evil = "<script>alert(1)</script>"
    run = await rows(
        lambda: bare(
            owner, tenant, status="done", raw_output=evil, query=evil, prompt=[{"role": evil, "content": evil}, 7]
        )
    )
    page = (await fetch(owner, f"/runs/{run}/")).content
    assert b"<script>alert" not in page
    assert page.count(b"&lt;script&gt;") == 4


async def test_a_longer_answer_asks_the_database_no_more(answered: Any, rows: Any, owner: Any) -> None:
    def counted(run: str) -> int:
        client = Client()
        client.force_login(owner)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"/runs/{run}/").status_code == 200
        return len(seen)

    short = await answered(["Visitors register at the desk [S1]."])
    long = await answered(["Visitors register at the desk [S1]. " * 6 + "Days are carried over [S2]. " * 6])
    assert await rows(counted, long) == await rows(counted, short)
