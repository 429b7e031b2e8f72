from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.reader.pieces import Piece
from chatapp.reader.presentation import Item, ReaderPage, checked_range, present
from chatapp.reader.units import LONG_UNIT, WINDOW_UNITS
from knowledge.types import Block, BlockKind


def document(*parts: tuple[BlockKind, str], **fields: object) -> tuple[str, list[Block]]:
    """Join the parts with blank lines and describe them as blocks."""
    text, blocks = "", list[Block]()
    for kind, words in parts:
        text += "\n\n" if text else ""
        start = len(text)
        text += words
        blocks.append(Block(ordinal=len(blocks), kind=kind, start=start, end=len(text), **fields))  # type: ignore[arg-type]
    return text, blocks


def pieces_of(item: Item) -> list[Piece]:
    return [*item.pieces, *(piece for row in item.rows for cell in row for piece in cell)]


def all_pieces(page: ReaderPage) -> list[Piece]:
    return [piece for item in page.items for piece in pieces_of(item)]


def marked(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces if piece.marked]


def around(text: str, words: str) -> tuple[int, int]:
    start = text.index(words)
    return start, start + len(words)


P, H, LI, ROW, CODE = (
    BlockKind.PARAGRAPH,
    BlockKind.HEADING,
    BlockKind.LIST_ITEM,
    BlockKind.TABLE_ROW,
    BlockKind.CODE,
)


def test_range_inside_a_paragraph_is_cut_out_exactly() -> None:
    text, blocks = document((P, "Before. The rent is 1,200. After."), (P, "More."))
    page = present(text, blocks, match=around(text, "The rent is 1,200."))
    assert [piece.text for piece in page.items[0].pieces] == ["Before. ", "The rent is 1,200.", " After."]
    assert marked(all_pieces(page)) == [page.quote] == ["The rent is 1,200."]


def test_range_across_blocks_is_marked_in_each_with_one_anchor() -> None:
    text, blocks = document((H, "Rent"), (P, "First part"), (LI, "an entry"), (P, "last part"))
    start, end = text.index("part"), text.index("last") + 4
    pieces = all_pieces(present(text, blocks, match=(start, end)))
    assert marked(pieces) == ["part", "an entry", "last"]
    assert [piece.text for piece in pieces if piece.anchor] == ["part"]


def test_characters_outside_the_basic_plane_count_once() -> None:
    text, blocks = document((P, "\U0001f600\U0001f600 smile 😀 here"))
    assert marked(all_pieces(present(text, blocks, match=around(text, "smile 😀")))) == ["smile 😀"]


def test_without_a_range_nothing_is_marked() -> None:
    text, blocks = document((P, "Words."))
    page = present(text, blocks, match=None)
    assert marked(all_pieces(page)) == []
    assert page.quote == ""


@given(
    words=st.lists(st.text(alphabet="ab é😀.", min_size=1, max_size=12), min_size=1, max_size=8),
    kinds=st.lists(st.sampled_from([P, H, LI, ROW, CODE]), min_size=8, max_size=8),
    data=st.data(),
)
def test_marked_pieces_are_the_blocks_part_of_the_range(
    words: list[str], kinds: list[BlockKind], data: st.DataObject
) -> None:
    text, blocks = document(*zip(kinds, words, strict=False))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    page = present(text, blocks, match=(start, end))
    inside = [text[max(start, b.start) : min(end, b.end)] for b in blocks if max(start, b.start) < min(end, b.end)]
    pieces = all_pieces(page)
    assert marked(pieces) == inside
    assert sum(piece.anchor for piece in pieces) == (1 if inside else 0)
    assert "".join(piece.text for piece in pieces) == "".join(text[b.start : b.end] for b in blocks)


