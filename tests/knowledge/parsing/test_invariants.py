"""What holds for every parser and every input."""

from __future__ import annotations

import json

import made_opendocument as odf
import made_slides as slides
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sheet_files import grid, ods_of, ods_rows, xlsx_of

from knowledge.errors import DocumentError
from knowledge.parsing import from_json, to_json
from knowledge.types import BlockKind, ParsedDocument

RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.sampled_from(
    ["# ", "## ", "- ", "1. ", "> ", "```\n", "| a | b |\n", "|---|---|\n", "---\n", "===\n", "\n", "\n\n", "    ",
     "<div>",
     "</p>", "<table><tr><td>", "word ", "Ünï ", "漢字。", '"', ",", ";", "\t", "\r\n", "[x]: /y\n", "*b* ", "&amp;",
     "\u200d",
     "\x0b", "\x0c", "\u2028", "00:01.000 --> 00:02.000\n", "<v Ann>", "\U000e0041", "{", "}", "[", "]", '"a": ', "1e9", "null", "\\u0000",
     ".. note:: ", "::\n\n", "+--+--+\n", "==  ==\n", "class A:\n", "def f():\n"]
)  # fmt: skip
SOURCES = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=200)


def check_words(error: DocumentError) -> None:
    """An error tells people what is wrong, in a sentence."""
    assert error.message[0].isupper()
    assert error.message.endswith((".", ")."))


def check(document: ParsedDocument) -> None:
    """Blocks are ordered, apart from each other, within the text, and hold words."""
    end = 0
    for ordinal, block in enumerate(document.blocks):
        assert block.ordinal == ordinal
        assert end <= block.start < block.end <= len(document.text)
        end = block.end
        assert document.text[block.start : block.end].strip()
        assert (block.level is not None) == (block.kind is BlockKind.HEADING)
    assert "\0" not in document.text
    assert "\r" not in document.text
    document.text.encode("utf-8")
    again = from_json(to_json(document), text=document.text, boxes=document.boxes)
    assert again.blocks == document.blocks


@given(
    source=SOURCES,
    extension=st.sampled_from("txt md html csv eml ipynb vtt srt json jsonl rst py java toml rtf".split(" ")),
)
@example(source="- a\n  - b\n\n      c\n> - d", extension="md")
@example(source="* * *\n- - x\n", extension="md")
@RELAXED
def test_any_text_parses_to_ordered_blocks_or_is_refused_in_words(parse, source: str, extension: str) -> None:
    try:
        document = parse(source.encode("utf-8", "replace") or b" ", f"a.{extension}")
    except DocumentError as err:
        check_words(err)
        return
    check(document)
    assert parse(source.encode("utf-8", "replace"), f"a.{extension}").text == document.text


HEADER_LINES = st.sampled_from(
    ["Subject: a =?utf-8?q?=C3?=", "From: b", "Content-Type: multipart/mixed; boundary=x", "Content-Type: text/html",
     "Content-Type: multipart/alternative; boundary=y", "Content-Type: message/rfc822", "Content-Type: text/csv; name=a.csv",
     "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable", "--x", "--x--", "--y", "--y--", "",
     "", "> quoted", "R3LDvMOf", "<p>word</p>", "words=", "Content-Type: text/plain; format=flowed", " folded"]
)  # fmt: skip


@given(lines=st.lists(HEADER_LINES, max_size=30), end=st.sampled_from(["\n", "\r\n"]))
@RELAXED
def test_any_lines_of_mails_are_read_or_refused_in_words(parse, lines: list[str], end: str) -> None:
    try:
        check(parse(end.join(lines) + end, "a.eml"))
    except DocumentError as err:
        check_words(err)


@given(cells=st.lists(st.tuples(st.sampled_from(["markdown", "code", "raw", "heading"]), SOURCES, SOURCES), max_size=6))
@RELAXED
def test_any_cells_of_notebooks_are_read_or_refused_in_words(parse, cells: list[tuple[str, str, str]]) -> None:
    made = [
        {"cell_type": kind, "source": source, "outputs": [{"output_type": "stream", "text": text}]}
        for kind, source, text in cells
    ]
    try:
        check(parse(json.dumps({"cells": made}), "a.ipynb"))
    except DocumentError as err:
        check_words(err)


