from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_passages import passage

from knowledge.errors import EmbeddingFailed
from knowledge.retrieval import answerable as module
from knowledge.retrieval import retrieve
from knowledge.retrieval.answerable import answerable, scale_of
from knowledge.retrieval.base import DEFAULT
from knowledge.retrieval.spaces import Scale
from knowledge.types import Passage, Query


def found(keyword: float, cosine: float | None = None) -> Passage:
    scores = {"keyword": keyword, "fused": keyword if cosine is None else (keyword + cosine) / 2}
    return replace(passage("text"), scores=scores if cosine is None else {**scores, "vector": cosine})


def test_nothing_found_has_no_chance() -> None:
    assert answerable([]) == 0.0


def test_an_answer_is_likely_where_words_and_meaning_stand_out() -> None:
    assert answerable([found(0.6, 0.7), found(0.1, 0.3)]) > 0.7
    assert answerable([found(0.05, 0.1), found(0.05, 0.1)]) < 0.1


@given(*[st.floats(0, 1)] * 4)
def test_more_of_a_signal_is_more_of_a_chance(one: float, two: float, keyword: float, rest: float) -> None:
    low, high = sorted((one, two))
    other = found(rest, rest)
    assert 0 < answerable([found(keyword, low), other]) <= answerable([found(keyword, high), other]) < 1
    assert answerable([found(low, keyword), other]) <= answerable([found(high, keyword), other])
    assert answerable([found(low)]) <= answerable([found(high)])


def test_words_alone_are_never_refused_by_the_threshold() -> None:
    assert answerable([found(0.0)]) > 0.1


def test_cosines_of_another_model_are_read_on_the_scale_the_weights_were_made_for() -> None:
    close = Scale(unrelated=0.75, related=0.9)  # a model that finds all texts alike
    unrelated = [found(0.0, 0.75)] * 2
    assert answerable(unrelated) > 0.5
    assert answerable(unrelated, scale=close) < 0.1


def test_the_scale_is_measured_for_other_models_only(monkeypatch: pytest.MonkeyPatch, world: object) -> None:
    embedder = world.embedder  # type: ignore[attr-defined]
    measured = scale_of(embedder)
    assert measured is not None
    assert measured.related > measured.unrelated

    def fail(model: object) -> Scale:
        raise EmbeddingFailed("It is away.")

    monkeypatch.setattr(module, "measure", fail)
    assert scale_of(embedder) is None
    monkeypatch.setattr(embedder, "spec", replace(embedder.spec, model="sentence-transformers/all-MiniLM-L6-v2"))
    monkeypatch.setattr(module, "measure", None)  # would raise TypeError
    assert scale_of(embedder) is None


def test_a_stretched_scale_does_not_refuse_what_the_words_find() -> None:
    stretched = Scale(unrelated=0.90, related=0.92)
    exact = [found(0.4, 0.5), found(0.0, 0.5)]
    assert answerable(exact, scale=stretched) == answerable([found(0.4, 0.0), found(0.0, 0.0)], scale=None)
    assert answerable(exact, scale=stretched) > DEFAULT.least_chance


class Away:
    """A model by a server that does not answer, not even what it is."""

    @property
    def spec(self) -> object:
        raise EmbeddingFailed("It is away.")


def test_a_model_that_cannot_be_asked_fails_no_search() -> None:
    assert scale_of(Away()) is None  # type: ignore[arg-type]
    assert scale_of(None) is None


def test_the_scale_is_that_of_the_model_that_embedded_the_question(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    query = Query(text="Which fish does the heron hunt?")
    own = retrieve(query, scope=world.scope, parts=world.parts)
    moved = replace(world.parts, embedder=Away(), embedders=lambda space: world.embedder)
    assert retrieve(query, scope=world.scope, parts=moved).answerable == own.answerable
