from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.retrieval import DEFAULT, retrieve
from knowledge.retrieval.small_to_big import widened, with_neighbours
from knowledge.types import Fate, Passage, Query

WIDE = replace(DEFAULT, neighbours=60)
CHUNKS = ("alpha one two", "beta three four", "gamma five six", "delta seven eight", "epsilon nine ten")


def passage(world: Any, key: str, *, score: float = 0.5) -> Passage:
    row = world.rows[key]
    return Passage(
        key=key, document=row.document, version_id=row.version_id, version=1, knowledge_base=row.knowledge_base,
        title=row.title, heading_path=row.heading_path, page_first=row.page_first, page_last=row.page_last,
        start=row.start, end=row.end, text=world.texts[row.version_id][row.start : row.end], tokens=row.tokens,
        score=score,
    )  # fmt: skip


def grown(world: Any, keys: list[str], *, most: int = 60, query: Query | None = None) -> list[Passage]:
    found = with_neighbours(
        [passage(world, key) for key in keys], query=query or Query(text="q"), profile=replace(DEFAULT, neighbours=most),
        live=world, texts=world.texts.__getitem__, scope=world.scope,
    )  # fmt: skip
    return list(found)


def test_a_passage_grows_by_its_neighbours_up_to_the_size(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    [found] = grown(world, [keys[2]], most=60)
    assert found.text == "beta three four\n\ngamma five six\n\ndelta seven eight"
    assert found.text == world.texts[found.version_id][found.start : found.end]
    assert (found.key, found.tokens, found.page_first, found.page_last) == (keys[2], 9, 2, 4)
    [least] = grown(world, [keys[2]], most=10)
    assert least.text == "gamma five six"


def test_what_follows_comes_before_what_precedes(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    [found] = grown(world, [keys[2]], most=40)
    assert found.text == "gamma five six\n\ndelta seven eight"


def test_a_passage_stays_under_its_headings(world) -> None:
    keys = world.add("Guide", *CHUNKS)  # each under its own
    [found] = grown(world, [keys[2]], most=500)
    assert found.text == "gamma five six"


def test_what_a_better_passage_took_in_is_not_returned_again(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    other = world.add("Other", "zeta", path=("Guide",))
    found = grown(world, [keys[0], keys[1], keys[4], *other], most=40)
    assert [p.text for p in found] == [
        "alpha one two\n\nbeta three four", "delta seven eight\n\nepsilon nine ten", "zeta",
    ]  # fmt: skip


def test_the_token_budget_holds_and_the_best_is_returned_whatever_it_costs(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    found = grown(world, [keys[0], keys[4]], most=500, query=Query(text="q", token_budget=7))
    assert [p.tokens for p in found] == [6]
    assert [p.tokens for p in grown(world, [keys[0]], query=Query(text="q", token_budget=1))] == [3]


def test_the_limit_holds(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    assert len(grown(world, keys, most=1, query=Query(text="q", limit=2))) == 2


def test_rows_that_are_no_longer_live_add_nothing(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    given = passage(world, keys[2])
    del world.rows[keys[3]]
    arguments = {"query": Query(text="q"), "profile": WIDE, "live": world, "scope": world.scope}
    [found] = with_neighbours([given], texts=world.texts.__getitem__, **arguments)
    assert found.text == "alpha one two\n\nbeta three four\n\ngamma five six"
    assert with_neighbours([given], texts=None, **arguments) == (given,)
    [stays] = with_neighbours(
        [given], texts=lambda version: "another text altogether, long enough to be cut", **arguments
    )
    assert stays == given


def test_only_neighbours_in_the_scope_are_asked_for(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    grown(world, [keys[2]])
    assert {scope for _, scope in world.asked} == {world.scope}


def test_more_is_assembled_only_where_passages_are_expanded() -> None:
    query = Query(text="q", limit=5, merge_neighbours=True)
    assert widened(query, profile=DEFAULT) is query
    assert widened(query, profile=WIDE) == replace(query, limit=15, merge_neighbours=False)


def test_retrieval_returns_the_section_around_a_small_hit(world) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    query = Query(text="gamma five", limit=2, explain=True)
    result = retrieve(query, scope=world.scope, parts=world.parts, profile=replace(WIDE, floor=0.0))
    assert result.passages[0].key == keys[2]
    assert "delta seven eight" in result.passages[0].text
    assert "neighbours" in result.timings
    fates = {c.key: (c.fate, c.by) for c in result.explanation.considered}
    assert fates[keys[2]] == (Fate.RETURNED, "")
    assert fates[keys[3]] == (Fate.JOINED, keys[2])
    assert len(result.passages) <= 2
    assert "neighbours" not in retrieve(query, scope=world.scope, parts=world.parts).timings


def test_a_variant_that_is_not_returned_is_not_named(world) -> None:
    text = "The fee for a berth in harbour {} is due on the first of the month, and boats are moved without further notice."
    for number in ("24", "36"):
        world.add(f"Fees {number}", text.format(number))
    query = Query(text="What is the fee for a berth in the harbour?", limit=2)
    profile = replace(DEFAULT, floor=0.0, neighbours=900)
    both = retrieve(query, scope=world.scope, parts=world.parts, profile=profile).passages
    assert [p.variants[0].key for p in both] == [both[1].key, both[0].key]
    [alone] = retrieve(replace(query, limit=1), scope=world.scope, parts=world.parts, profile=profile).passages
    assert alone.variants == ()


@given(order=st.permutations(range(5)), most=st.integers(1, 120), budget=st.none() | st.integers(1, 20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_returned_twice_and_every_range_is_exact(
    world, order: list[int], most: int, budget: int | None
) -> None:
    keys = world.add("Guide", *CHUNKS, path=("Guide",))
    found = grown(world, [keys[n] for n in order], most=most, query=Query(text="q", token_budget=budget))
    assert all(p.text == world.texts[p.version_id][p.start : p.end] for p in found)
    ranges = sorted((p.start, p.end) for p in found)
    assert all(end <= start for (_, end), (start, _) in zip(ranges, ranges[1:], strict=False))
    if budget is None:
        assert sum(p.tokens for p in found) == 15  # nothing is lost
    else:
        assert sum(p.tokens for p in found) <= max(budget, found[0].tokens)
