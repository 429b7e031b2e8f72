"""What holds for every PDF: the real ones beside the checkout, and one for each thing that makes highlights go wrong."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office import Expected, judged, of_format, rows

from chatapp.operations.bench import pdfs
from chatapp.operations.bench.highlights import Original, compare, unboxed
from knowledge.errors import KnowledgeError
from knowledge.parsing import ParseLimits, from_json, to_json
from knowledge.parsing.child import parse_here
from knowledge.types import ParsedDocument

TRIALS = pdfs.trials()


def outcome(data: bytes) -> ParsedDocument | KnowledgeError:
    try:
        return parse_here(data, filename="a.pdf", limits=ParseLimits())
    except KnowledgeError as error:
        return error


@pytest.mark.parametrize("one", of_format("pdf"))
def test_what_must_come_out_of_a_real_file(one: Expected) -> None:
    assert judged(one.row, outcome(one.data)) == []


@cache
def samples() -> dict[str, tuple[bytes, ParsedDocument, list[Any]]]:
    """Every readable sample with its bytes, and the characters of its pages as PDFium places them."""
    real = {one.file.name: one.data for one in rows() if one.row["format"] == "pdf" and one.row["expect"] == "ok"}
    found = {}
    for name, data in (TRIALS | real).items():
        document = outcome(data)
        assert isinstance(document, ParsedDocument), name
        with Original(data) as original:
            found[name] = (data, document, original.glyphs)
    return found


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_under_the_boxes_of_a_range_stands_the_range(data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(samples())))
    _, document, glyphs = samples()[name]
    block = data.draw(st.sampled_from([b for b in document.blocks if not b.attrs.get("invisible")]))
    text = document.text
    start = data.draw(st.integers(block.start, block.end - 1))
    end = data.draw(st.integers(start + 1, block.end))
    while start > block.start and not text[start - 1].isspace():
        start -= 1
    while end < block.end and not text[end].isspace():
        end += 1
    compared = compare(document, start, end, glyphs)
    assert compared.wrong == ""
    assert compared.missing == ""
    assert compared.equal, (name, compared)


@pytest.mark.parametrize("name", sorted(TRIALS))
def test_a_made_up_page_is_read_whole(name: str) -> None:
    _, document, glyphs = samples()[name]
    assert unboxed(document) == 0
    assert sum(page.characters for page in document.pages) >= sum(not c.isspace() for c in document.text)
    assert sum(map(len, glyphs)) > 100


def test_every_box_lies_on_its_page_and_every_block_on_its_pages() -> None:
    for name, (_, document, _) in samples().items():
        boxes = document.boxes
        assert boxes is not None
        assert len(boxes.page) == len(document.text)
        for page in document.pages:
            here = boxes.xyxy[boxes.page == page.number]
            x0, y0, x1, y1 = page.view_box
            assert (here[:, 0] >= x0 - 0.01).all(), name
            assert (here[:, 1] >= y0 - 0.01).all(), name
            assert (here[:, 2] <= x1 + 0.01).all(), name
            assert (here[:, 3] <= y1 + 0.01).all(), name
        for block in document.blocks:
            pages = {int(p) for p in boxes.page[block.start : block.end] if p}
            assert pages <= set(range(block.page_first or 0, (block.page_last or 0) + 1)), name


def test_blocks_and_pages_cover_every_word_once() -> None:
    for name, (_, document, _) in samples().items():
        covered = "".join(document.text[b.start : b.end] for b in document.blocks)
        assert "".join(covered.split()) == "".join(document.text.split()), name
        paged = "".join(document.text[p.start : p.end] for p in document.pages)
        assert "".join(paged.split()) == "".join(document.text.split()), name
        for row in (b for b in document.blocks if "cells" in b.attrs):
            cells = [document.text[a:b] for a, b in row.attrs["cells"]]
            assert "\t".join(cells) == document.text[row.start : row.end], name
            assert len(row.attrs.get("header", cells)) == len(cells), name


def test_same_bytes_give_the_same_text_layout_and_boxes() -> None:
    for name, (data, document, _) in samples().items():
        again = outcome(data)
        assert isinstance(again, ParsedDocument)
        assert to_json(again) == to_json(document), name
        assert _hashes(again) == _hashes(document), name
        assert from_json(to_json(document), text=document.text, boxes=document.boxes).pages == document.pages


def _hashes(document: ParsedDocument) -> tuple[str, str]:
    assert document.boxes is not None
    return (
        hashlib.sha256(document.text.encode()).hexdigest(),
        hashlib.sha256(document.boxes.page.tobytes() + document.boxes.xyxy.tobytes()).hexdigest(),
    )


def test_the_values_of_a_real_form_stand_beside_their_names() -> None:
    if "repair-order.pdf" not in samples():
        pytest.skip("no office files beside the checkout")
    _, document, _ = samples()["repair-order.pdf"]
    assert "VIN\t1C4RJFBG2NC123456" in document.text
    assert "Insured name\tBruce Wayne" in document.text


def test_the_pages_of_a_book_are_numbered_and_its_numbers_are_furniture() -> None:
    document = outcome(pdfs.book(6))
    assert isinstance(document, ParsedDocument)
    assert [page.number for page in document.pages] == [1, 2, 3, 4, 5, 6]
    furniture = [document.text[b.start : b.end] for b in document.blocks if b.kind.value == "furniture"]
    assert furniture == ["1", "2", "3", "4", "5", "6"]
    assert all(2_000 < page.characters < 3_000 for page in document.pages)
