from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.markup.inline import Span
from chatapp.reader.pieces import Mark, Marker, marks_of

RANGES = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (min(pair), max(pair)))


@pytest.mark.parametrize(
    ("current", "others", "expected"),
    [
        ((3, 6), [], [(3, 6, True)]),
        ((3, 6), [(3, 6)], [(3, 6, True)]),
        ((3, 6), [(0, 10)], [(0, 3, False), (3, 6, True), (6, 10, False)]),
        ((3, 6), [(5, 8), (7, 9)], [(3, 6, True), (6, 9, False)]),
        (None, [(4, 5), (1, 2)], [(1, 2, False), (4, 5, False)]),
        (None, [], []),
    ],
)
def test_the_current_range_wins_where_ranges_share_characters(
    current: tuple[int, int] | None, others: list[tuple[int, int]], expected: list[tuple[int, int, bool]]
) -> None:
    assert list(marks_of(current, others)) == [Mark(start, end, current=lit) for start, end, lit in expected]


@given(current=st.none() | RANGES, others=st.lists(RANGES, max_size=6), cut=st.lists(st.integers(0, 30), max_size=4))
def test_cutting_loses_no_character_and_lights_exactly_the_ranges(
    current: tuple[int, int] | None, others: list[tuple[int, int]], cut: list[int]
) -> None:
    text = "abcdefghijklmnopqrstuvwxyzABCD"
    borders = [0, *sorted(set(cut)), 30]
    marker = Marker(text, marks_of(current, others), None)
    pieces = marker.cut(Span(start=low, end=high) for low, high in zip(borders, borders[1:], strict=False))
    assert "".join(piece.text for piece in pieces) == text
    lit = set(range(*(current or (0, 0))))
    faint = {at for start, end in others for at in range(start, end)} - lit
    at, anchors = 0, 0
    for piece in pieces:
        for _ in piece.text:
            assert (piece.marked, piece.faint) == (at in lit, at in faint)
            at += 1
        anchors += piece.anchor
    assert anchors == bool(lit)