def test_pages_are_separated_where_they_begin() -> None:
    text, blocks = document((P, "one"), (P, "two"), (P, "three"))
    numbers = (3, 3, 4)
    paged = [
        Block(ordinal=b.ordinal, kind=b.kind, start=b.start, end=b.end, page_first=n, page_last=n)
        for b, n in zip(blocks, numbers, strict=True)
    ]
    kinds = [(item.kind, item.page) for item in present(text, paged, match=None).items]
    assert kinds == [("page", 3), ("paragraph", None), ("paragraph", None), ("page", 4), ("paragraph", None)]


def test_consecutive_entries_make_one_list_and_rows_one_table() -> None:
    text, blocks = document((LI, "a"), (LI, "1. b"), (P, "c"), (ROW, "d"), (ROW, "e"))
    items = present(text, blocks, match=None).items
    assert [item.kind for item in items] == ["list", "paragraph", "table"]
    assert items[0].bullets == (True, False)
    assert len(items[2].rows) == 2


def test_table_cells_keep_their_headers_and_lose_the_separators() -> None:
    text = "Item: Rent; Amount: 1,200"
    cells = [list(around(text, "Rent")), list(around(text, "1,200"))]
    block = Block(ordinal=0, kind=ROW, start=0, end=len(text), attrs={"row": 1, "cells": cells})
    page = present(text, [block], match=around(text, "Amount: 1,200"))
    row = page.items[0].rows[0]
    assert ["".join(piece.text for piece in cell) for cell in row] == ["Item: Rent", "Amount: 1,200"]
    assert marked(all_pieces(page)) == ["Amount: 1,200"]


def test_a_mark_on_the_separator_alone_still_shows() -> None:
    text = "Item: Rent; Amount: 1,200"
    cells = [list(around(text, "Rent")), list(around(text, "1,200"))]
    block = Block(ordinal=0, kind=ROW, start=0, end=len(text), attrs={"cells": cells})
    assert marked(all_pieces(present(text, [block], match=around(text, ";")))) == [";"]


def test_long_document_shows_a_window_around_the_match() -> None:
    text, blocks = document(*((P, f"Paragraph {number}.") for number in range(1500)))
    page = present(text, blocks, match=around(text, "Paragraph 1000."))
    shown = [item.pieces[0].text for item in page.items]
    assert len(shown) == WINDOW_UNITS
    assert "Paragraph 1000." in shown
    assert shown[0] != "Paragraph 0."


def test_windows_lead_through_the_whole_document_and_back() -> None:
    text, blocks = document(*((P, f"Paragraph {number}.") for number in range(1000)))
    seen: list[str] = []
    begin: int | None = 0
    pages = []
    while begin is not None:
        page = present(text, blocks, match=None, begin=begin)
        pages.append(begin)
        seen += [item.pieces[0].text for item in page.items]
        previous, begin = page.previous, page.following
    assert seen == [f"Paragraph {number}." for number in range(1000)]
    assert pages[0] == 0
    assert previous == pages[-2]


def test_a_text_without_line_ends_is_cut_into_parts() -> None:
    text = "word " * 100_000
    blocks = [Block(ordinal=0, kind=P, start=0, end=len(text))]
    page = present(text, blocks, match=(300_000, 300_004))
    assert all(len(piece.text) <= LONG_UNIT for piece in all_pieces(page))
    assert marked(all_pieces(page)) == ["word"]
    assert page.previous is not None
    assert page.following is not None


def test_a_text_without_spaces_is_cut_too() -> None:
    text = "x" * (LONG_UNIT * 3 + 5)
    blocks = [Block(ordinal=0, kind=P, start=0, end=len(text))]
    assert "".join(piece.text for piece in all_pieces(present(text, blocks, match=None))) == text


def test_outline_says_which_headings_are_on_the_page() -> None:
    parts = [(H, "Start"), *((P, f"p{number}") for number in range(1000)), (H, "End")]
    text, blocks = document(*parts)
    outline = present(text, blocks, match=None).outline
    assert [(entry.text, entry.shown) for entry in outline] == [("Start", True), ("End", False)]


