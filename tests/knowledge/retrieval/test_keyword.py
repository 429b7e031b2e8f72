from __future__ import annotations

import math

import pytest

from knowledge.retrieval.base import DEFAULT, CorpusStatistics
from knowledge.retrieval.keyword import ceiling, idf, keyword_scores
from knowledge.types import Hit

STATISTICS = CorpusStatistics(chunks=100, average_length=10.0, document_frequency={"rare": 1, "common": 60})


def hit(terms: str) -> Hit:
    return Hit(key=terms, document="d", version="v", knowledge_base="k", text="", terms=terms, score=0.0)


def scores(*texts: str, **weights: float) -> list[float]:
    hits = {text: hit(text) for text in texts}
    found = keyword_scores(hits, weights=weights, statistics=STATISTICS, profile=DEFAULT)
    return [found[text] for text in texts]


def test_idf_of_rare_common_and_unknown_terms() -> None:
    assert idf("rare", STATISTICS) == pytest.approx(math.log(1 + 99.5 / 1.5))
    assert idf("unknown", STATISTICS) > idf("rare", STATISTICS) > idf("common", STATISTICS) > 0
    everywhere = CorpusStatistics(chunks=5, average_length=1, document_frequency={"term": 9})
    assert idf("term", everywhere) >= 0


def test_score_is_bm25_over_its_ceiling() -> None:
    (score,) = scores("rare common common x y", rare=1.0, common=0.5)
    norm = 1.2 * (0.25 + 0.75 * 5 / 10)
    rare, common = idf("rare", STATISTICS), idf("common", STATISTICS)
    bm25 = rare * 1 * 2.2 / (1 + norm) + 0.5 * common * 2 * 2.2 / (2 + norm)
    assert score == pytest.approx(bm25 / ((rare + 0.5 * common) * 2.2))


def test_scores_stay_between_zero_and_one() -> None:
    most, none = scores("rare " * 5_000 + "rare", "nothing here", rare=1.0)
    assert 0.9 < most <= 1.0
    assert none == 0.0


def test_ceiling_is_the_limit_of_repetition() -> None:
    assert ceiling({"rare": 1.0}, STATISTICS, k1=1.2) == pytest.approx(idf("rare", STATISTICS) * 2.2)
    assert ceiling({}, STATISTICS, k1=1.2) == 0.0


def test_no_terms_or_no_corpus_score_nothing() -> None:
    assert scores("rare") == [0.0]
    empty = CorpusStatistics(chunks=0, average_length=0.0, document_frequency={})
    found = keyword_scores({"a": hit("rare")}, weights={"rare": 1.0}, statistics=empty, profile=DEFAULT)
    assert 0.0 <= found["a"] <= 1.0


def test_lighter_terms_count_less() -> None:
    heavy, light = scores("rare x y", rare=1.0, common=1.0)[0], scores("rare x y", rare=0.5, common=1.0)[0]
    assert heavy > light > 0
