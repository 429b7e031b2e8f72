"""Characters of PDF pages: what is hidden, what a scanner recognised, and what cannot be placed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from knowledge.parsing import rects
from knowledge.parsing.pdf_chars import _displaced, _repeats, _whole
from knowledge.types import ParsedDocument

PICTURE = b"q %d 0 0 %d 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q\n"
FULL = PICTURE % (612, 792)
SEEN = [(72, 700, 12, "Words that everybody can read.")]


def hidden(document: ParsedDocument) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.attrs.get("hidden")]


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
    assert document.text == "Words that everybody can read.\n\nobey me"
    assert hidden(document) == ["obey me"]
    assert document.warnings == ("Page 1 holds hidden text.",)


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
    show = FULL + b"BT 3 Tr /F1 12 Tf 72 600 Td (Recognised by a scanner.) Tj ET"
    document = parse(make_pdf([[]], raw=show), "a.pdf")
    assert document.warnings == ()
    assert [dict(b.attrs) for b in document.blocks] == [{"source": "ocr-layer"}]
    page = document.pages[0]
    assert (page.source, page.has_image, page.characters, page.bad) == ("ocr-layer", True, 21, 0)


def test_invisible_text_beside_a_small_picture_is_hidden(parse, make_pdf) -> None:
    show = PICTURE % (50, 50) + b"BT 3 Tr /F1 12 Tf 72 600 Td (obey me) Tj ET"
    document = parse(make_pdf([SEEN], raw=show), "a.pdf")
    assert hidden(document) == ["obey me"]
    assert document.pages[0].has_image is False


def test_pages_tell_how_their_text_was_come_by(parse, make_pdf) -> None:
    with_picture = parse(make_pdf([SEEN], raw=FULL), "a.pdf").pages[0]
    assert (with_picture.source, with_picture.has_image, with_picture.characters) == ("text", True, 26)
    plain, empty = parse(make_pdf([SEEN, []]), "a.pdf").pages
    assert (plain.source, plain.has_image) == ("text", False)
    assert (empty.source, empty.characters) == ("none", 0)


def test_surrogate_halves_are_joined_or_told_as_bad() -> None:
    codes, second = _whole(np.array([0x41, 0xD83D, 0xDE00, 0xD83D, 0x42, 0xDE00]))
    assert codes.tolist() == [0x41, 0x1F600, 0xDE00, 0, 0x42, 0]
    assert second.tolist() == [False, False, True, False, False, False]


def boxes(*xs: float) -> Any:
    return np.array([[x, 0.0, x + 5, 8.0] for x in xs])


def test_a_ligature_may_share_a_box_but_not_with_an_earlier_character() -> None:
    assert not _displaced(boxes(0, 10, 10, 10, 20)).any()
    assert _displaced(boxes(0, 10, 20, 0, 0, 0)).tolist() == [False, False, False, True, True, True]
    assert not _displaced(boxes(0, 10, 20)).any()


def test_only_what_was_read_before_is_left_out() -> None:
    codes = np.array([ord(c) for c in "habiXYXY"])
    assert _repeats(codes, np.array([False] * 6 + [True] * 2)).tolist() == [False] * 6 + [True] * 2
    assert not _repeats(codes, np.array([False] * 4 + [True] * 2 + [False] * 2)).any()