def test_document_without_blocks_has_an_empty_page() -> None:
    page = present("", [], match=None)
    assert page.items == ()
    assert page.previous is None
    assert page.following is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0", "5", (0, 5)),
        ("0", "11", None),
        ("5", "5", None),
        ("-1", "5", None),
        ("a", "5", None),
        (None, "5", None),
        ("1e3", "5", None),
        ("4", "10", (4, 10)),
    ],
)
def test_only_a_range_inside_the_text_is_accepted(
    start: str | None, end: str | None, expected: tuple[int, int] | None
) -> None:
    assert checked_range(start, end, length=10) == expected


MARKDOWN = [
    (H, "## Rent ##", "Rent"),
    (H, "Rent\n====", "Rent"),
    (LI, "- an entry", "an entry"),
    (LI, "2. an entry", "2. an entry"),
    (P, "> quoted", "quoted"),
    (P, "plain # text", "plain # text"),
    (CODE, "```python\nx = 1\n```", "x = 1"),
    (CODE, "x = 1", "x = 1"),
    (H, "#", "#"),
]


@pytest.mark.parametrize(("kind", "source", "shown"), MARKDOWN)
def test_markdown_marks_are_not_shown(kind: BlockKind, source: str, shown: str) -> None:
    text, blocks = document((P, "Before."), (kind, source))
    page = present(text, blocks, match=None, markdown=True)
    assert "".join(piece.text for piece in pieces_of(page.items[-1])) == shown


def test_markdown_range_stays_exact_when_marks_are_hidden() -> None:
    text, blocks = document((H, "## The rent"), (LI, "- is 1,200 euros"))
    page = present(text, blocks, match=(0, len(text)), markdown=True)
    assert marked(all_pieces(page)) == ["The rent", "is 1,200 euros"]
    page = present(text, blocks, match=around(text, "1,200"), markdown=True)
    assert marked(all_pieces(page)) == ["1,200"]


def test_markdown_mark_on_hidden_signs_alone_shows_them() -> None:
    text, blocks = document((H, "## The rent"))
    assert marked(all_pieces(present(text, blocks, match=(0, 2), markdown=True))) == ["##"]


def test_markdown_table_shows_cells_and_no_dashes() -> None:
    text = "| Item | Amount |\n|---|---|\n| Rent \\| x | 1,200 |"
    split = text.index("\n| Rent")
    blocks = [
        Block(ordinal=0, kind=ROW, start=0, end=split),
        Block(ordinal=1, kind=ROW, start=split + 1, end=len(text)),
    ]
    page = present(text, blocks, match=around(text, "1,200"), markdown=True)
    cells = [["".join(piece.text for piece in cell) for cell in row] for row in page.items[0].rows]
    assert cells == [["Item", "Amount"], ["Rent | x", "1,200"]]
    assert marked(all_pieces(page)) == ["1,200"]


def test_markdown_table_keeps_an_empty_cell_between_bars() -> None:
    text = "| a | | c |"
    page = present(text, [Block(ordinal=0, kind=ROW, start=0, end=len(text))], match=None, markdown=True)
    cells = ["".join(piece.text for piece in cell) for cell in page.items[0].rows[0]]
    assert cells == ["a", "", "c"]


# --- inline Markdown


def test_inline_marks_are_drawn_and_not_shown() -> None:
    text, blocks = document((P, "Run **`make run`** or read [the *guide*](https://x.test/guide)."))
    pieces = present(text, blocks, match=None, markdown=True).items[0].pieces
    drawn = [(p.text, p.style.strong, p.style.emphasis, p.style.code, p.style.href) for p in pieces]
    link = "https://x.test/guide"
    assert drawn == [
        ("Run ", False, False, False, ""),
        ("make run", True, False, True, ""),
        (" or read ", False, False, False, ""),
        ("the ", False, False, False, link),
        ("guide", False, True, False, link),
        (".", False, False, False, ""),
    ]


