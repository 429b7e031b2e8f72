from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from knowledge.errors import RerankFailed
from knowledge.reranking import RerankCandidate, RerankQuery
from knowledge.reranking.base import query_text
from knowledge.reranking.circuit import Circuit
from knowledge.reranking.hosted import HostedReranker
from tests.support.scripted_reranker import ScriptedReranker

pytestmark = pytest.mark.usefixtures("loaded_litellm")
Make = Callable[..., RerankCandidate]
Built = Callable[..., HostedReranker]
PROVIDERS = ("cohere", "jina_ai", "infinity", "hosted_vllm")
QUERY = RerankQuery(text="heron hunts fish")


@pytest.fixture
def reranker(scripted_reranker: ScriptedReranker) -> Iterator[Built]:
    made: list[HostedReranker] = []

    def make(name: str = "rank", provider: str = "infinity", **named: Any) -> HostedReranker:
        base = scripted_reranker.url + ("/v1/rerank" if provider == "cohere" else "")
        name = f"cohere-{name}" if provider == "cohere" else name
        made.append(HostedReranker(f"{provider}/{name}", base, named.pop("api_key", "key"), **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def passages(candidate: Make) -> list[RerankCandidate]:
    return [candidate("Kestrels hover."), candidate("The heron hunts fish."), candidate("A heron sleeps.")]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_scores_come_back_in_the_order_of_the_passages(
    reranker: Built, passages: list[RerankCandidate], scripted_reranker: ScriptedReranker, provider: str
) -> None:
    assert reranker(provider=provider).scores(QUERY, passages) == pytest.approx([0, 1, 1 / 3])
    (request,) = scripted_reranker.requests
    assert request["path"].endswith("/rerank")
    assert (request["body"]["query"], request["body"]["top_n"]) == ("heron hunts fish", 3)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_logits_are_put_on_the_scale_from_0_to_1(
    reranker: Built, passages: list[RerankCandidate], provider: str
) -> None:
    low, high, middle = reranker("rank-logits", provider).scores(QUERY, passages) or []
    assert 0 < low < 0.001 < middle < 0.05 < 0.999 < high < 1


def test_passage_is_sent_below_its_title_and_headings(
    reranker: Built, candidate: Make, scripted_reranker: ScriptedReranker
) -> None:
    reranker().scores(QUERY, [candidate("Hunts fish.", title="Birds", headings=("Herons", "Food"))])
    assert scripted_reranker.requests[0]["body"]["documents"] == ["Birds > Herons > Food\nHunts fish."]


def test_follow_up_is_sent_below_the_turn_before() -> None:
    assert query_text(RerankQuery(text="And managers?", previous="How long is leave?", answer="Long.")) == (
        "How long is leave?\nAnd managers?"
    )
    assert query_text(QUERY) == "heron hunts fish"
    assert len(query_text(RerankQuery(text="a" * 9_000, previous="b" * 9_000))) == 2_501


def test_no_passages_ask_nobody(reranker: Built, scripted_reranker: ScriptedReranker) -> None:
    assert reranker().scores(QUERY, []) == []
    assert scripted_reranker.requests == []


def test_passages_left_out_get_the_lowest_score_given(reranker: Built, passages: list[RerankCandidate]) -> None:
    assert reranker("rank-missing").scores(QUERY, passages) == pytest.approx([1 / 3, 1, 1 / 3])


def test_of_two_scores_for_a_passage_the_better_counts(reranker: Built, passages: list[RerankCandidate]) -> None:
    scores = reranker("rank-twice").scores(QUERY, passages)
    assert scores == pytest.approx([0, 1, 1 / 3])


@pytest.mark.parametrize("name", ["rank-slow", "rank-drip"])
def test_time_is_kept_even_while_bytes_arrive(reranker: Built, passages: list[RerankCandidate], name: str) -> None:
    started = time.monotonic()
    with pytest.raises(RerankFailed, match=r"^The reranking model took longer than 0\.3 s\.$"):
        reranker(name, timeout=0.3).scores(QUERY, passages)
    assert time.monotonic() - started < 1.2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rank-500", "cannot be reached"),
        ("rank-400", "did not accept"),
        ("rank-401", "address or key"),
        ("rank-429", "busy"),
        ("rank-garbage", "no usable answer"),
        ("rank-html", "no usable answer"),
        ("rank-unknown", "documents it was not given"),
        ("rank-empty", "no scores"),
        ("rank-shapeless", "no usable answer"),
        ("rank-nan", "no number"),
    ],
)
def test_failure_is_said_in_words(reranker: Built, passages: list[RerankCandidate], name: str, words: str) -> None:
    with pytest.raises(RerankFailed, match=words) as caught:
        reranker(name).scores(QUERY, passages)
    assert caught.value.message.startswith("The reranking model")


@pytest.mark.parametrize("provider", ["cohere", "jina_ai", "hosted_vllm"])
@pytest.mark.parametrize("name", ["rank-500", "rank-garbage", "rank-unknown"])
def test_failure_is_told_the_same_of_every_provider(
    reranker: Built, passages: list[RerankCandidate], provider: str, name: str
) -> None:
    with pytest.raises(RerankFailed, match=r"cannot be reached|documents it was not given"):
        reranker(name, provider).scores(QUERY, passages)


def test_key_that_is_not_accepted_is_said_so(reranker: Built, passages: list[RerankCandidate]) -> None:
    with pytest.raises(RerankFailed, match="key was not accepted"):
        reranker(api_key="wrong-key").scores(QUERY, passages)


def test_nobody_listening_is_a_failure(passages: list[RerankCandidate]) -> None:
    reranker = HostedReranker("infinity/rank", "http://127.0.0.1:9", "key")
    with pytest.raises(RerankFailed):
        reranker.scores(QUERY, passages)
    reranker.close()


def test_after_three_failures_nothing_is_asked_for_a_while(
    reranker: Built, passages: list[RerankCandidate], scripted_reranker: ScriptedReranker
) -> None:
    now = [0.0]
    failing = reranker("rank-400", circuit=Circuit(clock=lambda: now[0]))
    for _ in range(3):
        with pytest.raises(RerankFailed, match="did not accept"):
            failing.scores(QUERY, passages)
    now[0] = 10.5
    with pytest.raises(RerankFailed, match=r"asked again in 20 s\."):
        failing.scores(QUERY, passages)
    assert len(scripted_reranker.requests) == 3
    now[0] = 31.0
    with pytest.raises(RerankFailed, match="did not accept"):
        failing.scores(QUERY, passages)
    assert len(scripted_reranker.requests) == 4


def test_success_between_failures_keeps_the_circuit_closed(
    reranker: Built, passages: list[RerankCandidate], scripted_reranker: ScriptedReranker
) -> None:
    circuit = Circuit()
    good, bad = reranker(circuit=circuit), reranker("rank-400", circuit=circuit)
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(RerankFailed):
                bad.scores(QUERY, passages)
        assert good.scores(QUERY, passages)
    assert len(scripted_reranker.requests) == 6


def test_closed_reranker_can_be_closed_again(reranker: Built, passages: list[RerankCandidate]) -> None:
    used, unused = reranker(), reranker()
    used.scores(QUERY, passages)
    for one in (used, unused):
        one.close()
        one.close()
