"""Copies and variants, on pairs made by changing one thing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.retrieval.copies import Likeness, compare

BASE = (
    "All members of staff are entitled to 28 days of paid leave in a calendar year. Leave that is not taken lapses on "
    "31 March 2025. Requests go to Maria Keller at least two weeks ahead, and they are answered in writing. "
    "A deposit of $40 per person is required for the trip, which weighs on nobody who is ill."
)
GERMAN = (
    "Alle Beschäftigten haben Anspruch auf 28 Tage Urlaub im Jahr. Der Antrag muss schriftlich bei Frau Keller gestellt "
    "werden, und zwar spätestens bis zum 31. März. Resturlaub verfällt nicht, wenn jemand lange krank war."
)
FRENCH = (
    "Chaque salarié a droit à vingt jours de congé par an, et la demande doit être faite par écrit auprès de la "
    "direction avant le 31 mars 2025. Les jours restants ne sont pas perdus en cas de maladie de longue durée."
)
CHINESE = (
    "所有员工每年享有二十八天带薪年假,申请必须提前两周以书面形式提交给人事部门,未休的年假不会在第二年三月底之后作废。"
)


@pytest.mark.parametrize("text", [BASE, GERMAN, FRENCH, CHINESE])
def test_the_same_words_are_a_copy_however_they_are_set(text: str) -> None:
    assert compare(text, text).likeness is Likeness.COPY
    reset = text.upper().replace(". ", ".\n\n  ").replace(",", " , ") if text.isascii() else text.replace(" ", "\n")
    assert compare(text, reset).likeness is Likeness.COPY


@pytest.mark.parametrize(
    ("text", "old", "new", "difference"),
    [
        (BASE, "28 days", "30 days", ("28", "30")),
        (BASE, "2025", "2026", ("2025", "2026")),
        (BASE, "31 March", "31 May", ("March", "May")),
        (BASE, "two weeks", "three weeks", ("two", "three")),
        (BASE, "is not taken", "is taken", ("not", "")),
        (BASE, "Maria Keller", "Maria Brandt", ("Keller", "Brandt")),
        (BASE, "$40", "€40", ("$", "€")),
        (BASE, "is required", "is refused", ("required", "refused")),
        (GERMAN, "28 Tage", "30 Tage", ("28", "30")),
        (GERMAN, "verfällt nicht", "verfällt", ("nicht", "")),
        (GERMAN, "31. März", "30. März", ("31", "30")),
        (GERMAN, "muss", "kann", ("muss", "kann")),
        (FRENCH, "vingt jours", "trente jours", ("vingt", "trente")),
        (FRENCH, "ne sont pas perdus", "sont perdus", None),
        (CHINESE, "二十八天", "二十五天", ("八", "五")),
        (CHINESE, "不会", "会", ("不", "")),
    ],
)
def test_what_people_would_not_call_the_same_is_a_variant(
    text: str, old: str, new: str, difference: tuple[str, str] | None
) -> None:
    changed = text.replace(old, new)
    assert changed != text
    found = compare(text, changed)
    assert found.likeness is Likeness.VARIANT
    assert difference is None or found.differences == (difference,)
    turned = compare(changed, text)
    assert turned.differences == tuple((theirs, mine) for mine, theirs in found.differences)


@pytest.mark.parametrize(
    ("old", "new"),
    [("All members of staff are", "All the members of staff are"), ("they are answered", "those are answered")],
)
def test_words_of_grammar_leave_a_copy_a_copy(old: str, new: str) -> None:
    assert compare(BASE, BASE.replace(old, new)).likeness is Likeness.COPY


def test_a_passage_cut_elsewhere_is_a_copy_of_the_one_that_holds_it() -> None:
    longer = f"Chapter seven speaks of leave and of 12 other matters that are settled by contract. {BASE} See page 4 for more of it."
    found = compare(BASE, longer)
    assert found.likeness is Likeness.COPY
    assert found.first_in_second == 1.0
    assert found.second_in_first < 0.9


def test_a_changed_last_word_is_seen() -> None:
    assert compare(f"{BASE} The fee is 30", f"{BASE} The fee is 40").differences == (("30", "40"),)


def test_other_records_of_one_table_are_neither() -> None:
    rows = [
        f"2004: {n}503, 2005: {n}462, 2006: {n}420, 2007: {n}758, 2008: {n}624, and later as agreed then"
        for n in (1, 7)
    ]
    assert compare(*rows).likeness is Likeness.NONE


def test_other_matters_and_short_lines_are_neither() -> None:
    assert compare(BASE, GERMAN).likeness is Likeness.NONE
    assert compare("Room 101", "Room 102").likeness is Likeness.NONE
    assert compare("", "").likeness is Likeness.COPY
    assert compare("", BASE).likeness is Likeness.NONE
    assert compare("...", "!!!").likeness is Likeness.NONE


def test_very_long_texts_are_compared_as_a_whole_only() -> None:
    long = "harbour fee " * 5_000
    assert compare(long, long.upper()).likeness is Likeness.COPY
    assert compare(long, long + "twice").likeness is Likeness.NONE


words = st.lists(st.sampled_from("the a fee is not 30 40 euros Kiel and harbour pays by ship".split()), max_size=60)


@settings(deadline=None)
@given(words, words)
def test_a_comparison_has_no_direction(one: list[str], two: list[str]) -> None:
    there, back = compare(" ".join(one), " ".join(two)), compare(" ".join(two), " ".join(one))
    assert there.likeness is back.likeness
    assert (there.first_in_second, there.second_in_first) == (back.second_in_first, back.first_in_second)
    assert there.differences == tuple((b, a) for a, b in back.differences)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abcdefgh", min_size=3, max_size=8), min_size=20, max_size=120), st.data())
def test_another_number_anywhere_is_never_a_copy(base: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(base)))
    one, two = ([*base[:place], number, *base[place:]] for number in ("1734", "1735"))
    assert compare(" ".join(one), " ".join(two)).likeness is not Likeness.COPY