@given(source=SOURCES)
@RELAXED
def test_markdown_blocks_hold_every_word_of_the_source(parse, source: str) -> None:
    try:
        document = parse(source.encode("utf-8", "replace") or b" ", "a.md")
    except DocumentError:
        return
    covered = bytearray(len(document.text))
    for block in document.blocks:
        covered[block.start : block.end] = b"\1" * (block.end - block.start)
    assert not [c for c, seen in zip(document.text, covered, strict=True) if c.isalnum() and not seen]


@given(
    data=st.binary(max_size=300),
    extension=st.sampled_from(
        "txt md html csv pdf docx pptx odt odp xlsx ods xls eml msg epub ipynb json rtf srt bin".split(" ") + [""]
    ),
)
@RELAXED
def test_any_bytes_are_read_or_refused_in_words(parse, data: bytes, extension: str) -> None:
    try:
        check(parse(data, f"a.{extension}"))
    except DocumentError as err:
        check_words(err)


@given(
    pages=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 550), st.integers(0, 780), st.sampled_from([8, 10, 12, 18]),
                st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40),
            ),
            max_size=12,
        ),
        min_size=1, max_size=3,
    )
)  # fmt: skip
@RELAXED
def test_any_page_of_lines_keeps_its_characters(
    parse, make_pdf, pages: list[list[tuple[float, float, float, str]]]
) -> None:
    try:
        document = parse(make_pdf(pages), "a.pdf")
    except DocumentError:
        return
    check(document)
    assert document.boxes is not None
    assert len(document.boxes.page) == len(document.text)
    hidden = {i for b in document.blocks if b.attrs.get("invisible") for i in range(b.start, b.end)}  # off the page
    for index, character in enumerate(document.text):
        assert index in hidden or bool(document.boxes.page[index]) != character.isspace()
    for page in document.pages:
        assert page.start <= page.end <= len(document.text)


OFFICE_WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<>&\ufffe\uffff"), max_size=12
)


def _docx_part(draw_words: list[str], picks: list[int]) -> bytes:
    """A Word body of nested odd pieces; ``picks`` chooses them."""
    runs = [f"<w:r><w:t>{word}</w:t></w:r>" for word in draw_words] or ["<w:r/>"]
    forms = (
        "<w:p>{}</w:p>", "<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr>{}</w:p>", "<w:p><w:del>{}</w:del>{}</w:p>",
        "<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='3'/></w:tcPr><w:p>{}</w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>",
        "<w:sdt><w:sdtContent><w:p>{}</w:p></w:sdtContent></w:sdt>", "<w:p><w:r><w:txbxContent><w:p>{}</w:p></w:txbxContent></w:r></w:p>",
    )  # fmt: skip
    body = "".join(forms[pick % len(forms)].replace("{}", runs[pick % len(runs)]) for pick in picks)
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return slides.zipped({"word/document.xml": f"<w:document xmlns:w='{space}'><w:body>{body}</w:body></w:document>"})


def _slides(words: list[str], picks: list[int]) -> bytes:
    texts = words or [""]
    forms = (
        lambda text: slides.title(text), lambda text: slides.shape(text, at=(len(text), 1)),
        lambda text: slides.group(slides.shape(text), slides.shape(text, at=(1, 1)), at=(2, 2), inside=(0, 0, 0, 0)),
        lambda text: slides.shape(text, ph="type='ftr'"), lambda text: slides.shape(text, ph=f"idx='{len(text)}'"),
        lambda text: slides.frame(f"<a:tbl><a:tr><a:tc rowSpan='2'><a:txBody>{slides.paragraph(text)}</a:txBody></a:tc></a:tr><a:tr><a:tc vMerge='1'/></a:tr></a:tbl>"),
    )  # fmt: skip
    shapes = [forms[pick % len(forms)](texts[pick % len(texts)]) for pick in picks]
    return slides.deck(["".join(shapes[:3]), "".join(shapes[3:])])


