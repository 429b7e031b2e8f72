from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowledge.parsing.reading_order import EMU_PER_INCH, Position, in_reading_order

PLACES = st.none() | st.tuples(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))


def inches(x: float, y: float) -> Position:
    return x * EMU_PER_INCH, y * EMU_PER_INCH


def test_lines_from_top_to_bottom_and_from_left_to_right() -> None:
    placed = [(inches(5, 1.1), "right"), (inches(1, 4), "below"), (inches(1, 1.12), "left"), (inches(3, 1), "middle")]
    assert in_reading_order(placed) == ["left", "middle", "right", "below"]


def test_what_has_no_place_stays_behind_the_one_before_it() -> None:
    assert in_reading_order([(None, "a"), (inches(1, 9), "d"), (None, "e"), (inches(1, 1), "b"), (None, "c")]) == list(
        "abcde"
    )


def test_a_slope_is_not_one_line() -> None:
    """Every step is small, but the last is far below the first."""
    steps = [(inches(9 - at, at / 10), str(at)) for at in range(8)]
    assert in_reading_order(steps)[-1] in ("6", "7")
    assert in_reading_order(steps)[:2] == ["1", "0"]


@given(places=st.lists(PLACES, max_size=30))
def test_nothing_is_lost(places: list[Position | None]) -> None:
    assert sorted(in_reading_order([(place, at) for at, place in enumerate(places)])) == list(range(len(places)))
