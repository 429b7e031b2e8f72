"""Character boxes: packing them for storage and merging them into rectangles for a highlight."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from knowledge.types import CharBoxes, Rect

_SAME_LINE = 0.4  # share of the lower of two heights that must overlap on one line
_MAX_GAP = 6.0  # line heights between two characters of one rectangle


def encode_boxes(boxes: CharBoxes) -> bytes:
    """Pack boxes as a compressed npz archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, page=boxes.page, xyxy=boxes.xyxy)
    return buffer.getvalue()


def decode_boxes(data: bytes) -> CharBoxes:
    """Unpack what ``encode_boxes`` packed; never unpickles.

    :raises ValueError: the bytes are not such an archive.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            page, xyxy = archive["page"], archive["xyxy"]
    except (zipfile.BadZipFile, KeyError, OSError, EOFError) as err:
        raise ValueError("not an archive of character boxes") from err
    if page.dtype != np.uint16 or xyxy.dtype != np.float32 or page.ndim != 1 or xyxy.shape != (len(page), 4):
        raise ValueError("character boxes of the wrong shape")
    return CharBoxes(page=page, xyxy=xyxy)


def rects(boxes: CharBoxes, start: int, end: int) -> list[Rect]:
    """Merge the characters of ``[start, end)`` into one rectangle per line and page."""
    result: list[_Run] = []
    pages = boxes.page[start:end].tolist()
    for page, box in zip(pages, boxes.xyxy[start:end].tolist(), strict=True):
        if not page or (box[2] <= box[0] and box[3] <= box[1]):
            continue
        if not result or not result[-1].accepts(page, box):
            result.append(_Run(page, box))
        else:
            result[-1].extend(box)
    return [run.rect for run in result]


class _Run:
    """A rectangle that grows character by character along one line, level or upright."""

    __slots__ = ("_last", "_upright", "box", "page")

    def __init__(self, page: int, box: list[float]) -> None:
        self.page = page
        self.box = list(box)
        self._last = box
        self._upright: bool | None = None  # unknown until the second character

    @property
    def rect(self) -> Rect:
        x0, y0, x1, y1 = self.box
        return (self.page, x0, y0, x1, y1)

    def accepts(self, page: int, box: list[float]) -> bool:
        if page != self.page:
            return False
        level = self._level(box)
        upright = not level and self._upright_next(box)
        if self._upright is None:
            self._upright = upright if level or upright else None
        return upright if self._upright else level

    def _level(self, box: list[float]) -> bool:
        _, y0, _, y1 = self.box
        overlap = min(y1, box[3]) - max(y0, box[1])
        lower = min(y1 - y0, box[3] - box[1])
        height = max(y1 - y0, box[3] - box[1], 1.0)
        centre = (box[1] + box[3]) / 2
        last = self._last
        beside = min(last[2], box[2]) - max(last[0], box[0]) < 0.5 * min(last[2] - last[0], box[2] - box[0])
        near = beside and y0 - 0.3 * height <= centre <= y1 + 0.3 * height  # a comma after a quotation mark
        gap = max(box[0] - last[2], last[0] - box[2])
        return (overlap >= _SAME_LINE * lower or near) and gap <= _MAX_GAP * height

    def _upright_next(self, box: list[float]) -> bool:
        last = self._last
        overlap = min(last[2], box[2]) - max(last[0], box[0])
        if overlap < _SAME_LINE * min(last[2] - last[0], box[2] - box[0]):
            return False
        size = max(last[2] - last[0], box[2] - box[0], last[3] - last[1], box[3] - box[1], 1.0)
        gap = max(box[1] - last[3], last[1] - box[3])
        return gap <= 0.6 * size and self._upright is not False

    def extend(self, box: list[float]) -> None:
        self.box = [
            min(self.box[0], box[0]), min(self.box[1], box[1]), max(self.box[2], box[2]), max(self.box[3], box[3]),
        ]  # fmt: skip
        self._last = box
