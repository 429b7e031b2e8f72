from __future__ import annotations

from knowledge.parsing.builder import TextBuilder
from knowledge.types import BlockKind, ParsedDocument


def built(builder: TextBuilder) -> ParsedDocument:
    return builder.document(parser="x", parser_version="1", media_type="text/plain", title=None)


def test_pages_hold_their_blocks_and_an_empty_one_keeps_its_number() -> None:
    builder = TextBuilder()
    for words in (["one", "uno"], [], ["three"], []):
        builder.begin_page()
        for word in words:
            builder.add(BlockKind.PARAGRAPH, word)
    document = built(builder)
    assert [(b.page_first, b.page_last) for b in document.blocks] == [(1, 1), (1, 1), (3, 3)]
    assert [document.text[p.start : p.end].split() for p in document.pages] == [["one", "uno"], [], ["three"], []]
    assert [p.number for p in document.pages] == [1, 2, 3, 4]


def test_without_a_page_there_are_none() -> None:
    builder = TextBuilder()
    builder.add(BlockKind.PARAGRAPH, "one")
    assert built(builder).pages == ()
    assert built(builder).blocks[0].page_first is None


def test_rows_of_two_pages_are_not_one_table() -> None:
    builder = TextBuilder()
    for _ in range(2):
        builder.begin_page()
        builder.add(BlockKind.TABLE_ROW, "a: 1", attrs={"row": 1}, cells=[(3, 4)])
    assert built(builder).text == "a: 1\n\na: 1"
