"""Which text of a PDF page people see, which is hidden from them, and which was recognised in a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from knowledge.parsing.pdf_native import Floats, Integers
from knowledge.parsing.pdf_styles import INVISIBLE, WHITE, Styles

_MOST_PAIRS = 20_000_000  # of white characters and coloured surfaces
_TINY = 2.0  # points; nobody reads smaller text

Box = tuple[float, float, float, float]
Mask = npt.NDArray[np.bool_]


class Layer(StrEnum):
    """Where a run stands: in plain sight, hidden from people, or invisible over the picture it was read from."""

    TEXT = "text"
    HIDDEN = "hidden"
    OCR = "ocr-layer"
    RECOGNISED = "ocr"  # by us


LAYERS = (Layer.TEXT, Layer.HIDDEN, Layer.OCR)


@dataclass(slots=True)
class Surroundings:
    """What tells hidden text from text in sight: the page's view box, its pictures, its coloured surfaces."""

    view: Box
    picture: bool  # a picture covers at least half of the page
    surfaces: Callable[[], Floats]  # asked for only where text is white


def find_layers(boxes: Floats, styles: Styles, around: Surroundings) -> tuple[Integers, Floats]:
    """The layer of each character as an index of ``LAYERS``, and the boxes cut to what the page shows."""
    x0, y0, x1, y1 = around.view
    middle = np.stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]], axis=1) / 2
    hidden = styles.ink != 0
    white = np.flatnonzero(styles.ink == WHITE)
    if len(white):
        hidden[white] = ~_inside_any(middle[white], around.surfaces())
    layers = hidden.astype(np.int64)
    if around.picture:
        layers[styles.ink == INVISIBLE] = 2
    height = np.minimum(boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0])
    layers[(styles.sizes < _TINY) & (height < _TINY)] = 1
    if x1 > x0 and y1 > y0:
        placed = boxes.any(axis=1)
        outside = placed & ((middle < (x0, y0)) | (middle > (x1, y1))).any(axis=1)
        layers[outside] = 1
        boxes = np.clip(boxes, (x0, y0, x0, y0), (x1, y1, x1, y1))
        boxes[outside | ~placed] = 0.0
    return layers, boxes


def _inside_any(points: Floats, boxes: Floats) -> Mask:
    """Whether each point lies in one of the boxes; where that is too much to find out, each is said to."""
    if len(points) * len(boxes) > _MOST_PAIRS:
        return np.ones(len(points), dtype=bool)
    found = np.zeros(len(points), dtype=bool)
    for x0, y0, x1, y1 in np.unique(boxes, axis=0):
        found |= ((points >= (x0, y0)) & (points <= (x1, y1))).all(axis=1)
    return found
