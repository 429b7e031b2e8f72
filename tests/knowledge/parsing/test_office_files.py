"""Every real office file beside the checkout: what must come out, and what holds for whatever comes out."""

from __future__ import annotations

import hashlib
import itertools
import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office import Expected, judged, of_format, rows

from knowledge.errors import KnowledgeError
from knowledge.parsing import ParseLimits, encode_boxes, rects, to_json
from knowledge.parsing.child import parse_here
from knowledge.types import BlockKind, ParsedDocument

FORMATS = sorted({one.row["format"] for one in rows()})
READABLE = [one for one in rows() if one.row["expect"] == "ok" and one.row["format"] != "doc"]
WITH_TEXT = [one for one in of_format(*FORMATS) if one.values[0] is None or one.values[0].row["expect"] != "needs_ocr"]


def outcome(one: Expected) -> ParsedDocument | KnowledgeError:
    try:
        return parse_here(one.data, filename=one.file.name, limits=ParseLimits())
    except KnowledgeError as error:
        return error


@cache
def parsed(name: str) -> ParsedDocument | KnowledgeError:
    return outcome(next(one for one in rows() if one.file.name == name))


def digest(document: ParsedDocument) -> str:
    """The hash of all that is kept of a version."""
    parts = [document.text, json.dumps(to_json(document), sort_keys=True)]
    boxes = b"" if document.boxes is None else encode_boxes(document.boxes)
    return hashlib.sha256("\0".join(parts).encode() + boxes).hexdigest()


@pytest.mark.parametrize("one", WITH_TEXT)  # scans are read in test_recognition.py
def test_what_must_come_out_of_every_file(one: Expected) -> None:
    assert judged(one.row, parsed(one.file.name)) == []


@pytest.mark.parametrize("one", of_format(*FORMATS))
def test_the_same_bytes_give_the_same_document(one: Expected) -> None:
    first, second = parsed(one.file.name), outcome(one)
    if isinstance(first, ParsedDocument):
        assert isinstance(second, ParsedDocument)
        assert digest(first) == digest(second)
    else:
        assert (type(first), first.message) == (type(second), str(second.message))  # type: ignore[union-attr]


@pytest.mark.parametrize("one", of_format(*FORMATS))
def test_blocks_pages_and_cells_are_ranges_of_the_text(one: Expected) -> None:
    document = parsed(one.file.name)
    if not isinstance(document, ParsedDocument):
        assert document.message.endswith((".", ")."))
        return
    text = document.text
    assert not set("\0\r") & set(text)
    for before, block in itertools.pairwise([None, *document.blocks]):
        assert block is not None
        assert (before.end if before else 0) <= block.start < block.end <= len(text)
        assert text[block.start : block.end].strip()
        for low, high in block.attrs.get("cells", ()):
            assert block.start <= low <= high <= block.end
        if block.page_first is not None:
            assert 1 <= block.page_first <= (block.page_last or 0) <= len(document.pages)
    for page in document.pages:
        assert 0 <= page.start <= page.end <= len(text)


@pytest.mark.skipif(not READABLE, reason="no office files beside the checkout")
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_range_is_reproduced_and_its_rectangles_lie_on_its_pages(data: st.DataObject) -> None:
    document = parsed(data.draw(st.sampled_from(READABLE)).file.name)
    assert isinstance(document, ParsedDocument)
    block = data.draw(st.sampled_from(document.blocks))
    start = data.draw(st.integers(block.start, block.end - 1))
    end = data.draw(st.integers(start + 1, block.end))
    assert len(document.text[start:end].encode("utf-8").decode("utf-8")) == end - start
    if document.boxes is None:
        return
    found = rects(document.boxes, start, end)
    if document.text[start:end].strip() and block.kind is not BlockKind.NOTE and not block.attrs.get("invisible"):
        assert found
    for number, x0, y0, x1, y1 in found:
        left, bottom, right, top = document.pages[number - 1].view_box
        assert x0 < x1 or y0 < y1
        if not block.attrs.get("invisible"):
            assert left - 5 <= x0 <= x1 <= right + 5
            assert bottom - 5 <= y0 <= y1 <= top + 5
