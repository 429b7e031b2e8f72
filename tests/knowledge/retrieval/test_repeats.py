from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from made_passages import passage as made

from knowledge.retrieval.assemble import assemble, judge, related
from knowledge.retrieval.base import DEFAULT
from knowledge.types import Fate, Passage, Query

NO_FLOOR = replace(DEFAULT, floor=0.0)
RULE = (
    "All members of staff are entitled to 28 days of paid leave in a calendar year, and leave that is not taken by the "
    "end of March of the year that follows lapses without being paid out to anybody."
)
OTHER = "The harbour fee of 30 euros is paid at the desk of the pilots before a ship may leave the basin again."


def passage(key: str, text: str, *, score: float, year: int = 2024, **values: Any) -> Passage:
    written = datetime(year, 1, 1, tzinfo=UTC)
    values = {"document": f"document {key}", "version_id": f"version {key}", "written": written, **values}
    return replace(made(text, start=values.pop("start", 0)), key=key, score=score, **values)


def run(*ranked: Passage, **values: Any) -> tuple[Passage, ...]:
    return assemble(ranked, query=Query(text="q", **values), profile=NO_FLOOR)


def fates(*ranked: Passage, **values: Any) -> dict[str, tuple[Fate, str]]:
    _, judged = judge(ranked, query=Query(text="q", **values), profile=NO_FLOOR)
    return {one.passage.key: (one.fate, one.by) for one in judged}


def test_the_copy_in_the_newest_document_stands_for_all_in_the_place_of_the_best() -> None:
    ranked = (
        passage("old", RULE, score=0.9),
        passage("other", OTHER, score=0.8),
        passage("newest", RULE.replace(", and", " – and"), score=0.7, year=2026),
        passage("newer", RULE, score=0.6, year=2025),
    )
    newest, other = run(*ranked)
    assert (newest.key, newest.score, newest.copies) == ("newest", 0.9, ("old", "newer"))
    assert other.key == "other"
    assert fates(*ranked) == {
        "old": (Fate.REPEATED, "newest"), "other": (Fate.RETURNED, ""), "newest": (Fate.RETURNED, ""),
        "newer": (Fate.REPEATED, "newest"),
    }  # fmt: skip


def test_what_repeated_an_older_copy_is_repeated_by_the_newer_one_that_replaced_it() -> None:
    ranked = [passage(str(year), RULE, score=0.9 - year / 10_000, year=year) for year in (2022, 2021, 2023)]
    assert fates(*ranked) == {
        "2022": (Fate.REPEATED, "2023"), "2021": (Fate.REPEATED, "2023"), "2023": (Fate.RETURNED, ""),
    }  # fmt: skip


def test_among_equally_old_or_undated_copies_the_best_stays() -> None:
    assert [p.key for p in run(passage("a", RULE, score=0.9), passage("b", RULE, score=0.8))] == ["a"]
    undated = [replace(passage(key, RULE, score=0.5), written=None) for key in "ab"]
    assert [p.key for p in run(*undated)] == ["a"]


def test_a_copy_with_more_around_it_is_not_lost() -> None:
    longer = f"{RULE} {OTHER}"
    assert [p.key for p in run(passage("short", RULE, score=0.9), passage("long", longer, score=0.8))] == [
        "short",
        "long",
    ]
    newest = run(passage("short", RULE, score=0.9), passage("long", longer, score=0.8, year=2026))
    assert [p.key for p in newest] == ["long"], "the newer one holds all of it"
    assert [p.key for p in run(passage("long", longer, score=0.9), passage("short", RULE, score=0.8))] == ["long"]


def test_a_newer_copy_beyond_the_limit_still_wins_but_not_over_the_budget() -> None:
    longer = f"{RULE} It is so."
    old, new = passage("old", RULE, score=0.9), passage("new", longer, score=0.8, year=2026)
    assert [p.key for p in run(old, new, limit=1)] == ["new"]
    assert [p.key for p in run(old, new, limit=1, token_budget=old.tokens)] == ["old"]


def test_contradictions_are_kept_and_name_each_other_with_the_words_that_differ() -> None:
    ranked = passage("old", RULE, score=0.9), passage("new", RULE.replace("28", "30"), score=0.8, year=2026)
    old, new = run(*ranked)
    assert [(v.key, v.differences) for v in old.variants] == [("new", (("28", "30"),))]
    assert [(v.key, v.differences) for v in new.variants] == [("old", (("30", "28"),))]
    assert old.copies == new.copies == ()


def test_a_document_may_contradict_itself_but_an_overlap_is_no_second_word() -> None:
    same = {"document": "d", "version_id": "v"}
    ranked = passage("a", RULE, score=0.9, **same), passage("b", RULE.replace("28", "30"), score=0.8, start=900, **same)
    assert [len(p.variants) for p in run(*ranked)] == [1, 1]
    overlapping = passage("a", RULE, score=0.9, **same), passage("b", f"{RULE[5:]} And.", score=0.8, start=5, **same)
    assert [(p.key, p.variants) for p in run(*overlapping)] == [("a", ()), ("b", ())]


def test_variants_of_joined_neighbours_lead_to_what_holds_them() -> None:
    same = {"document": "d", "version_id": "v"}
    first = passage("first", OTHER, score=0.9, **same)
    second = passage("second", RULE, score=0.8, start=len(OTHER), **same)
    elsewhere = passage("elsewhere", RULE.replace("28", "30"), score=0.7)
    joined, other = run(first, second, elsewhere, merge_neighbours=True)
    assert joined.text == OTHER + RULE
    assert [v.key for v in joined.variants] == ["elsewhere"]
    assert [v.key for v in other.variants] == ["first"]


def test_related_are_the_nearest_few_without_repeats() -> None:
    ranked = [passage("a", RULE, score=0.04), passage("b", RULE, score=0.03), passage("c", OTHER, score=0.02)]
    ranked += [passage(key, f"Something else number {key} that nobody wrote down twice.", score=0.01) for key in "de"]
    assert [p.key for p in related(ranked, query=Query(text="q"))] == ["a", "c", "d"]
    assert [p.key for p in related(ranked, query=Query(text="q", limit=1))] == ["a"]
    assert related([], query=Query(text="q")) == ()
    (part,) = related(ranked, query=Query(text="q", token_budget=10))
    assert part.tokens <= 10
