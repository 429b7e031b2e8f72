"""Assistants may be stricter than their tenant asks for, and never laxer; and chats under ``require``."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.answering.gate import REMOVED
from chatapp.answering.repair import REWRITTEN
from chatapp.conversations import audit
from chatapp.conversations.models import AnswerRun, Assistant, CitationPolicy
from chatapp.conversations.policies import citation_rules

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
HELD = "Visitors register at the front desk before 18:00 and wear a badge on all floors [S1]."
WRONG = "Visitors register before 19:45 [S1]."


@pytest.mark.parametrize(
    ("own", "asked", "expected"),
    [
        ("off", None, "off"),
        ("mark", "off", "mark"),
        ("off", "mark", "mark"),
        ("mark", "require", "require"),
        ("require", "mark", "require"),
        ("nonsense", None, "require"),
        ("off", "nonsense", "require"),
    ],
)
async def test_the_stricter_of_both_counts(tenant: Any, rows: Any, own: str, asked: str | None, expected: str) -> None:
    def rules() -> tuple[str, str]:
        assistant = Assistant.objects.create(tenant=tenant, slug="one", name="One", citation_mode=own)
        if asked:
            CitationPolicy.objects.create(tenant=tenant, least_mode=asked)
        return citation_rules(assistant)

    assert await rows(rules) == (expected, "withhold")


@pytest.mark.parametrize(
    ("own", "withhold", "expected"),
    [
        ("flag", False, "flag"),
        ("flag", True, "withhold"),
        ("withhold", False, "withhold"),
        ("repair", False, "repair"),
        ("repair", True, "repair"),
        ("of a later release", False, "withhold"),
    ],
)
async def test_a_tenant_may_ask_that_nothing_unfounded_is_shown(
    tenant: Any, rows: Any, own: str, withhold: bool, expected: str
) -> None:
    def rules() -> str:
        assistant = Assistant.objects.create(tenant=tenant, slug="one", name="One", enforcement=own)
        CitationPolicy.objects.create(tenant=tenant, withhold=withhold)
        return citation_rules(assistant)[1]

    assert await rows(rules) == expected


async def test_the_policy_of_another_tenant_does_not_count(tenant: Any, other_tenant: Any, rows: Any) -> None:
    def rules() -> str:
        CitationPolicy.objects.create(tenant=other_tenant, least_mode="require")
        return citation_rules(Assistant.objects.create(tenant=tenant, slug="one", name="One"))[0]

    assert await rows(rules) == "mark"


async def test_a_chat_under_require_shows_only_what_is_held(
    library: Any, use_model: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any, api: Any
) -> None:
    scripted_model.script([f"{HELD} ", WRONG[:12], WRONG[12:], " Nobody", " said so. ", HELD])
    await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
    await rows(lambda: CitationPolicy.objects.create(tenant=library.tenant, least_mode="require"))
    assert (await api.get("/assistants")).json()["items"][0]["citation_mode"] == "require"
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION, client_id="one")
    shown = "".join(event["text"] for event in events if event["type"] == "answer.delta")
    assert shown.count(REMOVED) == 1
    assert "19:45" not in str(events)
    told = [(event["index"], event["verdict"]) for event in events if event["type"] == "sentence.checked"]
    assert told == [(0, "supported"), (1, "unsupported"), (2, "uncited"), (3, "supported")]
    run = await rows(lambda: AnswerRun.objects.select_related("answer").get())
    assert run.answer.text == shown
    assert "19:45" in run.raw_output  # for auditors
    assert (run.citation_mode, run.no_answer) == ("require", False)
    assert all(shown[each["start"] : each["end"]].strip() for each in run.sentences)
    assert await rows(lambda: run.citations.count()) == 2


async def test_a_chat_with_repair_shows_what_was_written_anew(
    library: Any, use_model: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    # The scripted model says the same each time: an answer, and at its end what reads as the reply of the second call.
    scripted_model.script([f"{HELD} ", WRONG, "\n\n1. ", HELD])
    await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
    rules = {"citation_mode": "require", "enforcement": "repair"}
    await rows(lambda: Assistant.objects.filter(tenant=library.tenant).update(**rules))
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION, client_id="one")
    shown = "".join(event["text"] for event in events if event["type"] == "answer.delta")
    assert "19:45" not in str(events)
    assert REMOVED not in shown
    told = [
        (event["index"], event["verdict"], event["reasons"]) for event in events if event["type"] == "sentence.checked"
    ]
    assert [verdict for _, verdict, _ in told] == ["supported"] * 3
    assert told[1][2][0] == REWRITTEN
    run = await rows(lambda: AnswerRun.objects.select_related("answer").get())
    assert run.answer.text == shown
    assert "19:45" in run.raw_output
    assert run.raw_output.count("1. ") == 2  # of both calls
    assert await rows(lambda: run.citations.count()) == 3
    assert not [finding for finding in await rows(lambda: list(audit.check(library.tenant))) if finding.broken]
