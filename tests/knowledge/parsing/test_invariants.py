"""What holds for every parser and every input."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from knowledge.errors import DocumentError
from knowledge.parsing import from_json, to_json
from knowledge.types import BlockKind, ParsedDocument

RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.sampled_from(
    ["# ", "## ", "- ", "1. ", "> ", "```\n", "| a | b |\n", "|---|---|\n", "---\n", "===\n", "\n", "\n\n", "    ",
     "<div>",
     "</p>", "<table><tr><td>", "word ", "Ünï ", "漢字。", '"', ",", ";", "\t", "\r\n", "[x]: /y\n", "*b* ", "&amp;",
     "\u200d",
     "\x0b", "\x0c", "\u2028"]
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


@given(source=SOURCES, extension=st.sampled_from(["txt", "md", "html", "csv"]))
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


@given(data=st.binary(max_size=300), extension=st.sampled_from(["txt", "md", "html", "csv", "pdf", "docx", "bin", ""]))
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
    hidden = {i for b in document.blocks if b.attrs.get("hidden") for i in range(b.start, b.end)}  # off the page
    for index, character in enumerate(document.text):
        assert index in hidden or bool(document.boxes.page[index]) != character.isspace()
    for page in document.pages:
        assert page.start <= page.end <= len(document.text)
