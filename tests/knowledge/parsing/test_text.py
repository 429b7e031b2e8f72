from __future__ import annotations

import office
import pytest

from knowledge.errors import DocumentEmpty, DocumentWithoutText


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


@pytest.mark.parametrize("expected", office.of_format("txt", "md", "csv"))
def test_real_text_files(parse, expected) -> None:
    if expected.row["expect"] == "empty":
        with pytest.raises(DocumentEmpty):
            parse(expected.data, expected.file.name)
        return
    assert office.unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_the_largest_line_and_stacks_of_marks_are_read_within_the_limits(child) -> None:
    line = b"a" * (50 * 1024 * 1024)
    assert len(child.parse(line, filename="oneline.txt").text) == len(line)
    zalgo = ("a" + "\u0301" * 5000) * 50
    assert child.parse(zalgo.encode(), filename="zalgo.txt").text == zalgo
