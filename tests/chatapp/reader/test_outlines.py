from __future__ import annotations

import numpy as np

from chatapp.reader.outlines import MOST_RECTS, PageBoxes, outline, page_boxes
from knowledge.types import Block, BlockKind, CharBoxes

LINE = 10


def lines(*rows: tuple[int, float, float, int]) -> CharBoxes:
    """Characters of 5 by 8 points: ``(page, x, y, count)`` is one line of them; then one character without a box."""
    pages, boxes = [], []
    for page, x, y, count in rows:
        for at in range(count):
            pages.append(page)
            boxes.append((x + 5 * at, y, x + 5 * at + 5, y + 8))
        pages.append(0)
        boxes.append((0, 0, 0, 0))
    return CharBoxes(page=np.array(pages, np.uint16), xyxy=np.array(boxes, np.float32))


def block(start: int, end: int, pages: tuple[int, int] = (1, 1)) -> Block:
    return Block(ordinal=0, kind=BlockKind.PARAGRAPH, start=start, end=end, page_first=pages[0], page_last=pages[1])


def whole(boxes: CharBoxes, number: int = 1) -> PageBoxes:
    return page_boxes(boxes, [block(0, len(boxes.page))], number)


def test_the_lines_of_a_paragraph_have_one_outline() -> None:
    boxes = lines((1, 50, 700, 20), (1, 50, 690, 20), (1, 50, 680, 7))
    assert outline(whole(boxes), 0, len(boxes.page)) == [(1, 50, 680, 150, 708)]


def test_a_paragraph_in_two_columns_has_an_outline_in_each() -> None:
    # Its own lines end the left column and begin the right one; others stand above and below them.
    boxes = lines(
        (1, 50, 700, 20), (1, 50, 110, 20), (1, 50, 100, 20), (1, 300, 700, 20), (1, 300, 690, 20), (1, 300, 600, 20)
    )
    start, end = 21, 21 * 5
    assert outline(whole(boxes), start, end) == [(1, 50, 100, 150, 118), (1, 300, 690, 400, 708)]


def test_an_outline_never_holds_a_character_of_another_block() -> None:
    rng = np.random.default_rng(7)
    boxes = lines(*[(1, float(x), float(y), 6) for x, y in rng.integers(0, 600, (60, 2))])
    page = whole(boxes)
    for start in range(0, len(boxes.page), 7 * 4):
        end = min(start + 7 * 4, len(boxes.page))
        mine = np.zeros(len(boxes.page), bool)
        mine[start:end] = True
        others = boxes.xyxy[~mine & (boxes.page == 1)]
        middles = (others[:, :2] + others[:, 2:]) / 2
        own = {tuple(box) for box in boxes.xyxy[start:end].tolist()}
        for rect in outline(page, start, end):
            _, x0, y0, x1, y1 = rect
            inside = ((middles >= (x0, y0)) & (middles <= (x1, y1))).all(axis=1)
            # Characters set over each other cannot be parted: such a rectangle is a single character's box.
            assert not inside.any() or tuple(rect[1:]) in own


def test_only_what_stands_on_the_page_is_outlined() -> None:
    boxes = lines((1, 50, 60, 20), (2, 50, 700, 20))
    assert outline(whole(boxes, 2), 0, len(boxes.page)) == [(2, 50, 700, 150, 708)]
    assert outline(whole(boxes, 3), 0, len(boxes.page)) == []


def test_offsets_count_from_the_beginning_of_the_text() -> None:
    boxes = lines((1, 50, 700, 20), (2, 50, 700, 20), (2, 50, 600, 10))
    page = page_boxes(boxes, [block(21, 41, (2, 2)), block(42, 52, (2, 2))], 2)
    assert (page.start, len(page.boxes.page)) == (21, 31)
    assert outline(page, 42, 52) == [(2, 50, 600, 100, 608)]


def test_scattered_words_have_no_endless_outline() -> None:
    count = MOST_RECTS + 20
    words = [(1, 300.0 * (at % 2), 20.0 * at, 2) for at in range(count)]
    between = [(1, 150.0, 20.0 * at + 10, 1) for at in range(count)]
    assert len(outline(whole(lines(*words, *between)), 0, 3 * count)) == MOST_RECTS


def test_words_without_boxes_have_no_outline() -> None:
    boxes = lines((0, 0, 0, 10), (1, 50, 700, 20))
    assert outline(whole(boxes), 0, 11) == []
