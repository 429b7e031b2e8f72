"""Where the words of a recognised line stand: the engine's guess of each character, set right by the ink.

The engine tells a character's place by the step of its network, which is off by up to half a character; a highlight
would begin in the word before. The white gaps between words are in the picture and are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Quad", "set_right"]

Quad = Sequence[Sequence[float]]
"""Four corners in pixels, clockwise from the top left."""

Span = tuple[float, float]
_MIN_CONTRAST = 40.0  # of 255
_INK = 0.4  # of the contrast
_SLOPE = 0.3  # of the height, from one end of the line to the other
_REACH = 2.5  # characters that the engine may be off by


def set_right(grey: npt.NDArray[Any], text: str, quads: list[Quad | None], outline: Quad) -> list[Quad | None]:
    """Return the boxes of the characters, each word set onto its ink; the engine's own where the ink does not tell.

    ``grey`` is the whole picture, ``(height, width)``; ``quads`` has one entry for each character, None for a space.
    """
    spans = [
        None if quad is None else (float(min(x for x, _ in quad)), float(max(x for x, _ in quad))) for quad in quads
    ]
    left, top, right, bottom = _bounds(outline, grey.shape)
    slope = abs(float(outline[1][1]) - float(outline[0][1]))
    if right - left < bottom - top or slope > _SLOPE * (bottom - top):
        return quads
    ink = _columns(grey[top:bottom, left:right])
    words = _words(text)
    if ink is None or not words:
        return quads
    found = _word_spans(ink, left, [(spans[first], spans[last - 1]) for first, last in words], len(text))
    if found is None:
        return quads
    result: list[Quad | None] = list(quads)
    for (first, last), span in zip(words, found, strict=True):
        for index, (low, high) in zip(range(first, last), _shares(spans[first:last], span), strict=True):
            result[index] = [(low, top), (high, top), (high, bottom), (low, bottom)]
    return result


def _bounds(outline: Quad, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    xs, ys = [float(x) for x, _ in outline], [float(y) for _, y in outline]
    return max(0, int(min(xs))), max(0, int(min(ys))), min(shape[1], int(max(xs)) + 1), min(shape[0], int(max(ys)) + 1)


def _columns(crop: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Which columns hold ink: pixels that differ from the background; None where nothing stands out."""
    if crop.size == 0:
        return None
    background = float(np.median(crop))
    difference = np.abs(crop.astype(np.float32) - background)
    contrast = float(np.percentile(difference, 98))
    if contrast < _MIN_CONTRAST:
        return None
    ink: npt.NDArray[np.bool_] = (difference > _INK * contrast).any(axis=0)
    return ink if ink.any() else None


def _words(text: str) -> list[tuple[int, int]]:
    """The ranges of the words in a text."""
    borders = [-1, *(index for index, character in enumerate(text) if character == " "), len(text)]
    return [(low + 1, high) for low, high in pairwise(borders) if high > low + 1]


def _word_spans(
    ink: npt.NDArray[np.bool_], left: int, ends: list[tuple[Span | None, Span | None]], count: int
) -> list[Span] | None:
    """The columns of each word, parted at the widest gap near where the engine saw a space; None if one is missing."""
    marked = np.flatnonzero(ink)
    first, last = int(marked[0]), int(marked[-1]) + 1
    reach = _REACH * (last - first) / max(count, 1)
    steps = np.flatnonzero(np.diff(marked) > 1)
    gaps = [(int(marked[at]) + 1, int(marked[at + 1])) for at in steps]
    borders = [first]
    for (_, before), (after, _) in pairwise(ends):
        if before is None or after is None:
            return None
        middle = (before[1] + after[0]) / 2 - left
        near = [gap for gap in gaps if abs((gap[0] + gap[1]) / 2 - middle) <= reach and gap[0] > borders[-1]]
        if not near:
            return None
        best = max(near, key=lambda gap: (gap[1] - gap[0], -abs((gap[0] + gap[1]) / 2 - middle)))
        borders += best
    borders.append(last)
    return [(left + low, left + high) for low, high in zip(borders[0::2], borders[1::2], strict=True)]


def _shares(spans: Sequence[Span | None], word: Span) -> list[Span]:
    """Share a word's columns out among its characters, as wide as the engine saw them."""
    widths = [max(1.0, span[1] - span[0]) if span else 1.0 for span in spans]
    borders = np.concatenate([[0.0], np.cumsum(widths)]) / sum(widths) * (word[1] - word[0]) + word[0]
    return [(float(low), float(high)) for low, high in pairwise(borders)]
