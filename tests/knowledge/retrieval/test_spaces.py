"""A question in several embedding spaces: embedded side by side, on one scale, and without those that fail."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from knowledge.embedding.local import LocalEmbedder
from knowledge.errors import EmbeddingFailed, ModelUnavailable
from knowledge.retrieval.base import DEFAULT
from knowledge.retrieval.pipeline import retrieve
from knowledge.retrieval.query import Turns
from knowledge.retrieval.spaces import (
    PAIRS,
    REFERENCE,
    Embedding,
    Scale,
    SpaceVectors,
    embed_in_spaces,
    measure,
    models_of,
)
from knowledge.types import EmbeddingSpec, Query, Scope, Vector

TURNS = Turns(last="heron fish", previous="birds")


@pytest.fixture(scope="module")
def local_embedder() -> LocalEmbedder:
    return LocalEmbedder()


class Squeezed:
    """Another model: the same order of passages, but every cosine between .8 and 1, in one dimension more."""

    def __init__(self, inner: Any, offset: float = 2.0) -> None:
        self.inner, self.offset = inner, offset
        self.calls = 0
        self.spec = EmbeddingSpec(model="squeezed", dimension=65, model_hash="0", precision="float32", max_tokens=256)

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        self.calls += 1
        vectors = self.inner.embed_passages(texts)
        added = np.concatenate([vectors, np.full((len(vectors), 1), self.offset, dtype=np.float32)], axis=1)
        return added / np.linalg.norm(added, axis=1, keepdims=True)

    def embed_query(self, text: str) -> Vector:
        return self.embed_passages([text])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.inner.count_tokens(texts)


class Away(Squeezed):
    def embed_query(self, text: str) -> Vector:
        raise ModelUnavailable


def embed(spaces: dict[str, Any]) -> Any:
    return embed_in_spaces(TURNS, models=models_of(list(spaces), embedders=spaces.__getitem__), profile=DEFAULT)


# --- embedding ----------------------------------------------------------------------------------------


def test_one_space_is_embedded_as_ever_and_measures_nothing(world: Any) -> None:
    found = embed({"a": world.embedder})
    assert list(found.vectors) == ["a"]
    assert (found.scales, found.failures, found.notes) == ({}, (), ())
    assert world.embedder.queries == ["heron fish", "birds"]
    assert found.on_one_scale("a", {"k": 0.9}) == {"k": 0.9}


def test_spaces_of_one_model_are_embedded_once(world: Any) -> None:
    found = embed({"a": world.embedder, "b": world.embedder})
    assert set(found.vectors) == {"a", "b"}
    assert found.scales == {}
    assert world.embedder.queries == ["heron fish", "birds"]


def test_models_are_asked_at_the_same_time(world: Any) -> None:
    meeting = threading.Barrier(2, timeout=5)

    class Meeting(Squeezed):
        def embed_query(self, text: str) -> Vector:
            if text == TURNS.last:
                meeting.wait()
            return super().embed_query(text)

    found = embed({"a": Meeting(world.embedder), "b": Meeting(world.embedder)})
    assert set(found.vectors) == set(found.scales) == {"a", "b"}


def test_model_that_fails_takes_nothing_from_the_others(world: Any) -> None:
    found = embed({"a": world.embedder, "b": Away(world.embedder)})
    assert list(found.vectors) == ["a"]
    assert found.notes == (
        "Part of the documents were searched by their words alone: The language model cannot be reached.",
    )
    alone = embed({"b": Away(world.embedder)})
    assert alone.vectors == {}
    assert alone.notes == ("The documents were searched by their words alone: The language model cannot be reached.",)


def test_space_without_an_embedder_is_noted(world: Any) -> None:
    def embedders(space: str) -> Any:
        if space == "gone":
            raise EmbeddingFailed("It is not here any more.")
        return world.embedder

    found = embed_in_spaces(TURNS, models=models_of(["gone", "a"], embedders=embedders), profile=DEFAULT)
    assert list(found.vectors) == ["a"]
    assert found.notes == ("Part of the documents were searched by their words alone: It is not here any more.",)


def test_no_spaces_ask_nobody() -> None:
    assert embed({}).vectors == {}


def test_reranker_gets_the_question_in_the_space_of_its_token_vectors(world: Any, local_embedder: Any) -> None:
    assert embed({"a": local_embedder}).judged.shape == (384,)
    assert embed({"a": world.embedder}).judged is None  # it has no token vectors to be compared with
    assert embed({"a": world.embedder, "b": local_embedder}).judged.shape == (384,)
    assert embed({"a": world.embedder, "b": Squeezed(world.embedder)}).judged is None
    assert embed({"a": Away(world.embedder)}).judged is None


# --- one scale ----------------------------------------------------------------------------------------


def test_the_reference_is_the_scale_of_the_local_model(local_embedder: Any) -> None:
    found = measure(local_embedder)
    assert found.unrelated == pytest.approx(REFERENCE.unrelated, abs=0.01)
    assert found.related == pytest.approx(REFERENCE.related, abs=0.01)


def test_a_model_is_measured_once(world: Any) -> None:
    model = Squeezed(world.embedder)
    first = measure(model)
    assert measure(model) is first
    assert model.calls == 1
    assert 0.7 < first.unrelated < first.related <= 1


def test_a_model_that_could_not_be_measured_is_not_asked_again_at_once(world: Any) -> None:
    calls = []

    class Mute(Squeezed):
        def embed_passages(self, texts: Sequence[str]) -> Vector:
            calls.append(len(texts))
            raise ModelUnavailable

    model = Mute(world.embedder)
    for _ in range(3):
        with pytest.raises(ModelUnavailable):
            measure(model)
    assert calls == [24]


def test_another_scale_keeps_the_order_and_meets_the_reference_at_both_points() -> None:
    scale = Scale(unrelated=0.75, related=0.85)
    moved = scale.onto(REFERENCE, {"unrelated": 0.75, "between": 0.8, "related": 0.85})
    assert moved == {
        "unrelated": pytest.approx(REFERENCE.unrelated),
        "between": pytest.approx((REFERENCE.unrelated + REFERENCE.related) / 2),
        "related": pytest.approx(REFERENCE.related),
    }
    assert REFERENCE.onto(REFERENCE, {"k": 0.3}) == {"k": pytest.approx(0.3)}


@pytest.mark.parametrize("related", [0.5, 0.505, 0.4])
def test_model_that_cannot_tell_answers_apart_keeps_its_cosines(related: float) -> None:
    assert Scale(unrelated=0.5, related=related).onto(REFERENCE, {"k": 0.7}) == {"k": 0.7}


def test_pairs_have_little_to_do_with_each_other() -> None:
    assert len({text for pair in PAIRS for text in pair}) == 2 * len(PAIRS)


# --- the whole search -------------------------------------------------------------------------------------


class TwoSpaces:
    """The same small world twice: one base by the first model, one by another whose cosines are all high."""

    def __init__(self, world: Any, identify: Any, model: Any) -> None:
        self.world, self.first, self.second = world, world.embedder, model
        self.other_base = identify("other base")
        self.scope = Scope(tenant=world.tenant, knowledge_bases=frozenset({world.base, self.other_base}))

    def add_to_second(self, title: str, text: str) -> None:
        self.world.embedder = self.second
        self.world.add(title, text, base=self.other_base)
        self.world.embedder = self.first

    def search(self, text: str, embedders: Any = None) -> Any:
        models = {model.spec.space: model for model in (self.first, self.second)}
        generations = [(space, [self.world.generation]) for space in models]
        parts = replace(
            self.world.parts, embedders=embedders or models.__getitem__, generations=lambda scope: generations
        )
        return retrieve(Query(text=text), scope=self.scope, parts=parts, profile=replace(DEFAULT, floor=0.0))


@pytest.fixture
def two(world: Any, identify: Any) -> TwoSpaces:
    found = TwoSpaces(world, identify, Squeezed(world.embedder))
    world.add("Herons", "The heron hunts fish in rivers.")
    world.add("Kestrels", "The kestrel hovers above fields.")
    found.add_to_second("Taxes", "Declare income by the end of July.")
    found.add_to_second("Otters", "The otter sleeps at noon.")
    return found


def test_high_cosines_of_one_model_do_not_push_the_other_away(two: TwoSpaces) -> None:
    for question, answer in (("Which bird hunts fish?", "Herons"), ("When does the otter sleep?", "Otters")):
        result = two.search(question)
        assert result.passages[0].title == answer
        assert result.notes == ()
    scores = {passage.title: passage.scores["vector"] for passage in two.search("Which bird hunts fish?").passages}
    assert scores["Herons"] > max(scores["Taxes"], scores["Otters"])


def test_without_one_scale_the_model_of_high_cosines_would_win(two: TwoSpaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scale, "onto", lambda self, other, cosines: dict(cosines))
    scores = {passage.title: passage.scores["vector"] for passage in two.search("Which bird hunts fish?").passages}
    assert min(scores["Taxes"], scores["Otters"]) > scores["Herons"]


def test_space_whose_model_is_away_is_found_by_words(two: TwoSpaces) -> None:
    two.second.__class__ = Away
    result = two.search("When does the otter sleep?")
    assert result.passages[0].title == "Otters"
    assert "vector" not in result.passages[0].scores
    assert result.passages[0].score == result.passages[0].scores["keyword"]
    assert result.notes == (
        "Part of the documents were searched by their words alone: The language model cannot be reached.",
    )


def test_all_models_away_leaves_the_words_and_without_words_fails(two: TwoSpaces) -> None:
    def gone(space: str) -> Any:
        raise EmbeddingFailed

    assert two.search("otter", gone).passages[0].title == "Otters"
    with pytest.raises(EmbeddingFailed):
        two.search("who is it", gone)


def test_question_without_words_is_searched_where_a_model_is_left(two: TwoSpaces) -> None:
    two.second.__class__ = Away
    assert {passage.title for passage in two.search("who is it").passages} <= {"Herons", "Kestrels"}


# --- beside other work


def test_vectors_are_made_beside_other_work_and_waited_for_once() -> None:
    go = threading.Event()
    made: list[int] = []

    def make() -> SpaceVectors:
        assert go.wait(5)
        made.append(threading.get_ident())
        return SpaceVectors(vectors={})

    embedding = Embedding(make, beside=True)
    threading.Timer(0.02, go.set).start()
    assert embedding() is embedding()
    assert len(made) == 1
    assert made != [threading.get_ident()]
    assert embedding.waited > 0


def test_vectors_that_nothing_is_beside_are_made_here() -> None:
    made: list[int] = []

    def make() -> SpaceVectors:
        made.append(threading.get_ident())
        return SpaceVectors(vectors={})

    embedding = Embedding(make, beside=False)
    assert made == [threading.get_ident()]
    assert embedding().vectors == {}
    assert embedding.waited == 0


def test_what_goes_wrong_beside_is_raised_to_whoever_asks() -> None:
    def make() -> SpaceVectors:
        raise ModelUnavailable

    embedding = Embedding(make, beside=True)
    with pytest.raises(ModelUnavailable):
        embedding()
