"""Text of PDF pages that is hidden, and text that a scanner recognised."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge.parsing import rects
from knowledge.parsing.pdf_layers import Surroundings, find_layers
from knowledge.parsing.pdf_styles import WHITE, Styles
from knowledge.types import ParsedDocument

PICTURE = b"q %d 0 0 %d 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q\n"
FULL = PICTURE % (612, 792)
SEEN = [(72, 700, 12, "Words that everybody can read here.")]


def hidden(document: ParsedDocument) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.attrs.get("invisible")]


@pytest.mark.parametrize(
    "show",
    [
        b"BT 3 Tr /F1 12 Tf 72 600 Td (obey me) Tj ET",
        b"1 1 1 rg BT /F1 12 Tf 72 600 Td (obey me) Tj ET",
        b"BT /F1 1 Tf 72 600 Td (obey me) Tj ET",
        b"BT /F1 12 Tf 72 -40 Td (obey me) Tj ET",
        b"BT /F1 12 Tf 900 600 Td (obey me) Tj ET",
    ],
    ids=["invisible", "white on white", "tiny", "below the page", "beside the page"],
)
def test_hidden_text_is_kept_marked_and_named(parse, make_pdf, show: bytes) -> None:
    document = parse(make_pdf([SEEN], raw=show), "a.pdf")
    assert document.text == "Words that everybody can read here.\n\nobey me"
    assert hidden(document) == ["obey me"]
    assert document.warnings == ("Page 1 holds hidden text, which is neither found nor cited.",)


@pytest.mark.parametrize(
    "under",
    [b"0 0 0.5 rg 60 590 200 30 re f\n", PICTURE % (612, 792)],
    ids=["on a dark surface", "on a picture"],
)
def test_white_text_on_something_dark_is_not_hidden(parse, make_pdf, under: bytes) -> None:
    show = under + b"1 1 1 rg BT /F1 12 Tf 72 600 Td (Column names) Tj ET"
    document = parse(make_pdf([SEEN], raw=show), "a.pdf")
    assert hidden(document) == []
    assert document.warnings == ()


def test_white_text_on_a_white_surface_is_hidden(parse, make_pdf) -> None:
    show = b"1 1 1 rg 60 590 200 30 re f\nBT /F1 12 Tf 72 600 Td (obey me) Tj ET"
    assert hidden(parse(make_pdf([SEEN], raw=show), "a.pdf")) == ["obey me"]


def test_text_outside_the_crop_box_is_hidden_and_has_no_box(parse, make_pdf) -> None:
    pages = [[*SEEN, (72, 100, 12, "Cut off at the printer.")]]
    document = parse(make_pdf(pages, page_entries=b"/CropBox[0 400 612 792]"), "a.pdf")
    assert hidden(document) == ["Cut off at the printer."]
    start = document.text.index("Cut")
    assert rects(document.boxes, start, len(document.text)) == []


def test_hidden_text_does_not_part_a_sentence_or_become_a_heading(parse, make_pdf) -> None:
    first = [(72, 160, 12, "A paragraph of its own."), (72, 100, 12, "The sentence starts on this page and it is only")]
    show = b"3 Tr BT /F1 30 Tf 72 300 Td (Obey Me) Tj ET"
    document = parse(make_pdf([first, [(72, 700, 12, "continued overleaf.")]], raw=show), "a.pdf")
    assert "it is only continued overleaf." in document.text
    assert hidden(document) == ["Obey Me", "Obey Me"]
    assert {b.kind.value for b in document.blocks} == {"paragraph"}
    assert all(not b.heading_path for b in document.blocks)


def test_a_scan_with_recognised_text_is_not_hidden_but_says_so(parse, make_pdf) -> None:
    show = FULL + b"BT 3 Tr /F1 12 Tf 72 600 Td (Recognised by a scanner in the picture.) Tj ET"
    document = parse(make_pdf([[]], raw=show), "a.pdf")
    assert document.warnings == ()
    assert [dict(b.attrs) for b in document.blocks] == [{"source": "ocr-layer"}]
    page = document.pages[0]
    assert (page.source, page.has_image, page.characters, page.bad) == ("ocr-layer", True, 33, 0)


def test_invisible_text_beside_a_small_picture_is_hidden(parse, make_pdf) -> None:
    show = PICTURE % (50, 50) + b"BT 3 Tr /F1 12 Tf 72 600 Td (obey me) Tj ET"
    document = parse(make_pdf([SEEN], raw=show), "a.pdf")
    assert hidden(document) == ["obey me"]
    assert document.pages[0].has_image is False


def test_a_picture_with_few_words_is_named(parse, make_pdf) -> None:
    document = parse(make_pdf([[(72, 40, 9, "page one")]], raw=FULL), "a.pdf")
    assert document.warnings == ("Page 1 is mostly a picture; words in it were not read.",)


def test_pages_tell_how_their_text_was_come_by(parse, make_pdf) -> None:
    with_picture = parse(make_pdf([SEEN], raw=FULL), "a.pdf").pages[0]
    assert (with_picture.source, with_picture.has_image, with_picture.characters) == ("text", True, 30)
    plain, empty = parse(make_pdf([SEEN, []]), "a.pdf").pages
    assert (plain.source, plain.has_image) == ("text", False)
    assert (empty.source, empty.characters) == ("none", 0)


def styles(count: int, ink: int = 0) -> Styles:
    whole = np.zeros(count, dtype=np.int64)
    return Styles(sizes=np.full(count, 10.0), directions=whole, bold=whole > 0, ink=whole + ink)


def test_a_character_without_a_place_is_neither_outside_nor_given_one() -> None:
    around = Surroundings(view=(100, 100, 200, 200), picture=False, surfaces=lambda: np.zeros((0, 4)))
    boxes = np.array([[0.0, 0, 0, 0], [90, 110, 112, 120], [10, 10, 20, 20]])
    layers, cut = find_layers(boxes, styles(3), around)
    assert layers.tolist() == [0, 0, 1]
    assert cut.tolist() == [[0, 0, 0, 0], [100, 110, 112, 120], [0, 0, 0, 0]]


def test_endless_surfaces_do_not_make_white_text_slow() -> None:
    many = np.tile(np.array([[0.0, 0, 1, 1]]), (30_000, 1))
    around = Surroundings(view=(0, 0, 200, 200), picture=False, surfaces=lambda: many)
    layers, _ = find_layers(np.tile(np.array([[50.0, 50, 55, 58]]), (1_000, 1)), styles(1_000, WHITE), around)
    assert not layers.any()
