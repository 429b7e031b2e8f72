from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from chatapp.operations.bench.highlights import (
    Compared,
    Glyph,
    Highlights,
    Original,
    compare,
    fold,
    ranges,
    unboxed,
    under,
)
from chatapp.operations.bench.pdfs import document as pdf
from chatapp.operations.bench.pdfs import line
from knowledge.parsing import ParseLimits
from knowledge.parsing.child import parse_here
from knowledge.types import Block, BlockKind, CharBoxes, ParsedDocument


def glyphs(text: str, y: float = 0) -> list[Glyph]:
    return [Glyph(c, 10 * n + 2, y, 10.0 * n) for n, c in enumerate(text)]


def laid_out(text: str) -> ParsedDocument:
    """One line, ten points a character."""
    boxes = CharBoxes(
        page=np.array([0 if c == " " else 1 for c in text], dtype=np.uint16),
        xyxy=np.array([(10 * n, -4, 10 * n + 4, 4) for n in range(len(text))], dtype=np.float32),
    )
    block = Block(ordinal=0, kind=BlockKind.PARAGRAPH, start=0, end=len(text))
    return ParsedDocument(text=text, blocks=(block,), parser="x", parser_version="1", media_type="x/x", boxes=boxes)


def test_what_stands_under_a_range_is_its_text() -> None:
    compared = compare(laid_out("one two three"), 4, 7, [glyphs("one two three")])
    assert (compared.quote, compared.under, compared.equal, compared.wrong) == ("two", "two", True, "")


def test_a_character_of_another_line_under_the_boxes_is_wrong() -> None:
    compared = compare(laid_out("one two"), 0, 3, [[*glyphs("one two"), Glyph("X", 12, 1, 12)]])
    assert (compared.equal, compared.wrong, compared.missing) == (False, "X", "")


def test_a_box_in_the_wrong_place_is_seen() -> None:
    document = laid_out("one two")
    assert document.boxes is not None
    shifted = CharBoxes(page=document.boxes.page, xyxy=document.boxes.xyxy + np.float32(40))
    compared = compare(replace(document, boxes=shifted), 0, 3, [glyphs("one two")])
    assert not compared.equal
    assert compared.missing == "eno" or set(compared.missing) == set("one")


def test_content_order_may_differ_from_reading_order() -> None:
    compared = Compared(quote="abc", under="cab", across="abc")
    assert compared.equal
    counted = Highlights()
    counted.count("a", Compared(quote="abc", under="cab", across="bca"))
    counted.count("a", Compared(quote="abc", under="abcd", across="abcd"))
    counted.count("a", compared)
    assert (counted.ranges, counted.equal, counted.reordered, counted.wrong) == (3, 1, 1, 1)
    assert round(counted.share, 2) == 0.33
    assert "3 ranges, 33.3 %" in counted.words()
    assert len(counted.examples) == 2


def test_a_character_in_two_rectangles_counts_once() -> None:
    found = under([glyphs("ab")], [(1, 0, -1, 20, 1), (1, 0, -1, 20, 1)])
    assert ["".join(g.text for g in part) for part in found] == ["ab", ""]


def test_folding_keeps_what_people_read() -> None:
    assert fold("e\ufb03 cient\x02\n") == fold("effi\u00a0cient\xad") == "efficient-"
    assert fold("\uf0b7 x\x01") == "\u2022x"


def test_ranges_begin_and_end_with_words_and_avoid_what_no_page_shows() -> None:
    text = "seen words " * 30 + "hidden words"
    shown = Block(ordinal=0, kind=BlockKind.PARAGRAPH, start=0, end=329)
    hidden = Block(ordinal=1, kind=BlockKind.PARAGRAPH, start=330, end=len(text), attrs={"invisible": True})
    document = replace(laid_out(text), blocks=(shown, hidden))
    found = list(ranges(document, 50, random.Random(1)))
    assert len(found) == 50
    for start, end in found:
        assert start < 329
        assert start == 0 or text[start - 1] == " "
        assert end == len(text) or text[end] == " "
    assert list(ranges(document, 50, random.Random(1))) == found
    assert list(ranges(replace(document, blocks=(hidden,)), 5, random.Random(1))) == []


def test_characters_in_sight_without_a_box_are_counted() -> None:
    document = laid_out("one two")
    assert unboxed(document) == 0
    assert document.boxes is not None
    document.boxes.page[0] = 0
    assert unboxed(document) == 1
    note = replace(document.blocks[0], kind=BlockKind.NOTE)
    assert unboxed(replace(document, blocks=(note,))) == 0


def test_the_original_of_a_page_is_read_without_the_parser() -> None:
    data = pdf([line("Words of the page", 72, 700)])
    with Original(data) as original:
        assert "".join(g.text for g in original.glyphs[0]) == "Words of the page"
        document = parse_here(data, filename="a.pdf", limits=ParseLimits())
        assert compare(document, 0, 5, original.glyphs).equal
        assert not compare(document, 0, 5, [original.glyphs[0][6:]]).equal
