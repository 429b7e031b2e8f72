"""Characters of PDF pages: how they are told from each other, and what cannot be placed."""

from __future__ import annotations

from typing import Any

import numpy as np

from knowledge.parsing.pdf_chars import _displaced, _repeats, _whole


def test_surrogate_halves_are_joined_or_told_as_bad() -> None:
    codes, second = _whole(np.array([0x41, 0xD83D, 0xDE00, 0xD83D, 0x42, 0xDE00]))
    assert codes.tolist() == [0x41, 0x1F600, 0xDE00, 0, 0x42, 0]
    assert second.tolist() == [False, False, True, False, False, False]


def boxes(*xs: float) -> Any:
    return np.array([[x, 0.0, x + 5, 8.0] for x in xs])


def test_a_ligature_may_share_a_box_but_not_with_an_earlier_character() -> None:
    assert not _displaced(boxes(0, 10, 10, 10, 20)).any()
    assert _displaced(boxes(0, 10, 20, 0, 0, 0)).tolist() == [False, False, False, True, True, True]
    assert not _displaced(boxes(0, 10, 20)).any()


def test_only_what_was_read_before_is_left_out() -> None:
    codes = np.array([ord(c) for c in "habiXYXY"])
    assert _repeats(codes, np.array([False] * 6 + [True] * 2)).tolist() == [False] * 6 + [True] * 2
    assert not _repeats(codes, np.array([False] * 4 + [True] * 2 + [False] * 2)).any()