def test_marks_of_other_formats_are_their_text() -> None:
    text, blocks = document((P, "**not** [a](https://x.test) `b`"))
    pieces = present(text, blocks, match=None).items[0].pieces
    assert [(p.text, p.style.strong) for p in pieces] == [(text, False)]


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        ("**bold words** here", ["bold words", " here"]),
        ("ld wor", ["ld wor"]),
        ("d words** he", ["d words", " he"]),
        ("bold words", ["bold words"]),
        ("see [the", ["see ", "the"]),
        ("guide](https://x.test/guide) no", ["guide", " no"]),
    ],
)
def test_range_that_begins_or_ends_inside_formatting_is_marked_exactly(quote: str, expected: list[str]) -> None:
    text, blocks = document((P, "a **bold words** here, see [the guide](https://x.test/guide) now `c`"))
    page = present(text, blocks, match=around(text, quote), markdown=True)
    assert marked(all_pieces(page)) == expected
    assert page.quote == quote
    assert sum(piece.anchor for piece in all_pieces(page)) == 1


def test_range_on_hidden_marks_alone_shows_them() -> None:
    text, blocks = document((P, "Read [the guide](https://x.test/guide) **now**."))
    pieces = all_pieces(present(text, blocks, match=around(text, "x.test"), markdown=True))
    assert marked(pieces) == ["x.test"]
    assert "".join(piece.text for piece in pieces) == text


@given(
    words=st.lists(st.text(alphabet="*_`[]()\\ab é😀", min_size=1, max_size=20), min_size=1, max_size=5),
    kinds=st.lists(st.sampled_from([P, H, LI, ROW, CODE]), min_size=5, max_size=5),
    data=st.data(),
)
def test_marked_pieces_of_markdown_are_the_shown_characters_of_the_range(
    words: list[str], kinds: list[BlockKind], data: st.DataObject
) -> None:
    text, blocks = document(*zip(kinds, words, strict=False))
    unmarked = "".join(piece.text for piece in all_pieces(present(text, blocks, match=None, markdown=True)))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    page = present(text, blocks, match=(start, end), markdown=True)
    pieces = all_pieces(page)
    assert page.quote == text[start:end]
    if "".join(piece.text for piece in pieces) == unmarked:  # no block had to show its marks
        inside = iter(text[start:end])
        assert all(character in inside for piece in pieces if piece.marked for character in piece.text)


def test_links_by_name_and_headings_in_the_outline() -> None:
    text, blocks = document((H, "## The **`serve`** command"), (P, "See [Guide]."), (P, "[guide]: https://x.test/g"))
    page = present(text, blocks, match=None, markdown=True)
    assert [entry.text for entry in page.outline] == ["The serve command"]
    assert [(p.text, p.style.href) for p in page.items[1].pieces][1] == ("Guide", "https://x.test/g")


def test_code_and_front_matter_keep_every_sign() -> None:
    text, blocks = document((BlockKind.FURNITURE, "---\ntitle: **a**\n---"), (CODE, "```\nx = **kwargs\n```"))
    shown = ["".join(p.text for p in item.pieces) for item in present(text, blocks, match=None, markdown=True).items]
    assert shown == ["---\ntitle: **a**\n---", "x = **kwargs"]


def test_a_block_of_which_nothing_would_be_left_is_shown_as_it_is() -> None:
    text, blocks = document((P, "![](picture.png)"))
    assert [p.text for p in present(text, blocks, match=None, markdown=True).items[0].pieces] == [text]


def test_table_cells_are_formatted_too() -> None:
    text = "| **Item** | `x` |"
    page = present(text, [Block(ordinal=0, kind=ROW, start=0, end=len(text))], match=(2, 10), markdown=True)
    cells = [[(p.text, p.style.strong, p.style.code, p.marked) for p in cell] for cell in page.items[0].rows[0]]
    assert cells == [[("Item", True, False, True)], [("x", False, True, False)]]
