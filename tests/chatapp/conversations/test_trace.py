"""What is kept of an answer's way, and who may see it."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.conversations import costs
from chatapp.conversations.models import AnswerRun, Citation, ContextPassage
from chatapp.conversations.search_trace import MOST, search_trace
from chatapp.conversations.seeing import TITLES
from knowledge.documents.models import KnowledgeBase
from knowledge.documents.services import delete_document
from knowledge.llm import ModelSettings, Price
from knowledge.types import Considered, Fate, Passage, RetrievalResult

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
SAID = ["Visitors register at the front desk before 18:00 [S", "1]", ". Ask Bob [S9]."]


@pytest.fixture
def trace(library: Any, use_model: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any, api: Any) -> Any:
    """Await to have a question answered and get its trace; again to get it anew."""
    asked: list[str] = []

    async def get() -> Any:
        if not asked:
            scripted_model.script(SAID)
            await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
            chat = await open_chat(owner)
            events = await chat.ask(QUESTION)
            assert events[-1]["type"] == "answer.done"
            asked.append(events[0]["run"])
        response = await api.get(f"/runs/{asked[0]}")
        assert response.status_code == 200
        return response.json()

    return get


async def test_the_search_is_kept_with_ranks_scores_and_fates(trace: Any, library: Any, rows: Any) -> None:
    found = await trace()
    search = found["search"]
    assert search["candidates"] >= len(search["considered"]) == search["ranked"] > 0
    first = search["considered"][0]
    assert first["fate"] == "returned"
    assert first["ranks"]["final"] == 1
    assert {"vector", "keyword", "fused"} <= first["scores"].keys()
    assert first["document"] in {str(document.pk) for document in library.documents}
    assert {one["key"] for one in found["passages"]} <= {one["key"] for one in search["considered"]}
    assert sum(search["fates"].values()) == search["ranked"]
    assert "text" not in first, "texts are kept once, with the passages that were given"
    assert first["title"] in {document.title for document in library.documents}
    kept = str((await rows(AnswerRun.objects.get)).retrieval["search"])
    assert not [document.title for document in library.documents if document.title in kept], "no title to erase here"
    assert [base["name"] for base in found["knowledge_bases"]] == [library.base.name]
    assert found["assistant"] == "default"
    assert found["anomalies"] == {"out_of_range": 1}
    assert not found["withheld"]
    assert found["prompt"][-1]["content"].endswith(QUESTION)
    assert found["raw_output"] == "".join(SAID)


async def test_a_source_that_was_closed_hides_its_words_the_prompt_and_the_raw_output(
    trace: Any, library: Any, other_tenant: Any, rows: Any
) -> None:
    await trace()
    await rows(lambda: KnowledgeBase.objects.filter(pk=library.base.pk).update(tenant=other_tenant))
    found = await trace()
    assert found["withheld"]
    assert (found["prompt"], found["raw_output"], found["search"]) == (None, None, None)
    assert {passage["text"] for passage in found["passages"]} == {""}
    assert {citation["quote"] for citation in found["citations"]} == {""}
    assert {passage["standing"]["state"] for passage in found["passages"]} == {"forbidden"}
    assert found["knowledge_bases"] == [{"id": str(library.base.pk), "name": ""}]
    assert "before 18:00" not in str(found)


async def test_candidates_of_a_closed_source_have_no_titles(
    trace: Any, library: Any, other_tenant: Any, rows: Any
) -> None:
    await trace()

    def close() -> None:  # as if the model had been given none of them
        Citation.objects.all().delete()
        ContextPassage.objects.all().delete()
        KnowledgeBase.objects.filter(pk=library.base.pk).update(tenant=other_tenant)

    await rows(close)
    found = await trace()
    assert not found["withheld"]
    assert {row["title"] for row in found["search"]["considered"]} == {TITLES["closed"]}
    assert {row["state"] for row in found["search"]["considered"]} == {"closed"}


async def test_what_was_quoted_of_a_deleted_document_stays_readable(trace: Any, library: Any, rows: Any) -> None:
    await trace()

    def delete() -> None:
        for document in library.documents:
            delete_document(document=document)
            document.delete()

    await rows(delete)
    found = await trace()
    assert not found["withheld"]
    assert found["raw_output"]
    assert {passage["standing"]["state"] for passage in found["passages"]} == {"deleted"}


async def test_a_run_from_before_there_were_traces_has_none(trace: Any, rows: Any) -> None:
    await trace()
    empty: dict[str, Any] = {"retrieval": {}, "prompt": [], "usage": {}, "timings": {}, "sentences": []}
    await rows(lambda: AnswerRun.objects.update(**empty, assistant=None, knowledge_bases=[]))
    found = await trace()
    assert (found["search"], found["settings"], found["turns"], found["assistant"]) == (None, {}, [], None)
    assert not found["withheld"]


def passage(number: int) -> Passage:
    return Passage(
        key=f"k{number}", document=f"d{number}", version_id="v", version=1, knowledge_base="b", title="T" * 400,
        heading_path=("H" * 300,), page_first=3, page_last=3, start=0, end=4, text="text", tokens=1, score=0.5,
    )  # fmt: skip


async def test_what_is_kept_of_a_search_is_bounded() -> None:
    fates = [Fate.BEYOND_LIMIT] * 99 + [Fate.RETURNED]
    rows = tuple(
        Considered(key=f"k{at}", fate=fate, scores={"fused": 1 / 3}, ranks={"final": at}, passage=passage(at))
        for at, fate in enumerate(fates)
    )
    result = RetrievalResult(
        query="q", passages=(), timings={}, candidates=400, related=(passage(1),), also=("w\0" * 900,) * 20,
        outline=lambda: rows,
    )  # fmt: skip
    kept = search_trace(result)
    assert len(kept["considered"]) == MOST + 1, "what was returned is kept wherever it stands"
    assert kept["fates"] == {"beyond_limit": 99, "returned": 1}
    assert len(str(kept)) < 25_000
    assert "\0" not in str(kept)
    assert kept["considered"][0]["scores"] == {"fused": 0.3333}
    assert kept["related"][0]["page"] == 3


async def test_a_search_that_found_nothing_is_kept_as_that() -> None:
    kept = search_trace(RetrievalResult(query="q", passages=(), timings={}))
    assert (kept["candidates"], kept["considered"], kept["related"]) == (0, [], [])


async def test_a_cost_is_kept_with_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "price_of", lambda model: Price(prompt=1e-06, completion=2e-06))
    found = costs.cost_of((ModelSettings(model="m"), {"prompt_tokens": 1000, "completion_tokens": 10}))
    assert found["cost"] == {
        "currency": "USD", "total": 0.00102, "prompt_per_million": 1.0, "completion_per_million": 2.0,
    }  # fmt: skip
    assert costs.cost_of((ModelSettings(model="m"), {"prompt_tokens": 0, "completion_tokens": 0})) == {}


async def test_a_question_that_another_model_wrote_anew_costs_what_that_one_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prices = {"dear": Price(prompt=1e-05, completion=2e-05), "cheap": Price(prompt=1e-06, completion=2e-06)}
    monkeypatch.setattr(costs, "price_of", lambda model: prices.get(model.model))
    used = {"prompt_tokens": 1000, "completion_tokens": 10}
    dear, cheap, unknown = ((ModelSettings(model=name), used) for name in ("dear", "cheap", "unknown"))
    assert costs.cost_of(dear, cheap)["cost"] == {
        "currency": "USD", "total": 0.01122, "prompt_per_million": 10.0, "completion_per_million": 20.0,
    }  # fmt: skip
    assert costs.cost_of(dear, unknown) == {}, "half a price is none"


async def test_a_model_without_a_known_price_has_no_cost(trace: Any) -> None:
    assert "cost" not in (await trace())["usage"]
