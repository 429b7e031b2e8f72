from __future__ import annotations

import numpy as np
import pytest

from knowledge.parsing.pdf_blocks import Paragraph
from knowledge.parsing.pdf_chars import LINE_END_HYPHEN, Run
from knowledge.parsing.pdf_order import Line, make_line
from knowledge.parsing.pdf_writer import PdfWriter, drops_hyphen
from knowledge.types import BlockKind


def line(text: str, y: float = 0.0) -> Line:
    places = [(0, 0, 0, 0) if c == " " else (5.0 * n, y, 5.0 * n + 4, y + 8) for n, c in enumerate(text)]
    boxes = np.array(places, dtype=np.float32)
    run = Run(direction=0, size=10.0, text=text, boxes=boxes, x0=0.0, x1=5.0 * len(text), base=y)
    return make_line([run])


def written(*texts: str) -> PdfWriter:
    writer = PdfWriter()
    writer.write(Paragraph(BlockKind.PARAGRAPH, [line(text, -12.0 * n) for n, text in enumerate(texts)]), 1)
    return writer


def test_a_word_parted_at_the_line_end_is_joined() -> None:
    writer = written(f"we com{LINE_END_HYPHEN}", "pile it")
    assert writer.text() == "we compile it"
    boxes = writer.boxes()
    assert len(boxes.page) == len("we compile it")
    assert boxes.page.tolist().count(0) == 2
    assert boxes.xyxy[writer.text().index("p")].tolist() == [0.0, -12.0, 4.0, -4.0]


@pytest.mark.parametrize(
    ("above", "below", "drops"),
    [
        ("com-", "pile", True),
        ("state-of-the-", "art", False),
        ("New-", "York", False),
        ("COVID-", "19", False),
        ("2-", "way", False),
    ],
)
def test_a_hyphen_that_belongs_to_the_word_stays(above: str, below: str, drops: bool) -> None:
    assert drops_hyphen(above, below) is drops


def test_a_hyphen_within_a_line_is_shown() -> None:
    assert written(f"a{LINE_END_HYPHEN}b c").text() == "a-b c"


def test_an_ordinary_hyphen_at_the_line_end_takes_no_space() -> None:
    assert written("the well-", "known case").text() == "the well-known case"
    assert written("a dash -", "then more").text() == "a dash - then more"


def test_a_parted_word_is_joined_over_a_page_border() -> None:
    writer = written(f"The result is com{LINE_END_HYPHEN}")
    rest = Paragraph(BlockKind.PARAGRAPH, [line("piled later.")])
    assert writer.continues(rest)
    start = writer.extend(rest, 2)
    assert writer.text() == "The result is compiled later."
    assert writer.text()[start:] == "piled later."
    block = writer.blocks()[0]
    assert (block.page_first, block.page_last, block.end) == (1, 2, len(writer.text()))


@pytest.mark.parametrize(
    ("last", "first", "goes_on"),
    [
        ("no end", "lower case", True),
        ("An end.", "lower", False),
        ("no end", "Upper case", False),
        ("a list,", "Upper", True),
    ],
)
def test_what_counts_as_going_on(last: str, first: str, goes_on: bool) -> None:
    assert written(last).continues(Paragraph(BlockKind.PARAGRAPH, [line(first)])) is goes_on


def test_a_heading_does_not_go_on() -> None:
    writer = PdfWriter()
    writer.write(Paragraph(BlockKind.HEADING, [line("Heading")]), 1)
    assert not writer.continues(Paragraph(BlockKind.PARAGRAPH, [line("lower")]))
    assert writer.ends_with_heading
