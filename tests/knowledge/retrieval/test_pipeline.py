from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from knowledge.errors import EmbeddingFailed, StoreUnavailable
from knowledge.retrieval import DEFAULT, retrieve
from knowledge.retrieval.calibration import Curve
from knowledge.types import Query, Scope, Turn

NO_FLOOR = replace(DEFAULT, floor=0.0)


def titles(result: Any) -> list[str]:
    return [passage.title for passage in result.passages]


def test_best_passage_comes_first_with_its_scores(world: Any) -> None:
    world.add("Herons", "The heron hunts fish in shallow rivers.")
    world.add("Kestrels", "The kestrel hovers above fields.")
    result = retrieve(
        Query(text="Which bird hunts fish in rivers?"), scope=world.scope, parts=world.parts, profile=NO_FLOOR
    )
    assert titles(result)[0] == "Herons"
    first, second = result.passages
    assert 0 <= second.score < first.score <= 1
    expected = (first.scores["vector"] + first.scores["keyword"]) / 2
    assert first.score == pytest.approx(expected)
    assert (first.start, first.end, first.page_first) == (0, 39, 1)
    assert first.text == world.texts[first.version_id][first.start : first.end]
    assert result.candidates == 2


def test_timings_name_every_stage(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    timings = retrieve(Query(text="heron"), scope=world.scope, parts=world.parts).timings
    assert list(timings) == ["embed", "statistics", "search", "fuse", "live", "rerank", "assemble", "total"]
    assert timings["total"] >= sum(value for name, value in timings.items() if name != "total") > 0


def test_what_a_search_waited_for_the_vector_is_the_time_of_embedding(world: Any) -> None:
    world.add("One", "heron heron")

    class Slow:
        spec = world.embedder.spec

        def embed_query(self, text: str) -> Any:
            time.sleep(0.1)
            return world.embedder.embed_query(text)

        def embed_passages(self, texts: Any) -> Any:
            return world.embedder.embed_passages(texts)

    class Engine:
        def in_memory(self, **_: Any) -> bool:
            return False

        def __getattr__(self, name: str) -> Any:
            return getattr(world.store, name)

    parts = replace(world.parts, embedder=Slow(), store=Engine())
    timings = retrieve(Query(text="heron"), scope=world.scope, parts=parts).timings
    assert timings["embed"] >= 90 > timings["search"] >= 0


def test_passage_that_is_not_live_is_not_returned(world: Any) -> None:
    (stale,) = world.add("Old", "The heron hunts fish.")
    world.add("New", "The heron hunts frogs.")
    del world.rows[stale], world.terms[stale]
    assert titles(retrieve(Query(text="heron"), scope=world.scope, parts=world.parts)) == ["New"]


def test_record_of_a_replaced_version_is_not_returned(world: Any, identify: Any) -> None:
    (key,) = world.add("Handbook", "The heron hunts fish.")
    world.rows[key] = replace(world.rows[key], version_id=identify("newer"))
    assert retrieve(Query(text="heron"), scope=world.scope, parts=world.parts).passages == ()


def test_index_that_disagrees_with_the_database_is_not_quoted(world: Any) -> None:
    (key,) = world.add("Handbook", "The heron hunts fish.")
    world.rows[key] = replace(world.rows[key], end=world.rows[key].end + 5)
    assert retrieve(Query(text="heron"), scope=world.scope, parts=world.parts).passages == ()


def test_foreign_record_from_a_faulty_store_is_dropped(world: Any, identify: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    world.add("Secret", "The heron hunts fish at night.", base=identify("foreign base"))

    class Leaking:
        """Ignores the scope, as a store with a bug would."""

        wide = Scope(tenant=world.tenant, knowledge_bases=frozenset({world.base, identify("foreign base")}))

        def search_vector(self, *args: Any, **values: Any) -> Any:
            return world.store.search_vector(*args, **{**values, "scope": self.wide})

        def search_keyword(self, *args: Any, **values: Any) -> Any:
            return world.store.search_keyword(*args, **{**values, "scope": self.wide})

        def in_memory(self, **values: Any) -> bool:
            return False

    parts = replace(world.parts, store=Leaking())
    assert titles(retrieve(Query(text="heron"), scope=world.scope, parts=parts)) == ["Herons"]


@pytest.mark.parametrize("narrowed", [{"knowledge_bases": frozenset()}, {"documents": frozenset()}, {"tenant": ""}])
def test_empty_scope_asks_nobody(world: Any, narrowed: dict[str, Any]) -> None:
    world.add("Herons", "The heron hunts fish.")
    scope = replace(world.scope, **narrowed)
    assert retrieve(Query(text="heron"), scope=scope, parts=world.parts).passages == ()
    assert world.embedder.queries == []
    assert world.asked == []


@pytest.mark.parametrize("text", ["", "  \n "])
def test_blank_question_finds_nothing(world: Any, text: str) -> None:
    world.add("Herons", "The heron hunts fish.")
    assert retrieve(Query(text=text), scope=world.scope, parts=world.parts).passages == ()


def test_question_of_stop_words_is_searched_by_vector_alone(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    result = retrieve(Query(text="who is it"), scope=world.scope, parts=world.parts, profile=NO_FLOOR)
    assert [passage.scores["keyword"] for passage in result.passages] == [0.0]


def test_documents_of_the_scope_narrow_the_search(world: Any, identify: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    world.add("More herons", "Another heron hunts fish.")
    scope = replace(world.scope, documents=frozenset({identify("document Herons")}))
    assert titles(retrieve(Query(text="heron fish"), scope=scope, parts=world.parts)) == ["Herons"]


def test_follow_up_is_searched_with_its_history(world: Any) -> None:
    world.add("Parental leave", "Parental leave lasts sixteen weeks for employees.")
    world.add("Managers", "Managers, managers, notice.")
    world.add("Parental leave, managers", "Managers take parental leave of twenty weeks.")
    history = (Turn(role="user", text="How long is parental leave?"), Turn(role="assistant", text="Sixteen weeks."))
    query = Query(text="And for managers?", history=history)
    result = retrieve(query, scope=world.scope, parts=world.parts)
    assert titles(result)[0] == "Parental leave, managers"
    assert result.query == "And for managers? (following: How long is parental leave?)"
    alone = retrieve(replace(query, history=()), scope=world.scope, parts=world.parts)
    assert titles(alone)[0] == "Managers"
    assert alone.query == "And for managers?"


def test_several_spaces_are_searched_together(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    space = world.embedder.spec.space
    parts = replace(
        world.parts, generations=lambda scope: [("older_64_abc", [world.generation]), (space, [world.generation])]
    )
    assert titles(retrieve(Query(text="heron"), scope=world.scope, parts=parts)) == ["Herons"]


def test_floor_keeps_weak_passages_back(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    world.add("Taxes", "Declare income by the end of July.")
    query = Query(text="heron hunts fish")
    assert len(retrieve(query, scope=world.scope, parts=world.parts, profile=NO_FLOOR).passages) == 2
    assert titles(retrieve(query, scope=world.scope, parts=world.parts, profile=replace(DEFAULT, floor=0.4))) == [
        "Herons"
    ]
    assert retrieve(query, scope=world.scope, parts=world.parts, profile=replace(DEFAULT, floor=1.0)).passages == ()


def test_store_that_is_down_is_said_so(world: Any) -> None:
    class Down:
        def search_vector(self, *args: Any, **values: Any) -> Any:
            return []

        def search_keyword(self, *args: Any, **values: Any) -> Any:
            raise StoreUnavailable

        def in_memory(self, **values: Any) -> bool:
            return False

    with pytest.raises(StoreUnavailable):
        retrieve(Query(text="heron"), scope=world.scope, parts=replace(world.parts, store=Down()))


def test_same_question_gives_the_same_answer(world: Any) -> None:
    for i in range(20):
        world.add(f"Copy {i}", f"The heron hunts fish number{i}.")
    runs = [retrieve(Query(text="heron fish"), scope=world.scope, parts=world.parts).passages for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0]) == 10


def test_a_question_about_other_matters_returns_nothing_but_names_what_is_nearest(world: Any) -> None:
    keys = world.add("Herons", "The heron hunts fish.", "The heron nests in tall trees.")
    result = retrieve(Query(text="quarterly tax declarations"), scope=world.scope, parts=world.parts)
    assert result.passages == ()
    assert {p.key for p in result.related} == set(keys)
    assert result.answerable < 0.2


def test_the_chance_of_an_answer_comes_with_the_passages_and_decides_by_the_threshold(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    query = Query(text="Which fish does the heron hunt?")
    likely = retrieve(query, scope=world.scope, parts=world.parts)
    assert len(likely.passages) == 1
    assert (likely.related, likely.threshold) == ((), DEFAULT.least_chance)
    strict = replace(DEFAULT, least_chance=1.0)
    refused = retrieve(query, scope=world.scope, parts=world.parts, profile=strict)
    assert (refused.passages, refused.related, refused.threshold) == ((), likely.passages, 1.0)
    assert refused.answerable == likely.answerable > 0.5


def test_an_empty_scope_has_no_chance_of_an_answer(world: Any) -> None:
    result = retrieve(Query(text="heron"), scope=world.scope, parts=world.parts)
    assert (result.answerable, result.related) == (0.0, ())


def test_a_calibrated_base_reads_the_chance_by_its_own_curve(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    query = Query(text="Which fish does the heron hunt?")
    before = retrieve(query, scope=world.scope, parts=world.parts)
    assert before.uncalibrated is None
    (base,) = world.scope.knowledge_bases
    curve = Curve(slope=1.0, intercept=-8.0)
    lower = replace(world.parts, curves=lambda scope: {base: curve})
    refused = retrieve(query, scope=world.scope, parts=lower)
    assert (refused.passages, refused.related) == ((), before.passages)
    assert (refused.answerable, refused.uncalibrated) == (curve.of(before.answerable), before.answerable)
    elsewhere = replace(world.parts, curves=lambda scope: {"another base": curve})
    assert retrieve(query, scope=world.scope, parts=elsewhere).answerable == before.answerable


def test_a_curve_does_not_count_where_no_embedding_model_could_be_asked(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    (base,) = world.scope.knowledge_bases

    def away(space: str) -> Any:
        raise EmbeddingFailed("away")

    parts = replace(world.parts, embedders=away, curves=lambda scope: {base: Curve(slope=1.0, intercept=-8.0)})
    found = retrieve(Query(text="Which fish does the heron hunt?"), scope=world.scope, parts=parts)
    assert len(found.passages) == 1
    assert found.uncalibrated is None
