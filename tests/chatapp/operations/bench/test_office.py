from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatapp.operations.bench.office import at, expectations, folded, judged, unmet
from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentError, DocumentWithoutText, UnsupportedFormat
from knowledge.types import Block, BlockKind, Page, ParsedDocument

TEXT = "One\nfirst words\n\nTwo\nsecond words"


def document() -> ParsedDocument:
    blocks = (
        Block(ordinal=0, kind=BlockKind.HEADING, start=0, end=3, level=1),
        Block(ordinal=1, kind=BlockKind.PARAGRAPH, start=4, end=15, heading_path=("One",)),
        Block(ordinal=2, kind=BlockKind.HEADING, start=17, end=20, level=1),
        Block(ordinal=3, kind=BlockKind.PARAGRAPH, start=21, end=33, heading_path=("Two",)),
    )
    pages = (
        Page(number=1, start=0, end=17, width=1, height=1),
        Page(number=2, start=17, end=33, width=1, height=1),
    )
    return ParsedDocument(text=TEXT, blocks=blocks, parser="x", parser_version="1", media_type="x/x", pages=pages)


def row(**more: Any) -> dict[str, Any]:
    return {"file": "a.pdf", "expect": "ok", "snippets": [], **more}


def test_a_place_is_a_page_or_the_name_of_a_sheet() -> None:
    assert at(document(), 2) == "Two\nsecond words"
    assert at(document(), "One") == "One first words"
    assert at(document(), 3) == at(document(), "Three") == ""


@pytest.mark.parametrize(
    ("expectation", "complaint"),
    [
        ({"snippets": [{"text": "third", "place": None}]}, "missing: third"),
        ({"snippets": [{"text": "first", "place": 2}]}, "not at 2: first"),
        ({"order": [["second", "first"]]}, "not in this order: second ... first"),
        ({"absent": ["first"]}, "should not come out: first"),
        ({"once": ["words"]}, "2 times instead of once: words"),
        ({"pages": 3}, "2 pages instead of 3"),
    ],
)
def test_what_is_not_met_is_said(expectation: dict[str, Any], complaint: str) -> None:
    assert unmet(document(), row(**expectation)) == [complaint]


def test_everything_met_is_nothing_to_say() -> None:
    met = row(
        snippets=[{"text": "first\u00a0words", "place": 1}], order=[["first", "second"]], absent=["third"],
        once=["second"], pages=2,
    )  # fmt: skip
    assert unmet(document(), met) == judged(met, document()) == []


@pytest.mark.parametrize(
    ("expect", "error", "right"),
    [
        ("password", DocumentEncrypted(), True),
        ("password", DocumentDamaged(), False),
        ("needs_ocr", DocumentWithoutText(), True),
        ("needs_ocr", DocumentDamaged(), False),
        ("unreadable", DocumentError(), True),
        ("empty", DocumentWithoutText(), True),
        ("ok", UnsupportedFormat(), False),
    ],
)
def test_only_the_right_error_is_right(expect: str, error: DocumentError, right: bool) -> None:
    assert (judged(row(expect=expect), error) == []) is right


def test_an_optional_file_may_be_refused_as_unsupported_only() -> None:
    assert judged(row(optional=True), UnsupportedFormat()) == []
    assert judged(row(optional=True), DocumentDamaged()) != []


def test_a_file_that_should_not_be_readable_was_read() -> None:
    assert judged(row(expect="password"), document()) == ["read, though password was expected"]


def test_rows_without_their_file_are_left_out(tmp_path: Path) -> None:
    assert expectations(tmp_path) == ()
    (tmp_path / "there.txt").write_text("x")
    rows = [{"file": "there.txt"}, {"file": "gone.txt"}]
    (tmp_path / "expected.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [(one.file.name, one.data) for one in expectations(tmp_path)] == [("there.txt", b"x")]


def test_ligatures_and_white_space_fold() -> None:
    assert folded(" e\ufb03cient\u00a0\n x") == "efficient x"
