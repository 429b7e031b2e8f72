from __future__ import annotations

from math import log2
from typing import Any

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, P, Qrel, R, ScoredDoc, Success, nDCG

from chatapp.evaluation.labelled import Span
from chatapp.evaluation.metrics import MEASURES, auroc, coverage, hits_of, no_answer, refusals, score, within


def scored(passages: list[Span], gold: list[Span]) -> dict[str, float]:
    return score(hits_of(passages, gold), passages, gold)


def place(number: int, document: str = "a") -> Span:
    """Passages of 100 characters that touch."""
    return Span(document, 100 * number, 100 * number + 100)


def test_a_ranking_by_hand() -> None:
    found = scored([place(9), place(1), place(7), place(2)], [place(1), place(2), place(3), place(4)])
    assert tuple(found) == MEASURES
    assert (found["hit@1"], found["hit@5"]) == (0, 1)
    assert (found["recall@1"], found["recall@5"], found["recall@20"]) == (0, 0.5, 0.5)
    assert found["precision@5"] == 0.4  # of five, though only four came
    assert found["MRR@10"] == 0.5
    best = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5)
    assert found["nDCG@10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / best)
    assert found["coverage@5"] == 0.5


def test_coverage_within_so_many_characters_cuts_the_last_passage() -> None:
    large, small = Span("a", 0, 4_000), Span("b", 0, 1_000)
    assert within([large, small, small], characters=4_500) == [large, Span("b", 0, 500)]
    assert within([small], characters=4_500) == [small]
    assert scored([large, small], [Span("b", 0, 1_000)])["coverage@4500c"] == 0.5
    assert scored([large, small], [Span("b", 0, 1_000)])["coverage@5"] == 1.0
    assert scored([small, large], [Span("b", 0, 1_000)])["coverage@4500c"] == 1.0


def test_nothing_found_is_nothing_earned() -> None:
    assert set(scored([], [place(1)]).values()) == {0.0}
    assert set(scored([place(n) for n in range(2, 22)], [place(1)]).values()) == {0.0}


def test_the_eleventh_passage_counts_for_recall_only() -> None:
    found = scored([place(n) for n in range(2, 12)] + [place(1)], [place(1)])
    assert (found["MRR@10"], found["nDCG@10"], found["hit@10"], found["recall@10"]) == (0, 0, 0, 0)
    assert (found["hit@20"], found["recall@20"]) == (1, 1)


def test_one_passage_over_two_spans_is_a_perfect_answer() -> None:
    found = scored([Span("a", 0, 400)], [Span("a", 10, 60), Span("a", 200, 300)])
    assert (found["recall@1"], found["nDCG@10"], found["coverage@5"]) == (1, 1, 1)


def test_a_span_counts_once() -> None:
    twice = scored([Span("a", 0, 100), Span("a", 50, 150), place(5)], [Span("a", 50, 100), Span("a", 500, 600)])
    assert twice["recall@5"] == 1
    assert twice["precision@5"] == 0.6  # both passages hold the words
    assert twice["nDCG@10"] == pytest.approx((1 + 1 / log2(4)) / (1 + 1 / log2(3)))


def run_of(hits: np.ndarray) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the ranking and two judgements as ir-measures knows them: of gold spans, and of passages."""
    ranking = [ScoredDoc("q", f"p{rank}", float(-rank)) for rank in range(len(hits))]
    first = [int(column.argmax()) if column.any() else None for column in hits.T]
    spans = [Qrel("q", f"p{rank}" if rank is not None else f"missed {g}", 1) for g, rank in enumerate(first)]
    passages = [Qrel("q", f"p{rank}", 1) for rank, row in enumerate(hits) if row.any()]
    return ranking, spans, passages or [Qrel("q", "none", 1)]


@pytest.mark.parametrize("seed", range(60))
def test_formulas_agree_with_ir_measures(seed: int) -> None:
    """On rankings in which each passage hits one span at most, so that passages can be judged without spans."""
    random = np.random.default_rng(seed)
    depth, spans = int(random.integers(1, 26)), int(random.integers(1, 8))
    document = [Span("a", 1000 * g, 1000 * g + 100) for g in range(spans)]
    passages = []
    for rank in range(depth):
        g = int(random.integers(0, 3 * spans))  # a third of them hits, some the same span again
        start = 1000 * g + int(random.integers(0, 50)) if g < spans else 1_000_000 + 1000 * rank
        passages.append(Span("a", start, start + 100))
    hits = hits_of(passages, document)[:20]
    assert hits.sum(axis=1).max() <= 1
    ranking, by_span, by_passage = run_of(hits)
    theirs = ir_measures.calc_aggregate([nDCG @ 10, RR @ 10, *(R @ k for k in (1, 5, 10, 20)), *(Success @ k for k in (1, 5, 10, 20))], by_span, ranking)  # fmt: skip
    theirs |= ir_measures.calc_aggregate([P @ 5], by_passage, ranking)
    names = {RR @ 10: "MRR@10"} | {R @ k: f"recall@{k}" for k in (1, 5, 10, 20)}
    names |= {Success @ k: f"hit@{k}" for k in (1, 5, 10, 20)} | {P @ 5: "precision@5", nDCG @ 10: "nDCG@10"}
    ours = score(hits, passages[:20], document)
    assert {names[measure]: value for measure, value in theirs.items()} == pytest.approx(
        {name: ours[name] for name in names.values()}, abs=1e-9
    )


def test_coverage_counts_each_character_once() -> None:
    gold = [Span("a", 0, 100), Span("a", 50, 150), Span("b", 0, 50)]  # 200 characters
    assert coverage([Span("a", 0, 50), Span("a", 25, 50), Span("c", 0, 999)], gold) == 0.25
    assert coverage([Span("a", 0, 999), Span("b", 25, 75)], gold) == 175 / 200
    assert coverage([], gold) == 0
    assert coverage([Span("a", 0, 999)], []) == 0


def test_area_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(7)
    positive, negative = random.integers(0, 9, 40) / 10, random.integers(0, 7, 25) / 10
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    area, error = auroc(positive.tolist(), negative.tolist())
    assert area == pytest.approx(np.mean(pairs))
    drawn = [
        auroc(random.choice(positive, 40).tolist(), random.choice(negative, 25).tolist())[0] for _ in range(1500)
    ]  # fmt: skip
    assert error == pytest.approx(np.std(drawn), rel=0.12)


def test_area_of_the_clear_cases() -> None:
    assert auroc([0.9, 0.8], [0.1, 0.2]) == (1.0, 0.0)
    assert auroc([0.1, 0.2], [0.9, 0.8]) == (0.0, 0.0)
    assert auroc([0.5], [0.5]) == (0.5, 0.0)


def test_refusals_keep_the_promised_share() -> None:
    answerable = [n / 100 for n in range(1, 101)]  # .01 to 1.00
    unanswerable = [0.005, 0.03, 0.055, 0.5]
    assert refusals(answerable, unanswerable, kept=0.95) == 0.75  # below .06
    assert refusals(answerable, unanswerable, kept=1.0) == 0.25
    assert refusals(answerable, unanswerable, kept=0.5) == 1.0  # below .51
    assert refusals([0.4], [0.3, 0.5], kept=0.5) == 0.5


@pytest.mark.parametrize("kept", [0.99, 0.95, 0.9, 0.5])
@pytest.mark.parametrize("count", [1, 3, 20, 117, 819])
def test_no_threshold_refuses_more_answerable_questions_than_agreed(kept: float, count: int) -> None:
    scores = np.random.default_rng(count).random(count).tolist()
    assert 1 - refusals(scores, scores, kept=kept) >= kept - 1e-9


def test_no_answer_needs_both_kinds() -> None:
    assert no_answer([0.5], []) is None
    assert no_answer([], [0.5]) is None
    found = no_answer([0.9, 0.8, 0.2], [0.1, 0.3])
    assert found is not None
    assert (found.unanswerable, found.auroc) == (2, pytest.approx(5 / 6))
    assert found.low <= found.auroc <= found.high <= 1
    assert list(found.refused) == ["0.99", "0.95", "0.9", "0.8", "0.7", "0.5"]
    assert list(found.refused.values()) == sorted(found.refused.values())
