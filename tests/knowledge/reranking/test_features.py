from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.analysis import terms
from knowledge.reranking import RerankCandidate, RerankQuery
from knowledge.reranking.features import FeatureReranker, closeness, neighbours

Make = Callable[..., RerankCandidate]
WORDS = st.lists(st.sampled_from(["heron", "hunt", "fish", "river", "pond", "ab-12"]), max_size=30)


def question(text: str, *, previous: str = "", shares: dict[str, float] | None = None) -> RerankQuery:
    words = list(dict.fromkeys([*terms(text), *terms(previous)]))
    return RerankQuery(text=text, previous=previous, terms=shares or {word: 1 / len(words) for word in words})


def test_words_that_stand_together_count_more_than_words_that_are_only_there(candidate: Make) -> None:
    together = candidate("Employees on parental leave keep their health insurance.")
    apart = candidate("Parental advice is given by the health team, who leave insurance to the employees themselves.")
    absent = candidate("The cafeteria opens at nine.")
    scores = FeatureReranker().scores(question("parental leave health insurance"), [absent, apart, together])
    assert scores is not None
    assert scores[0] == 0 <= scores[1] < scores[2] == pytest.approx(1.0)


def test_order_of_two_words_and_two_words_between_do_not_matter() -> None:
    pairs = {("heron", "fish"): 1.0}
    assert closeness(pairs, ["heron", "fish"]) == 1
    assert closeness(pairs, ["fish", "heron"]) == 1
    assert closeness(pairs, ["fish", "a", "b", "heron"]) == 1
    assert closeness(pairs, ["fish", "a", "b", "c", "heron"]) == 0
    assert closeness(pairs, ["heron"]) == 0
    assert closeness(pairs, ["fish", "x", "x", "x", "x", "heron", "x", "fish"]) == 1


def test_pair_counts_what_its_words_count_for_the_keyword_score() -> None:
    pairs = neighbours(["rare", "word", "common"], shares={"rare": 0.6, "word": 0.3, "common": 0.1})
    assert pairs == pytest.approx({("rare", "word"): 0.9 / 1.3, ("word", "common"): 0.4 / 1.3})


def test_words_that_no_passage_holds_make_neighbours_of_those_around_them() -> None:
    assert neighbours(["heron", "unknown", "fish"], shares={"heron": 0.5, "fish": 0.5}) == {("heron", "fish"): 1.0}


def test_title_and_headings_take_part(candidate: Make) -> None:
    passage = candidate("It lasts sixteen weeks.", title="Handbook", headings=("Parental leave",))
    assert FeatureReranker().scores(question("parental leave"), [passage]) == [1.0]


def test_identifier_is_found_as_it_is_written(candidate: Make) -> None:
    right, wrong = candidate("Replace part AB-12/3 every year."), candidate("Replace part AB-13/2 every year.")
    right_score, wrong_score = FeatureReranker().scores(question("part AB-12/3"), [right, wrong]) or []
    assert right_score == pytest.approx(1)
    assert wrong_score < 0.5


def test_turn_before_gives_no_pairs(candidate: Make) -> None:
    query = question("And for managers?", previous="How long is parental leave?")
    assert FeatureReranker().scores(query, [candidate("Parental leave of managers.")]) is None


@pytest.mark.parametrize("text", ["", "leave", "who is it", "leave leave"])
def test_question_without_two_words_is_no_opinion(candidate: Make, text: str) -> None:
    query = RerankQuery(text=text, terms={"leav": 1.0})
    assert FeatureReranker().scores(query, [candidate("Leave is sixteen weeks.")]) is None


def test_words_without_a_share_are_no_opinion(candidate: Make) -> None:
    query = RerankQuery(text="heron fish", terms={"heron": 0.0, "fish": 0.0})
    assert FeatureReranker().scores(query, [candidate("heron fish")]) is None


def test_words_are_stemmed_in_the_language_of_the_index(candidate: Make) -> None:
    query = RerankQuery(text="Häuser bauen", terms={"haus": 0.5, "bau": 0.5})
    passage = candidate("", terms="haus bau")
    assert FeatureReranker().scores(replace(query, words=("haus", "bau")), [passage]) == [1.0]
    assert FeatureReranker().scores(query, [passage]) is None


def test_no_passages_give_no_scores() -> None:
    assert FeatureReranker().scores(question("heron fish"), []) == []


@given(WORDS, WORDS)
def test_score_lies_between_0_and_1_and_is_1_for_the_question_itself(asked: list[str], held: list[str]) -> None:
    pairs = neighbours(asked, shares=dict.fromkeys(asked, 1.0))
    assert 0 <= closeness(pairs, held) <= 1
    if pairs:
        assert closeness(pairs, [*held, *asked]) == pytest.approx(1)


def test_long_question_on_long_repetitive_passages_stays_quick(candidate: Make) -> None:
    words = " ".join(f"word{i % 40}" for i in range(2_000))
    query = RerankQuery(text=words, terms={f"word{i}": 1 / 40 for i in range(40)})
    started = time.process_time()
    FeatureReranker().scores(query, [candidate("", terms=words)] * 50)
    assert time.process_time() - started < 2
