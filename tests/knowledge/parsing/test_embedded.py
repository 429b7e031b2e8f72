from __future__ import annotations

import pytest

from knowledge.parsing.base import Enclosed, ParseContext, ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.embedded import MAX_WARNINGS, Enclosure, append, label
from knowledge.types import ParsedDocument


def finished(builder: TextBuilder) -> ParsedDocument:
    return builder.document(parser="test", parser_version="1", media_type="text/plain", title=None)


def test_a_document_keeps_its_blocks_cells_and_paths_in_another(parse, shown) -> None:
    page = (
        "<h1>One</h1><table><tr><th>A<th>B</tr><tr><td>1<td>2</tr></table><table><tr><td>3<td>4</table><h2>Two</h2><p>x"
    )
    inner = parse(page, "a.html")
    builder = TextBuilder()
    builder.add(inner.blocks[0].kind, "Above", level=1)
    append(builder, inner, below=1, attrs={"attachment": "a.html"})
    document = finished(builder)
    assert shown(document)[1:] == shown(inner)
    assert document.text == f"Above\n\n{inner.text}"
    assert [block.level for block in document.blocks if block.level] == [1, 2, 3]
    assert document.blocks[-1].heading_path == ("Above", "One", "Two")
    row = document.blocks[2]
    assert [document.text[start:end] for start, end in row.attrs["cells"]] == ["1", "2"]
    assert all(block.attrs["attachment"] == "a.html" for block in document.blocks[1:])


def test_headings_of_markdown_lose_their_marks_in_paths_only(parse) -> None:
    builder = TextBuilder()
    append(builder, parse("# *One* [x](y)\n\nwords\n\nTwo\n===\n\n## Three ##", "a.md"))
    append(builder, parse("last", "a.txt"))
    document = finished(builder)
    assert document.text == "# *One* [x](y)\n\nwords\n\nTwo\n===\n\n## Three ##\n\nlast"
    assert document.blocks[1].heading_path == ("One x",)
    assert document.blocks[-1].heading_path == ("Two", "Three")


def test_pages_and_boxes_are_dropped(parse, make_pdf) -> None:
    inner = parse(make_pdf([[(72, 700, 12, "words of a page")]]), "a.pdf")
    builder = TextBuilder()
    append(builder, inner)
    document = finished(builder)
    assert document.text == inner.text
    assert document.pages == ()
    assert document.boxes is None
    assert document.blocks[0].page_first is None


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("a.txt", "a.txt"),
        (None, "attachment 1"),
        (" \n\t", "attachment 1"),
        ("a\nb\0c", "a b c"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_label_is_one_line(name: str | None, shown_as: str) -> None:
    assert label(name, "attachment 1") == shown_as


def test_a_stated_type_helps_a_name_that_says_nothing(shown) -> None:
    builder = TextBuilder()
    enclosure = Enclosure(builder=builder, context=ParseContext(filename="a.eml"))
    enclosure.add(b"City,Price\nRome,10", name="table", media_type="text/csv")
    enclosure.add(b"City,Price\nRome,10", name="table.txt", media_type="text/csv")
    assert [kind for kind, _ in shown(finished(builder))] == ["heading", "table_row", "heading", "paragraph"]


def test_files_at_any_depth_share_one_allowance() -> None:
    used = Enclosed(files=99)
    enclosure = Enclosure(builder=TextBuilder(), context=ParseContext(filename="a", depth=2, enclosed=used))
    for _ in range(3):
        enclosure.add(b"words", name="a.txt")
    assert used.files == 100
    assert used.bytes == 5
    assert enclosure.finish() == ("2 more attachments were not read: at most 100 are read per file.",)


def test_warnings_have_an_end() -> None:
    enclosure = Enclosure(builder=TextBuilder(), context=ParseContext(filename="a", limits=ParseLimits()))
    for number in range(500):
        enclosure.not_read(f"{number}", "It is empty.")
    assert len(enclosure.finish()) == MAX_WARNINGS
    assert enclosure.warnings[0] == "The attachment 0 was not read: it is empty."


def test_too_little_memory_is_not_taken_for_a_bad_attachment() -> None:
    def exhausted(context: ParseContext) -> ParsedDocument:
        raise MemoryError

    enclosure = Enclosure(builder=TextBuilder(), context=ParseContext(filename="a"))
    with pytest.raises(MemoryError):
        enclosure.enclose("a.txt", exhausted)
