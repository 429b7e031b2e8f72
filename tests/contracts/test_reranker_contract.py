"""What every reranker promises, whatever is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knowledge import llm, wiring
from knowledge.analysis import index_terms, terms
from knowledge.embedding import LocalEmbedder
from knowledge.reranking import LateInteraction, NoReranker, RerankCandidate, Reranker, RerankQuery
from knowledge.reranking.cross_encoder import CrossEncoder
from knowledge.reranking.features import FeatureReranker
from knowledge.reranking.hosted import HostedReranker
from tests.support.scripted_reranker import ScriptedReranker
from tests.support.tiny_cross_encoder import write_model, write_tokenizer

QUESTION = "Which heron hunts fish?"
TEXTS = ["Kestrels hover over fields.", "The heron hunts fish.", "Bäume und Straßen 文档", "word " * 700, " "]


def question(text: str) -> RerankQuery:
    words = list(dict.fromkeys(terms(text)))
    return RerankQuery(text=text, terms={word: 1 / len(words) for word in words}, idf=dict.fromkeys(words, 1.0))


def candidates(count: int = len(TEXTS)) -> list[RerankCandidate]:
    return [
        RerankCandidate(
            key=str(i), tenant="tenant", document="document", version_id="version", generation="generation", ordinal=i,
            title="Birds", heading_path=(), text=text, terms=index_terms("Birds", (), text), keyword=0.5, cosine=0.5,
            fused=0.5,
        )
        for i, text in enumerate(TEXTS[:count])
    ]  # fmt: skip


def _cross_encoder(folder: Path) -> CrossEncoder:
    words = ["heron", "hunts", "fish", "birds"]
    write_model(folder / "model.onnx", write_tokenizer(folder / "tokenizer.json", words))
    return CrossEncoder(folder, timeout=60)


@pytest.fixture(scope="module", params=sorted(wiring.RERANKERS))
def reranker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reranker]:
    if request.param == "hosted":
        llm.warm_up()
        with ScriptedReranker() as scripted:
            made = HostedReranker("infinity/rank", scripted.url, "key", timeout=30)
            yield made
            made.close()
            asyncio.run(llm.close_clients())
        return
    others: dict[str, Callable[[], Reranker]] = {
        "none": NoReranker,
        "features": FeatureReranker,
        "late": lambda: LateInteraction(LocalEmbedder(), stored=lambda asked: [None for _ in asked]),
        "cross_encoder": lambda: _cross_encoder(tmp_path_factory.mktemp("model")),
    }
    yield others[request.param]()


def test_name_is_that_of_the_setting(reranker: Reranker, request: pytest.FixtureRequest) -> None:
    assert reranker.name == request.node.callspec.params["reranker"]
    assert wiring.RERANKERS[reranker.name]


def test_scores_are_one_a_passage_and_about_0_to_1(reranker: Reranker) -> None:
    scores = reranker.scores(question(QUESTION), candidates())
    if scores is None:
        assert reranker.weight == 0
        return
    assert len(scores) == len(TEXTS)
    assert all(isinstance(score, float) and -0.1 <= score <= 1.1 for score in scores)
    assert max(range(len(scores)), key=scores.__getitem__) == 1


def test_order_of_the_passages_does_not_matter(reranker: Reranker) -> None:
    forwards = reranker.scores(question(QUESTION), candidates())
    backwards = reranker.scores(question(QUESTION), candidates()[::-1])
    if forwards is not None:
        assert backwards is not None
        assert backwards[::-1] == pytest.approx(forwards, abs=1e-4)


@pytest.mark.parametrize("text", ["?", "who", "文档", "heron " * 2_000])
def test_odd_question_is_no_trouble(reranker: Reranker, text: str) -> None:
    scores = reranker.scores(question(text), candidates())
    assert scores is None or len(scores) == len(TEXTS)


def test_many_threads_get_what_one_gets(reranker: Reranker) -> None:
    alone = [reranker.scores(question(QUESTION), candidates(count)) for count in range(1, 6)]
    with ThreadPoolExecutor(5) as threads:
        together = list(threads.map(lambda count: reranker.scores(question(QUESTION), candidates(count)), range(1, 6)))
    for one, other in zip(alone, together, strict=True):
        assert one == (pytest.approx(other, abs=1e-4) if other is not None else None)
