from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from chatapp.reader.yields import known_number, page_yields, to_look_at
from knowledge.types import Block, BlockKind, Page

WORDS = "Words of a page, as many as usual."  # 28 characters without white space


def page(number: int, **facts: Any) -> Page:
    return replace(Page(number=number, start=0, end=0, width=612, height=792, characters=1_000), **facts)


def block(number: int, start: int, end: int, **attrs: Any) -> Block:
    return Block(
        ordinal=0, kind=BlockKind.PARAGRAPH, start=start, end=end, page_first=number, page_last=number, attrs=attrs
    )


def test_the_share_is_of_what_is_usual_among_pages_with_text() -> None:
    pages = [page(1), page(2, characters=500), page(3, characters=0, source="none"), page(4), page(5, characters=3_000)]
    found = page_yields("", [], pages)
    assert [one.percent for one in found] == [100, 50, 0, 100, 300]
    assert [one.flag for one in found] == ["Text", "Text", "No text", "Text", "Text"]


def test_pages_that_carry_no_count_are_counted() -> None:
    slides = [
        Page(number=1, start=0, end=len(WORDS), width=0, height=0), Page(number=2, start=34, end=34, width=0, height=0),
    ]  # fmt: skip
    found = page_yields(WORDS, [], slides)
    assert [(one.characters, one.flag) for one in found] == [(27, "Text"), (0, "No text")]
    assert found[1].reasons == ("no text",)


def test_the_confidence_of_a_page_is_weighed_by_the_length_of_its_blocks() -> None:
    blocks = [block(2, 0, 10, confidence=0.5), block(2, 12, 42, confidence=0.9), block(1, 50, 60)]
    plain, scanned = page_yields("", blocks, [page(1), page(2, source="ocr")])
    assert (plain.confidence, plain.confidence_percent) == (None, None)
    assert scanned.confidence is not None
    assert math.isclose(scanned.confidence, 0.8)
    assert scanned.flag == "Read by OCR"
    unsure = page_yields("", [block(1, 0, 10, confidence=0.619)], [page(1, source="ocr")])[0]
    assert unsure.reasons == ("text recognition was only 61 % sure",)


def test_bad_characters_are_told_from_five_percent_on() -> None:
    few, many = page_yields("", [], [page(1, bad=50), page(2, bad=70)])
    assert (few.bad_percent, few.reasons) == (0, ())
    assert (many.bad_percent, many.reasons) == (7, ("7 % of the characters are unreadable",))


def test_pages_without_text_come_first_and_pages_as_usual_not_at_all() -> None:
    pages = [
        page(1), page(2, characters=5, has_image=True), page(3, bad=400), page(4, characters=0, has_image=True),
        page(5, source="ocr-layer"), page(6, characters=0),
    ]  # fmt: skip
    blocks = [block(1, 0, 9), block(5, 10, 19, invisible=True)]
    look = to_look_at(page_yields("", blocks, pages))
    assert [one.number for one in look] == [4, 6, 3, 2, 5]
    assert [one.reasons[0] for one in look] == [
        "no text, but a large picture",
        "no text",
        "40 % of the characters are unreadable",
        "mostly a picture, hardly any text",
        "hidden text",
    ]


def test_a_layout_that_lies_about_its_pages_costs_no_time() -> None:
    liar = Block(
        ordinal=0, kind=BlockKind.PARAGRAPH, start=0, end=5, page_first=1, page_last=10**12,
        attrs={"confidence": math.nan, "invisible": True},
    )  # fmt: skip
    began = time.monotonic()
    assert [one.reasons for one in page_yields("", [liar], [page(1), page(2)])] == [("hidden text",)] * 2
    assert time.monotonic() - began < 1


def test_only_finite_numbers_count() -> None:
    assert [known_number(value) for value in (0.5, 1, math.inf, math.nan, "0.5", None)] == [0.5, 1.0, *[None] * 4]
