from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.parsing import decode_boxes, encode_boxes, rects
from knowledge.types import CharBoxes, ParsedDocument

WORDS = st.lists(
    st.sampled_from("alpha beta, gamma; delta 42 (epsilon) zeta. Quay jumpy".split()), min_size=3, max_size=12
)


def bounded_text(data: bytes, boxes: list[tuple[int, float, float, float, float]]) -> str:
    """What PDFium itself finds under rectangles."""
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(data)
    try:
        parts = []
        for page, x0, y0, x1, y1 in boxes:
            textpage = document[page - 1].get_textpage()
            parts.append(textpage.get_text_bounded(x0 - 0.05, y0 - 0.05, x1 + 0.05, y1 + 0.05))
            textpage.close()
        return "".join(parts)
    finally:
        document.close()


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(texts=st.lists(WORDS, min_size=1, max_size=6), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_under_the_rectangles_is_the_text_of_the_range(parse, make_pdf, texts: list[list[str]], data: Any) -> None:
    lines = [(72, 700 - 18 * n, 11, " ".join(words)) for n, words in enumerate(texts)]
    pdf = make_pdf([lines])
    document: ParsedDocument = parse(pdf, "a.pdf")
    start = data.draw(st.integers(0, len(document.text) - 1))
    end = data.draw(st.integers(start + 1, len(document.text)))
    assert document.boxes is not None
    found = rects(document.boxes, start, end)
    assert squeezed(bounded_text(pdf, found)) == squeezed(document.text[start:end])
    assert len(found) <= len(lines)


def test_a_range_over_two_pages_has_rectangles_on_both(parse, make_pdf) -> None:
    document = parse(
        make_pdf([[(72, 100, 11, "it begins on one page and")], [(72, 700, 11, "goes on overleaf.")]]), "a.pdf"
    )
    assert [r[0] for r in rects(document.boxes, 0, len(document.text))] == [1, 2]


def test_upright_text_makes_one_rectangle_per_line(parse, make_pdf) -> None:
    shows = (
        b"BT /F1 12 Tf 0 1 -1 0 300 200 Tm (upright words) Tj ET\nBT /F1 12 Tf 0 1 -1 0 316 200 Tm (and more) Tj ET\n"
    )
    document = parse(make_pdf([[]], raw=shows), "a.pdf")
    found = rects(document.boxes, 0, len(document.text))
    assert len(found) == 2
    assert all(y1 - y0 > x1 - x0 for _, x0, y0, x1, y1 in found)


def boxes_of(*rows: tuple[int, float, float, float, float]) -> CharBoxes:
    return CharBoxes(
        page=np.array([r[0] for r in rows], dtype=np.uint16), xyxy=np.array([r[1:] for r in rows], dtype=np.float32)
    )


def test_a_comma_after_a_quotation_mark_stays_on_the_line() -> None:
    assert len(rects(boxes_of((1, 0, 0, 5, 8), (1, 5, 6, 7, 8), (1, 8, -2, 9, 1)), 0, 3)) == 1


def test_characters_without_a_box_are_passed_over() -> None:
    assert rects(boxes_of((0, 0, 0, 0, 0), (1, 0, 0, 5, 8), (0, 0, 0, 0, 0)), 0, 3) == [(1, 0.0, 0.0, 5.0, 8.0)]
    assert rects(boxes_of((0, 0, 0, 0, 0)), 0, 1) == []


def test_a_wide_gap_starts_another_rectangle() -> None:
    assert len(rects(boxes_of((1, 0, 0, 5, 8), (1, 300, 0, 305, 8)), 0, 2)) == 2


def test_packing_and_unpacking_keeps_the_boxes() -> None:
    boxes = boxes_of((1, 0.5, 1, 2, 3), (0, 0, 0, 0, 0))
    again = decode_boxes(encode_boxes(boxes))
    assert again.page.tolist() == [1, 0]
    assert (again.xyxy == boxes.xyxy).all()


def test_other_bytes_are_not_unpacked() -> None:
    import io

    pickled = io.BytesIO()
    np.savez_compressed(pickled, page=np.array([object()], dtype=object), xyxy=np.zeros((1, 4), np.float32))
    wrong = io.BytesIO()
    np.savez_compressed(wrong, page=np.zeros(2, np.uint16), xyxy=np.zeros((3, 4), np.float32))
    for data in (b"", b"junk", pickled.getvalue(), wrong.getvalue()):
        with pytest.raises(ValueError):
            decode_boxes(data)


def test_a_rectangle_is_cut_around_a_character_that_is_not_in_the_range() -> None:
    rows = [(1, 0, 0, 5, 8), (1, 5, 0, 10, 14), (1, 20, 0, 25, 8), (1, 12, 4, 14, 7)]  # a raised number after the line
    assert rects(boxes_of(*rows), 0, 3) == [(1, 0.0, 0.0, 10.0, 14.0), (1, 20.0, 0.0, 25.0, 8.0)]
    assert rects(boxes_of(*rows), 0, 4) == [(1, 0.0, 0.0, 25.0, 14.0)]


def test_characters_of_other_pages_do_not_cut_a_rectangle() -> None:
    rows = [(1, 0, 0, 5, 8), (1, 20, 0, 25, 8), (2, 12, 4, 14, 7)]
    assert rects(boxes_of(*rows), 0, 2) == [(1, 0.0, 0.0, 25.0, 8.0)]
