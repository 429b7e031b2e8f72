from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from knowledge.retrieval import DEFAULT, retrieve
from knowledge.retrieval.base import RetrievalProfile
from knowledge.types import Considered, Explanation, Fate, Query, RetrievalResult, Turn

NO_FLOOR = replace(DEFAULT, floor=0.0)


def ask(world: Any, text: str, *, profile: RetrievalProfile = NO_FLOOR, **more: Any) -> tuple[RetrievalResult, Explanation]:  # fmt: skip
    result = retrieve(Query(text=text, explain=True, **more), scope=world.scope, parts=world.parts, profile=profile)
    assert result.explanation is not None
    return result, result.explanation


def fates(explanation: Explanation) -> dict[str, Fate]:
    return {one.key: one.fate for one in explanation.considered}


def only(explanation: Explanation, key: str) -> Considered:
    (found,) = [one for one in explanation.considered if one.key == key]
    return found


def test_a_search_that_is_not_asked_why_explains_nothing(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    result = retrieve(Query(text="heron"), scope=world.scope, parts=world.parts)
    assert result.explanation is None
    assert "explain" not in result.timings


def test_asking_why_changes_nothing_that_is_found(world: Any) -> None:
    for number in range(60):
        world.add(f"Birds {number}", f"The heron number {number} hunts fish {'and frogs ' * (number % 5)}.")
    for more in ({"limit": 5}, {"limit": 5, "merge_neighbours": True}, {"limit": 30, "token_budget": 40}):
        query = Query(text="heron fish frogs", **more)
        plain, explained = (
            retrieve(one, scope=world.scope, parts=world.parts) for one in (query, replace(query, explain=True))
        )
        assert explained.passages == plain.passages
        assert explained.explanation is not None
        assert len(explained.explanation.considered) == explained.candidates == 60


def test_terms_come_with_their_weights_and_rarity(world: Any) -> None:
    world.add("Herons", "The heron hunts fish.")
    world.add("Kestrels", "The kestrel hunts mice.")
    _, why = ask(world, "What does it hunt?", history=(Turn(role="user", text="Tell me of the heron"),))
    assert why.terms["hunt"] == 1.0
    assert why.terms["heron"] == NO_FLOOR.previous_turn_weight
    assert why.idf["heron"] > why.idf["hunt"] > 0
    assert why.chunks == 2


def test_every_candidate_has_its_rank_in_each_list(world: Any) -> None:
    (heron,) = world.add("Herons", "The heron hunts fish.")
    (kestrel,) = world.add("Kestrels", "The kestrel hovers above fields.")
    result, why = ask(world, "heron fish")
    assert fates(why) == {heron: Fate.RETURNED, kestrel: Fate.RETURNED}
    assert only(why, heron).ranks == {"vector": 1, "keyword": 1, "fused": 1, "final": 1}
    assert only(why, kestrel).ranks == {"vector": 2, "fused": 2, "final": 2}, "no word of it was asked for"
    assert only(why, heron).scores == result.passages[0].scores


def test_what_is_beyond_the_limit_is_named(world: Any) -> None:
    (heron,) = world.add("Herons", "The heron hunts fish.")
    (egret,) = world.add("Egrets", "The egret hunts fish beside the heron in wide and shallow rivers.")
    result, why = ask(world, "heron", limit=1)
    assert [p.key for p in result.passages] == [heron]
    assert fates(why) == {heron: Fate.RETURNED, egret: Fate.BEYOND_LIMIT}
    assert only(why, egret).passage is not None


def test_what_was_never_joined_is_beyond_the_limit_too(world: Any) -> None:
    keys = [world.add(f"Birds {n}", f"The heron number {n} hunts fish.")[0] for n in range(12)]
    _, why = ask(world, "heron fish", limit=1, profile=replace(NO_FLOOR, rerank=0))
    assert set(fates(why)) == set(keys)
    unranked = [one for one in why.considered if "final" not in one.ranks]
    assert len(unranked) == 12 - 4
    assert {one.fate for one in unranked} == {Fate.BEYOND_LIMIT}
    assert all(one.passage is not None and one.passage.title.startswith("Birds") for one in unranked)


def test_repeated_text_names_the_passage_that_has_it(world: Any) -> None:
    (first,) = world.add("Herons", "The heron hunts fish.")
    (copy,) = world.add("Herons copied", "The heron hunts fish.")
    result, why = ask(world, "heron fish")
    (kept,) = result.passages
    dropped = ({first, copy} - {kept.key}).pop()
    assert only(why, dropped).fate is Fate.REPEATED
    assert only(why, dropped).by == kept.key


def test_what_exceeds_the_budget_is_named(world: Any) -> None:
    (short,) = world.add("Herons", "The heron hunts fish.")
    (long,) = world.add("Egrets", "The egret hunts fish beside the heron " + "in wide and shallow rivers " * 5)
    _, why = ask(world, "heron", token_budget=10)
    assert fates(why) == {short: Fate.RETURNED, long: Fate.OVER_BUDGET}


def test_what_is_below_the_floor_is_named(world: Any) -> None:
    (heron,) = world.add("Herons", "The heron hunts fish.")
    (other,) = world.add("Taxes", "Quarterly declarations are due in May.")
    _, why = ask(world, "heron fish", profile=replace(DEFAULT, floor=0.3))
    assert fates(why) == {heron: Fate.RETURNED, other: Fate.BELOW_FLOOR}


@pytest.mark.parametrize("how", ["gone", "replaced", "different"])
def test_what_is_not_live_is_named_without_its_text(how: str, world: Any, identify: Any) -> None:
    (stale,) = world.add("Old", "The heron hunts fish.")
    (heron,) = world.add("New", "The heron hunts frogs.")
    row = world.rows[stale]
    if how == "gone":
        del world.rows[stale], world.terms[stale]
    else:
        changes = {"version_id": identify("newer")} if how == "replaced" else {"end": row.end + 5}
        world.rows[stale] = replace(row, **changes)
    _, why = ask(world, "heron")
    assert fates(why) == {heron: Fate.RETURNED, stale: Fate.NOT_LIVE}
    assert only(why, stale).passage is None
    assert "final" not in only(why, stale).ranks
    assert set(only(why, stale).scores) == {"vector", "keyword", "fused"}


def test_joined_neighbours_lead_to_the_passage_that_holds_them(world: Any) -> None:
    one, two = world.add("Herons", "The heron hunts fish.", "The heron hunts frogs as well.", gap=" ")
    result, why = ask(world, "heron hunts fish", merge_neighbours=True)
    (passage,) = result.passages
    joined = ({one, two} - {passage.key}).pop()
    assert fates(why) == {passage.key: Fate.RETURNED, joined: Fate.JOINED}
    assert only(why, joined).by == passage.key


def test_a_copy_of_a_joined_passage_leads_to_where_it_is_now(world: Any) -> None:
    one, two = world.add("Herons", "The heron hunts fish.", "The heron hunts frogs and fish.", gap=" ")
    (copy,) = world.add("Abstract of many other birds and places", "The heron hunts frogs and fish.")
    result, why = ask(world, "heron hunts fish frogs", merge_neighbours=True)
    by_fate = {one.fate: one for one in why.considered}
    repeated = by_fate[Fate.REPEATED]
    assert repeated.by in {p.key for p in result.passages}
    assert {one, two, copy} == set(fates(why))


def test_nothing_indexed_explains_an_empty_list(world: Any) -> None:
    result, why = ask(world, "heron")
    assert (result.passages, why.considered, why.chunks) == ((), (), 0)


def test_what_became_of_the_ranked_passages_is_known_without_asking_why(world: Any) -> None:
    for number in range(60):
        world.add(f"Birds {number}", f"The heron number {number} hunts fish {'and frogs ' * (number % 5)}.")
    query = Query(text="heron fish frogs", limit=5, merge_neighbours=True)
    plain, explained = (
        retrieve(one, scope=world.scope, parts=world.parts) for one in (query, replace(query, explain=True))
    )
    outline = plain.outline()
    assert explained.explanation is not None
    assert outline == explained.explanation.considered[: len(outline)]
    assert [one.key for one in outline if one.fate is Fate.RETURNED] == [passage.key for passage in plain.passages]
    assert {one.fate for one in outline} > {Fate.RETURNED}, "what was left out is told too"


def test_a_search_of_nothing_has_no_outline(world: Any) -> None:
    assert retrieve(Query(text=""), scope=world.scope, parts=world.parts).outline() == ()
