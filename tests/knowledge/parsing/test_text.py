from __future__ import annotations

import pytest

from knowledge.errors import DocumentWithoutText


def test_text_stays_verbatim_and_paragraphs_are_ranges(parse, shown) -> None:
    source = "  First line\nsecond line\n\n \t\nThird.  \n"
    document = parse(source, "a.txt")
    assert document.text == source
    assert shown(document) == [("paragraph", "First line\nsecond line"), ("paragraph", "Third.")]


def test_an_upper_case_line_is_no_heading(parse) -> None:
    assert {b.kind.value for b in parse("CHAPTER ONE\n\nIt began.", "a.txt").blocks} == {"paragraph"}


@pytest.mark.parametrize("source", [" ", "\n" * 100_000, "\t \r\n", "\ufeff\n"])
def test_white_space_alone_is_a_document_without_text(parse, source: str) -> None:
    with pytest.raises(DocumentWithoutText):
        parse(source, "a.txt")


def test_one_line_of_many_megabytes_is_one_block(parse) -> None:
    document = parse("a" * 5_000_000, "a.txt")
    assert [(b.start, b.end) for b in document.blocks] == [(0, 5_000_000)]
