from __future__ import annotations

from typing import Any

import pytest

from chatapp.answering.verification import Claim, Verifier
from chatapp.answering.verification.changes import changes
from chatapp.answering.verification.reading import Reader

SOURCE = (
    "The town library was opened in 1957 by the mayor. The market hall burned down in 1823 and was built again in 1826. "
    "Some 40 traders rent a stall there today."
)


def elsewhere(number: str) -> list[str]:
    return [f"number {number} stands elsewhere in the source, not with these words"]


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("The town library was opened in 1823 by the mayor.", elsewhere("1823")),
        ("The town library was opened by the mayor in 40.", elsewhere("40")),
        ("The town library was opened in 1957 by the mayor.", []),
        (
            "The market hall burned down in 1826 and was built again in 1823.",
            ["number 1826 where the source has 1823", "number 1823 where the source has 1826"],
        ),
        ("Built again in 1826, the market hall burned down in 1823.", []),  # the other way round, with its own words
        ("The market hall was built again in 1823.", ["number 1823 where the source has 1826"]),
        ("Today 40 traders rent stalls in the market hall, which was built again in 1826.", []),  # of two sentences
        ("In 1957 a library came.", []),  # hardly any of its words: where it is from cannot be told
        ("The town library was opened by the mayor.", []),
        ("40.", []),
        ("", []),
    ],
)
def test_a_number_must_stand_with_the_words_it_is_said_with(statement: str, changed: list[str]) -> None:
    assert changes(statement, [SOURCE]) == changed


def test_a_year_that_stands_one_sentence_earlier_is_no_error() -> None:
    source = "It happened in 1911. The old bridge over the river was closed and sold to a circus."
    assert changes("The bridge over the river was closed and sold in 1911.", [source]) == []
    assert changes("The old bridge was sold.", [source], question="What happened in 1911?") == []


def test_numbers_of_the_question_and_of_another_source_count() -> None:
    statement = "The town library was opened in 1901 by the mayor."
    assert changes(statement, [SOURCE, "Since 1901 there is a pier."]) == elsewhere("1901")
    assert changes(statement, [SOURCE, "The town library was opened in 1901 by the mayor, some say."]) == []
    assert changes(statement, [SOURCE], question="Was it 1901?") == []
    swapped = "The market hall burned down in 1826 and was built again in 1826."
    assert changes(swapped, [SOURCE], question="What happened in 1826?") == []


@pytest.mark.parametrize(
    ("source", "statement", "changed"),
    [
        # Numbers of one list or range: in any order, or some of them; but not another way round when all are there.
        ("Fairs were held in 1910, 1912 and 1914 beside the old mill.", "Fairs were held in 1912 beside the old mill.", 0),
        ("Fairs were held in 1910, 1912 and 1914 beside the old mill.", "Fairs were held in 1914 and 1910 beside the old mill.", 0),
        ("Rooms cost 30 to 50 euros a night in spring.", "Rooms cost 50 to 30 euros a night in spring.", 2),
        # Numbers as words, scales, and the same value written another way.
        ("Three boats and twelve carts were lost at the weir.", "Twelve boats and three carts were lost at the weir.", 2),
        ("Three boats and 12 carts were lost at the weir.", "3 boats and twelve carts were lost at the weir.", 0),
        ("The weir cost 1.5 million and the lock 2,700 crowns.", "The weir cost 2,700 and the lock 1.5 million crowns.", 2),
        ("The weir cost 2,700 crowns in the dry year.", "The weir cost 2700 crowns in the dry year.", 0),
        # A clause of a longer sentence.
        (
            "The weir, which was planned for 1950 but delayed by floods, was opened in 1962 by Anna Berg, then mayor.",
            "The weir was opened in 1962 by Anna Berg.", 0,
        ),
        # Names in the place of others, and forms of one name.
        ("In 1902 the bridge was painted by Clara Weiss for the town.", "In 1902 the bridge was painted by Clara Stein for the town.", 1),
        ("The fair opens in March beside the old mill.", "The fair opens in July beside the old mill.", 1),
        ("The fair of the German towns opens beside the mill.", "The fair of the Germany towns opens beside the mill.", 0),
        ("The fair of the Council opens beside the old mill.", "The fair of the council opens beside the old mill.", 0),
        # A "not" on one side, however it is written.
        ("The hall is open on the first day of the fair.", "The hall is not open on the first day of the fair.", 1),
        ("The hall was not opened until the last day of the fair.", "The hall was opened until the last day of the fair.", 1),
        ("The hall isn’t open on the first day of the fair.", "The hall is not open on the first day of the fair.", 0),
        ("The hall cannot be opened on the first day of the fair.", "The hall can't be opened on the first day of the fair.", 0),
        # German: nouns are no names, months and codes are found all the same.
        ("Das Haus am Markt wurde im Jahr 1957 von der Stadt gekauft.", "Das Gebäude am Markt wurde im Jahr 1957 von der Stadt gekauft.", 0),
        ("Die Halle ist am ersten Tag der Messe geöffnet.", "Die Halle ist am ersten Tag der Messe nicht geöffnet.", 1),
        ("Im Jahr 1957 wurden 42 Boote am Wehr gezählt.", "Im Jahr 42 wurden 1957 Boote am Wehr gezählt.", 2),
    ],
)  # fmt: skip
def test_what_stands_in_the_same_place_is_compared(source: str, statement: str, changed: int) -> None:
    assert len(changes(statement, [source])) == changed
    assert changes(source, [source]) == []


@pytest.mark.parametrize(
    ("source", "statement", "changed"),
    [
        ("Guests may bring umbrellas.", "Guests may bring dogs.", ["“dogs” where the source has “umbrellas”"]),
        ("Visitors may bring umbrellas into the hall.", "Visitors can bring umbrellas into the hall.", []),
        ("Visitors are allowed to park in the yard.", "Visitors are permitted to park in the yard.", []),
        # A word that the source has elsewhere, or the question, and a statement with more words of its own.
        ("Guests may bring umbrellas. Dogs stay outside.", "Guests may bring dogs.", []),
        ("Guests of the inn may bring umbrellas at noon.", "Guests of the inn bring along dogs at dawn.", []),
        ("The fair opens at the old mill.", "The fair opened at the old mill.", []),  # a form of the word
    ],
)
def test_another_word_between_the_same_ones_is_told_unless_it_may_mean_the_same(
    source: str, statement: str, changed: list[str], table: Any
) -> None:
    assert changes(statement, [source], alike=Reader(table).alike) == changed
    assert changes(statement, [source]) == []
    assert changes(statement, [source], question="May I bring dogs?", alike=Reader(table).alike) == []


def test_one_sentence_that_says_just_that_is_enough() -> None:
    source = "In 2010 the mill ground 5 tons of rye. In 2011 the mill ground 7 tons of rye."
    assert changes("In 2011 the mill ground 7 tons of rye.", [source]) == []
    assert changes("In 2011 the mill ground 5 tons of rye.", [source]) != []


def test_the_reason_says_where_the_number_is() -> None:
    [judged] = Verifier().judge(
        [Claim(statement="The town library was opened in 1823 by the mayor.", sources=(SOURCE,))]
    )
    assert judged.verdict == "unsupported"
    assert judged.reasons == ("number 1823 stands elsewhere in the source, not with these words",)