def _opendocument(kind: str, words: list[str], picks: list[int]) -> bytes:
    texts = words or [""]
    forms = (
        lambda text: odf.p(text), lambda text: f"<text:h>{text}</text:h>", lambda text: odf.items(text, text),
        lambda text: odf.p(text + odf.annotation(text, text)), lambda text: odf.box(text),
        lambda text: odf.table(odf.cell(text, "table:number-columns-repeated='3'") + odf.covered() + odf.cell(text)),
        lambda text: odf.p(f"<text:note><text:note-body>{odf.p(text)}</text:note-body></text:note><text:s text:c='2'/>"),
    )  # fmt: skip
    pieces = [forms[pick % len(forms)](texts[pick % len(texts)]) for pick in picks]
    return odf.odt("".join(pieces)) if kind == "odt" else odf.odp(*(odf.box(piece) for piece in pieces))


@pytest.mark.parametrize("extension", ["docx", "pptx", "odt", "odp"])
@given(words=st.lists(OFFICE_WORDS, max_size=5), picks=st.lists(st.integers(0, 1000), min_size=1, max_size=8))
@RELAXED
def test_any_office_file_parses_to_ordered_blocks_or_is_refused_in_words(
    parse, extension: str, words: list[str], picks: list[int]
) -> None:
    data = {"docx": _docx_part, "pptx": _slides}.get(extension, lambda *given: _opendocument(extension, *given))(
        words, picks
    )
    try:
        document = parse(data, f"a.{extension}")
    except DocumentError as err:
        check_words(err)
        return
    check(document)
    assert parse(data, f"a.{extension}").text == document.text
    for page in document.pages:
        assert page.start <= page.end <= len(document.text)


@pytest.mark.parametrize("extension", ["pptx", "odt", "odp"])
@given(at=st.integers(0, 100_000), value=st.binary(min_size=1, max_size=4))
@RELAXED
def test_a_damaged_office_file_is_read_or_refused_in_words(parse, extension: str, at: int, value: bytes) -> None:
    whole = _slides(["a", "b"], [0, 1, 2, 5]) if extension == "pptx" else _opendocument(extension, ["a"], [0, 1, 2, 5])
    at %= len(whole)
    data = whole[:at] + value + whole[at + len(value) :]
    try:
        check(parse(data, f"a.{extension}"))
    except DocumentError as err:
        check_words(err)


VALUES = (
    st.none()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(
        lambda text: not text.startswith("<") and "_x" not in text
    )  # they mean something to the writer or the file
)


@given(table=st.lists(st.lists(VALUES, max_size=6), max_size=8), sheets=st.integers(1, 2))
@example(table=[["a", None, None, "b"], ["c", 1, None, "d", 2], [], [None, "=1+1"]], sheets=1)
@RELAXED
def test_any_sheet_keeps_every_value_in_its_cell(parse, table: list[list[int | str | None]], sheets: int) -> None:
    values = [v for row in table for v in row if v is not None]
    names = [f"S{number}" for number in range(sheets)]
    made = {"xlsx": xlsx_of(dict.fromkeys(names, grid(table))), "ods": ods_of(dict.fromkeys(names, ods_rows(table)))}
    for extension, data in made.items():
        try:
            document = parse(data, f"a.{extension}")
        except DocumentError as err:
            check_words(err)
            assert not values
            continue
        check(document)
        for value in values:
            assert document.text.count(str(value)) >= sheets
        for block in document.blocks:
            assert block.attrs["sheet"] in names
            texts = [document.text[start:end] for start, end in block.attrs.get("cells", [])]
            for text, column in zip(texts, block.attrs.get("columns", []), strict=True):
                assert text == shown_at(table, block.attrs["row"], column)


def shown_at(table: list[list[int | str | None]], row: int, column: str) -> str:
    return str(table[row - 1][ord(column) - 65])
