from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.analysis import terms
from knowledge.retrieval import DEFAULT, retrieve
from knowledge.retrieval.spelling import Correction, Lookup, _distance, _edits, corrections, replaced, suspects
from knowledge.types import Query, Scope

VOCABULARY = {"manag": 40, "environ": 9, "heron": 5, "kubernet": 3, "vocat": 2, "organiz": 30, "photosynthesi": 4}
WHOLE = {"management", "environment", "vacation", "vocation", "organization"}


def lookup(vocabulary: Mapping[str, int] = VOCABULARY, *, pieces: bool = True) -> Lookup:
    def near(letter: str, least: int, most: int) -> dict[str, int]:
        return {t: n for t, n in vocabulary.items() if t[0] == letter and least <= len(t) <= most}

    return Lookup(
        known=lambda asked: {term: vocabulary[term] for term in asked if term in vocabulary},
        near=near,
        pieces=(lambda words: [1 if word in WHOLE else 3 for word in words]) if pieces else None,
    )


def meant(word: str, **more: Any) -> str:
    found = corrections([word], lookup=lookup(**more), languages=("en",))
    return found[0].meant if found else ""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("managment", "management"),  # the slip lies in an ending that stemming takes off
        ("mangaement", "management"),
        ("Environmet", "environment"),
        ("organzation", "organization"),
        ("photosytesis", "photosynthesi"),  # two slips in a long word: the index term
        ("vacation", ""),  # a word, only not one of these documents: not "vocation"
        ("enviroomet", ""),  # too far
        ("anagement", ""),  # the first letter is another
    ],
)
def test_word_that_was_meant(typed: str, expected: str) -> None:
    assert meant(typed) == expected


def test_without_word_pieces_the_vocabulary_alone_decides() -> None:
    assert meant("managment", pieces=False)
    assert meant("vacation", pieces=False) == "vocation", "nobody can tell that it is a word"


def test_more_frequent_word_is_taken() -> None:
    vocabulary = {"marten": 3, "martex": 8}
    assert meant("martez", vocabulary=vocabulary) == "martex"


@pytest.mark.parametrize(
    "text",
    [
        "AB-1234567",
        "kubernets1",
        "see docs.exampel.org",
        "ana@exampel.org",
        "short wrods",
        "well-knwon",
        "日本語文書検索",
        "x" * 40,
    ],
)
def test_numbers_identifiers_and_short_words_are_left_alone(text: str) -> None:
    assert suspects(text, languages=("en",)) == []


def test_words_of_the_languages_own_letters_are_looked_at() -> None:
    assert suspects("Wo ist die Gebührenordnung?", languages=("de",)) == ["Gebührenordnung"]
    assert suspects("Wo ist die Gebührenordnung?", languages=("en",)) == []


def test_typed_word_stays_beside_what_may_be_no_word() -> None:
    found = (
        Correction(typed="Enviromet", meant="environment"),
        Correction(typed="fotosyn", meant="photosynthesi", sure=False),
    )
    assert replaced("Enviromet of fotosyn?", found) == "environment of fotosyn photosynthesi?"
    assert found[0].note == "Searched for “environment” instead of “Enviromet”, which no document here has."
    assert "beside “fotosyn”" in found[1].note


@given(st.text("abcd", min_size=2, max_size=7), st.text("abcd", min_size=2, max_size=7))
def test_edits_are_what_is_one_edit_away(one: str, two: str) -> None:
    near = one[0] == two[0] and one != two and _distance(one, two, most=1) == 1
    assert (two in set(_edits(one, "abcd"))) == near or (one == two)


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_distance_is_symmetric_and_bounded(one: str, two: str) -> None:
    assert _distance(one, two, most=2) == _distance(two, one, most=2) <= 3
    assert (_distance(one, two, most=2) == 0) == (one == two)


def test_misspelt_word_finds_the_passage_and_is_named(world: Any) -> None:
    world.add("Herons", "The management of wetlands protects herons.")
    world.add("Parking", "Guests park behind the house.")
    result = retrieve(Query(text="wetland mangaement"), scope=world.scope, parts=world.parts)
    assert result.passages[0].title == "Herons"
    assert "mangaement" in " ".join(result.notes)
    off = retrieve(
        Query(text="wetland mangaement"), scope=world.scope, parts=world.parts, profile=replace(DEFAULT, spelling=False)
    )
    assert off.notes == ()
    assert off.passages[0].scores["keyword"] < result.passages[0].scores["keyword"]


def test_known_words_cost_no_look_at_the_vocabulary(world: Any) -> None:
    world.add("Herons", "The management of wetlands protects herons.")
    asked: list[Collection[str]] = []

    class Counting:
        def for_terms(self, wanted: Sequence[str], *, scope: Scope) -> Any:
            asked.append(wanted)
            return world.for_terms(wanted, scope=scope)

    def near(letter: str, least: int, most: int, scope: Scope) -> dict[str, int]:
        raise AssertionError("the vocabulary was looked at")

    parts = replace(world.parts, statistics=Counting(), near_terms=near)
    result = retrieve(Query(text="management of wetlands"), scope=world.scope, parts=parts)
    assert len(asked) == 1
    assert result.notes == ()
    assert set(asked[0]) == set(terms("management of wetlands"))
