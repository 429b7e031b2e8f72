from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from chatapp.reader.reading import KINDS, LONGEST, SHOWN_BLOCKS, Cut, block_views, blocks_on, window_of
from knowledge.types import Block, BlockKind

TEXT = "Rent\nThe rent is due monthly."


def block(ordinal: int = 0, start: int = 0, end: int = 4, **fields: Any) -> Block:
    return Block(ordinal=ordinal, start=start, end=end, **{"kind": BlockKind.PARAGRAPH, **fields})


def row(count: int) -> list[Block]:
    return [block(at, 2 * at, 2 * at + 1) for at in range(count)]


def drawn(text: str, *blocks: Block, cuts: Sequence[Cut] = ()) -> list[Any]:
    return block_views(text, window_of(blocks, 0), cuts)


def test_every_kind_of_block_has_a_sign_of_its_own() -> None:
    assert set(KINDS) == set(BlockKind)
    assert len({sign for sign, _ in KINDS.values()}) == len({name for _, name in KINDS.values()}) == len(BlockKind)


def test_a_heading_says_its_level_and_a_block_its_path() -> None:
    first, second = drawn(
        TEXT, block(kind=BlockKind.HEADING, level=2), block(1, 5, len(TEXT), heading_path=("House", "Rent"))
    )
    assert (first.place, first.sign, first.name, first.label) == (1, "H2", "Heading 2", "1, Heading 2: Rent")
    assert (second.place, second.path, second.parts[0].text) == (2, ("House", "Rent"), "The rent is due monthly.")


def test_passages_begin_and_end_where_they_do() -> None:
    (view,) = drawn(
        "one two three", block(end=13), cuts=[Cut(1, 0, 4), Cut(2, 4, 8), Cut(3, 6, 13), Cut(4, 13, 20), Cut(9, 50, 60)]
    )
    assert [(part.kind, part.text or part.number) for part in view.parts] == [
        ("begin", 1), ("text", "one "), ("end", 1), ("begin", 2), ("text", "tw"), ("begin", 3), ("text", "o "),
        ("end", 2), ("text", "three"), ("end", 3),
    ]  # fmt: skip


def test_a_passage_that_goes_on_is_cut_nowhere_within() -> None:
    (view,) = drawn("in the middle", block(end=13), cuts=[Cut(5, 0, 100)])
    assert [part.kind for part in view.parts] == ["begin", "text"]


def test_a_very_long_block_shows_its_beginning_and_says_how_much_is_left() -> None:
    (view,) = drawn("x" * 20_000, block(end=20_000), cuts=[Cut(1, 0, 20_000)])
    assert (len(view.parts[1].text), view.more) == (LONGEST, 20_000 - LONGEST)
    assert len(view.label) < 120


@pytest.mark.parametrize(
    ("attrs", "facts"),
    [
        ({"row": 3, "cells": [[0, 2], [2, 4]], "header": ["Name", "Rent"]}, ("row: 3", "2 cells", "header: Name, Rent")),
        ({"source": "ocr", "confidence": 0.876}, ("read by OCR", "87 % sure")),
        ({"invisible": True}, ("nobody can see it on the page",)),
        ({"hidden": True, "sheet": "Rents"}, ("hidden in the file", "sheet: Rents")),
        ({"time": [61.5, 3_725]}, ("at 00:01:01 to 01:02:05",)),
        ({"time": [math.inf], "confidence": math.nan}, ("at ", "confidence: NaN")),
        ({"new_thing": {"a": 1}}, ('new thing: {"a": 1}',)),
        ({"columns": ["A"] * 200}, ("columns: " + "A, " * 37 + " …",)),
    ],
)  # fmt: skip
def test_what_the_parser_noted_is_said(attrs: dict[str, Any], facts: tuple[str, ...]) -> None:
    (view,) = drawn(TEXT, block(attrs=attrs))
    assert view.facts == facts


def test_furniture_and_hidden_text_are_marked_as_not_searched() -> None:
    views = drawn(TEXT, block(kind=BlockKind.FURNITURE), block(1, 5, 9, attrs={"invisible": True}), block(2, 10, 14))
    assert [view.searched for view in views] == [False, False, True]


def test_a_page_has_the_blocks_that_reach_into_it() -> None:
    blocks = [
        block(0, page_first=1, page_last=1), block(1, page_first=1, page_last=3), block(2, page_first=3, page_last=3),
        block(3),
    ]  # fmt: skip
    assert [one.ordinal for one in blocks_on(blocks, 2)] == [1]
    assert [one.ordinal for one in blocks_on(blocks, 3)] == [1, 2]
    assert len(blocks_on(blocks, None)) == 4


def test_windows_follow_each_other_without_a_gap() -> None:
    blocks = row(2 * SHOWN_BLOCKS + 50)
    seen: list[int] = []
    begin: int | None = 0
    while begin is not None:
        shown = window_of(blocks, begin)
        assert (shown.first, shown.total) == (len(seen) + 1, len(blocks))
        seen += [one.ordinal for one in shown.blocks]
        assert shown.last == len(seen)
        begin = shown.following
    assert seen == list(range(len(blocks)))
    assert window_of(blocks, blocks[SHOWN_BLOCKS].start).previous == 0


def test_few_long_blocks_fill_a_window_too() -> None:
    blocks = [block(at, 10_000 * at, 10_000 * at + 9_000) for at in range(100)]
    assert len(window_of(blocks, 0).blocks) == 12


@pytest.mark.parametrize("begin", [10**9, 99])
def test_an_offset_behind_the_text_shows_its_end(begin: int) -> None:
    assert [one.ordinal for one in window_of(row(3), begin).blocks] == [2]
    assert window_of([], begin).blocks == ()
