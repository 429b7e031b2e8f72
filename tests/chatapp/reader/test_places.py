from __future__ import annotations

import numpy as np
import pytest

from chatapp.reader.places import Places, page_word
from knowledge.parsing.formats import FORMATS, ODP, PDF, PPTX, XLSX
from knowledge.types import Block, BlockKind, CharBoxes, Page

TEXT = "First line here.\n\nSecond page words."


def page(number: int, start: int, end: int) -> Page:
    return Page(number=number, start=start, end=end, width=600, height=800)


PAGES = [page(1, 0, 18), page(2, 18, 18), page(3, 18, len(TEXT))]


def boxes_of(text: str, *, without: str = "") -> CharBoxes:
    """A box of 5 by 10 for each character but spaces and those of ``without``; page 1, then page 3."""
    numbers = np.zeros(len(text), np.uint16)
    xyxy = np.zeros((len(text), 4), np.float32)
    for at, character in enumerate(text):
        if not character.isspace() and character not in without:
            numbers[at] = 1 if at < 18 else 3
            xyxy[at] = (5 * at, 700, 5 * at + 5, 710)
    return CharBoxes(page=numbers, xyxy=xyxy)


def places(*, boxes: CharBoxes | None = None, blocks: list[Block] | None = None) -> Places:
    return Places(text=TEXT, blocks=blocks or [], pages=PAGES, boxes=boxes)


def test_words_with_boxes_have_their_page_and_rectangles() -> None:
    found = places(boxes=boxes_of(TEXT)).of((0, 10))
    assert found.exact
    assert (found.page, found.rects) == (1, ((1, 0.0, 700.0, 50.0, 710.0),))


def test_a_range_over_a_page_border_has_rectangles_on_both_pages() -> None:
    found = places(boxes=boxes_of(TEXT)).of((0, len(TEXT)))
    assert [rect[0] for rect in found.rects] == [1, 3]
    assert found.page == 1


def test_without_boxes_only_the_page_is_known() -> None:
    found = places().of((20, 30))
    assert (found.exact, found.page, found.rects) == (False, 3, ())


def test_a_range_of_generated_characters_is_lit_nowhere() -> None:
    assert not places(boxes=boxes_of(TEXT)).of((16, 18)).exact


def test_a_range_most_of_whose_letters_were_drawn_nowhere_is_not_lit() -> None:
    assert not places(boxes=boxes_of(TEXT, without="Firstlnhe")).of((0, 16)).exact
    assert places(boxes=boxes_of(TEXT, without="F")).of((0, 16)).exact


def test_a_box_without_an_extent_is_no_place() -> None:
    flat = boxes_of(TEXT)
    flat.xyxy[:, 2:] = flat.xyxy[:, :2]
    assert not places(boxes=flat).of((0, 10)).exact


def test_doubtful_text_recognition_is_not_lit() -> None:
    def block(sure: float) -> Block:
        return Block(ordinal=0, kind=BlockKind.PARAGRAPH, start=0, end=16, attrs={"source": "ocr", "confidence": sure})

    assert not places(boxes=boxes_of(TEXT), blocks=[block(0.3)]).of((0, 10)).exact
    assert places(boxes=boxes_of(TEXT), blocks=[block(0.95)]).of((0, 10)).exact
    assert places(boxes=boxes_of(TEXT), blocks=[block(0.3)]).of((20, 30)).exact


def test_boxes_of_another_length_than_the_range_are_not_trusted() -> None:
    assert not places(boxes=boxes_of(TEXT[:5])).of((0, 10)).exact


@pytest.mark.parametrize(("offset", "number"), [(0, 1), (17, 1), (18, 3), (len(TEXT), 3)])
def test_a_page_without_text_is_no_page_of_any_offset(offset: int, number: int) -> None:
    assert places().page_at(offset) == number


def test_a_format_without_pages_has_none() -> None:
    assert Places(text=TEXT, blocks=[], pages=[]).page_at(3) is None


def test_only_presentations_have_slides() -> None:
    assert [page_word(kind) for kind in (PPTX, ODP, PDF, XLSX, "")] == ["Slide", "Slide", "Page", "Page", "Page"]
    assert {known.name for known in FORMATS if page_word(known.media_type) == "Slide"} == {"PPTX", "ODP", "PPT"}
