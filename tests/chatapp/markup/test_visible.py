from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.markup.visible import cut, dotted, visible


def shown(text: str) -> str:
    return cut(text, visible(text), 0, len(text))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("The **late** fee is _small_.", "The late fee is small."),
        ("# Fees #\n\nPay `now`, see [the rules](https://a.test/x).", "Fees\n\nPay now, see the rules."),
        ("## Fees\nText goes\non **and\non**.", "Fees\nText goes\non and\non."),
        ("- One **a**\n- Two\n\n1. Three", "- One a\n- Two\n\n1. Three"),
        ("Fees\n====\nText", "Fees\nText"),
        ("| **Item** | A |\n|---|---:|\n| Rent `x` | a \\| b |", "| Item | A |\n|---|---:|\n| Rent x | a \\| b |"),
        ("Run:\n```sh\necho **a** # b\n```\n**Done**", "Run:\necho **a** # b\nDone"),
        ("~~~\n**a**", "**a**"),
        ("snake_case_name, 2 * 3 * 4, #1 and C#", "snake_case_name, 2 * 3 * 4, #1 and C#"),
        ("![Plan](plan.png) of <https://a.test/>", "Plan of https://a.test/"),
        ("Cut **in the middle", "Cut **in the middle"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_marks_are_left_out_and_words_stay(source: str, expected: str) -> None:
    assert shown(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("| **Item** | A |\n|---|---:|\n| Rent | a \\| b |\nEnd", "Item · A\nRent · a | b\nEnd"),
        ("  | a || b |  ", "a ·· b"),
        ("||", ""),
        ("a | b", "a | b"),
        ("```\n| a | b |\n```", "| a · b |"),
    ],
)
def test_rows_may_be_shown_without_their_bars(source: str, expected: str) -> None:
    assert len(dotted(source)) == len(source)
    assert cut(dotted(source), visible(source, bars=False), 0, len(source)).rstrip("\n") == expected


def test_a_range_is_shown_to_the_character() -> None:
    text = "## The **late** fee [is](https://a.test/) small"
    start, end = text.index("late"), text.index(" small")
    assert cut(text, visible(text), start, end) == "late fee is"


@given(st.text(alphabet="ab *_`#|[]()\\-\n~=!<>1.", max_size=120))
def test_ranges_are_in_order_and_hold_every_letter_outside_links(text: str) -> None:
    ranges = visible(text)
    assert all(start < end <= len(text) for start, end in ranges)
    assert all(one[1] < two[0] for one, two in zip(ranges, ranges[1:], strict=False))
    if not set("[]()<>`~") & set(text):
        assert [c for c in shown(text) if c.isalnum()] == [c for c in text if c.isalnum()]


def test_long_texts_take_no_long_time() -> None:
    began = time.perf_counter()
    for piece in ("**a", "[a](", "`a ", "| a ", "# a\n", "\\|", "```\n"):
        visible(piece * 2_000)
    assert time.perf_counter() - began < 5
