"""``POST /api/v1/verify``, and verdicts of a chat's sentences, over the real embedding model."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chatapp.answering.verification import Claim
from chatapp.answering.verification.verifier import BY_CHANCE
from chatapp.conversations import verifying
from chatapp.labelling import records
from chatapp.labelling.models import VerificationRecord
from knowledge.tenants.models import Tenant

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("_parts"),
]

PARKING = "Guests may leave their cars in the yard behind the north gate for 90 minutes. Staff use the cellar."


async def test_statements_are_judged_against_their_own_sources(api: Any) -> None:
    items = [
        {
            "statement": "Visitors can park for 90 minutes in the yard by the north gate.",
            "sources": ["Other.", PARKING],
        },
        {"statement": "Visitors can park for 60 minutes in the yard.", "sources": [PARKING]},
        {"statement": "It is free.", "sources": []},
    ]
    response = await api.post("/verify", {"items": items})
    assert response.status_code == 200
    held, wrong, without = response.json()["items"]
    assert held["verdict"] == "supported"
    assert held["score"] >= 0.5
    place = held["evidence"]
    assert place["source"] == 1
    assert "90 minutes" in PARKING[place["start"] : place["end"]]
    assert (wrong["verdict"], wrong["reasons"]) == ("unsupported", ["number 60 not in the source"])
    assert (without["verdict"], without["evidence"]) == ("uncited", None)
    assert response.json()["verifier"] == "signals-2"


async def test_statements_are_judged_by_the_thresholds_of_who_asks(
    api: Any, tenant: Any, other_tenant: Any, rows: Any
) -> None:
    def strict(of: Tenant) -> None:
        VerificationRecord.objects.all().delete()
        VerificationRecord.objects.create(
            tenant=of, verifier="signals-2", supported=0.999, unsupported=0.998, held=60, others=60, auroc=0.9,
            auroc_low=0.8, auroc_high=0.95, balanced_accuracy=0.8, shipped_accuracy=0.7, active=True,
        )  # fmt: skip
        records.forget(tenant.pk)

    certain = {"statement": "Staff use the cellar.", "sources": [PARKING]}
    told = {
        "statement": "Visitors can park for 90 minutes in the yard by the north gate.",
        "sources": [PARKING],
    }
    for of, verdict in ((other_tenant, "supported"), (tenant, "unsupported")):
        await rows(strict, of)
        found = (await api.post("/verify", {"items": [certain, told]})).json()["items"]
        assert [each["verdict"] for each in found] == ["supported", verdict]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [{"statement": "", "sources": []}]},
        {"items": [{"statement": "It is.", "sources": "a text"}]},
        {"items": [{"statement": "It is.", "sources": ["x"] * (verifying.MOST_SOURCES + 1)}]},
        {"items": [{"statement": "It is.", "sources": ["x"]}] * (verifying.MOST_ITEMS + 1)},
        {"items": [{"statement": "It is.", "sources": ["x" * (verifying.LONGEST_SOURCE + 1)]}]},
        {"items": [{"statement": "x" * (verifying.LONGEST_STATEMENT + 1), "sources": []}]},
        {"items": [{"statement": "It is.", "sources": ["x" * verifying.LONGEST_SOURCE] * 11}]},
    ],
)
async def test_what_is_no_list_of_statements_is_refused_in_words(api: Any, body: dict[str, Any]) -> None:
    response = await api.post("/verify", body)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"


async def test_without_a_key_nothing_is_judged(api: Any) -> None:
    response = await api.client.post("/api/v1/verify", "{}", content_type="application/json")
    assert response.status_code in (401, 403)


async def test_texts_that_no_model_takes_are_judged_all_the_same(api: Any) -> None:
    body = '{"items": [{"statement": "It \\u0000 is \\ud800 here.", "sources": ["\\udfff", "It is \\u0000 here."]}]}'
    response = await api.post("/verify", body)
    assert response.status_code == 200
    assert response.json()["items"][0]["verdict"] in ("supported", "weak", "unsupported")


async def test_who_asks_while_others_are_judged_is_told_to_come_again(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PATIENCE", 0.01)
    with verifying.AT_ONCE:
        response = await api.post("/verify", {"items": [{"statement": "It is.", "sources": ["It is."]}]})
    assert response.status_code == 503
    assert "Try again" in response.json()["detail"]


async def test_texts_made_to_be_slow_are_judged_in_time(api: Any) -> None:
    statement = ('"' + "a" * 12 + '" ') * 130
    began = time.perf_counter()
    response = await api.post("/verify", {"items": [{"statement": statement, "sources": ["a" * 20_000]}]})
    assert response.status_code == 200
    assert time.perf_counter() - began < 15


@pytest.fixture
def judge_model(settings: Any, scripted_model: Any) -> Any:
    """A language model as judge, over the real protocol."""
    settings.VERIFY_MODEL, settings.VERIFY_API_BASE = "openai/scripted-custom", scripted_model.url
    settings.VERIFY_API_KEY, settings.VERIFY_TIMEOUT = "scripted", 2.0
    return scripted_model


async def test_a_language_model_has_the_last_word_where_one_is_set_up(api: Any, judge_model: Any) -> None:
    judge_model.script(['{"1": "unsup', 'ported", "2": "partly"}'])
    items = [
        {"statement": "Visitors can park for 90 minutes in the yard by the north gate.", "sources": [PARKING]},
        {"statement": "Staff use the cellar.", "sources": [PARKING]},
        {"statement": "Employees put theirs below the house.", "sources": [PARKING]},
    ]
    found = (await api.post("/verify", {"items": items})).json()["items"]
    assert [each["verdict"] for each in found] == ["unsupported", "supported", "weak"]
    assert "90 minutes" in PARKING[slice(found[0]["evidence"]["start"], found[0]["evidence"]["end"])]


async def test_a_judge_that_is_away_costs_no_verdict(api: Any, judge_model: Any, settings: Any) -> None:
    settings.VERIFY_API_BASE = "http://127.0.0.1:9/v1"
    item = {"statement": "Visitors can park for 90 minutes in the yard by the north gate.", "sources": [PARKING]}
    assert (await api.post("/verify", {"items": [item]})).json()["items"][0]["verdict"] == "supported"


async def test_where_the_judge_does_not_answer_the_tenants_thresholds_count(judge_model: Any, settings: Any) -> None:
    settings.VERIFY_API_BASE = "http://127.0.0.1:9/v1"
    claim = Claim(statement="Visitors can park for 90 minutes in the yard by the north gate.", sources=(PARKING,))
    strict = verifying.Thresholds(supported=0.999, unsupported=0.998, made="2026-11-27", record=1)
    [found] = await verifying.judge([claim], thresholds=strict)
    assert (found.verdict, found.judged_by in BY_CHANCE) == ("unsupported", True)


async def test_a_judge_that_is_too_small_is_not_asked(judge_model: Any, settings: Any) -> None:
    assert verifying.judge_model() is not None
    settings.VERIFY_MODEL = "openai/qwen2.5-3b"
    assert verifying.judge_model() is None
