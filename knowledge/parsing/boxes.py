"""Character boxes: packing them for storage and merging them into rectangles for a highlight."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import numpy.typing as npt

from knowledge.types import CharBoxes, Rect

_Box = tuple[float, float, float, float]

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
    """Merge the characters of ``[start, end)`` into one rectangle per line and page.

    Where such a rectangle would cover a character outside the range (a raised number, a neighbour that is set
    closely), it is cut into parts that do not.
    """
    strangers = _Strangers(boxes, start, end)
    found: list[_Run] = []
    pages = boxes.page[start:end].tolist()
    for page, box in zip(pages, map(_box, boxes.xyxy[start:end].tolist()), strict=True):
        if not page or (box[2] <= box[0] and box[3] <= box[1]):
            continue
        if not found or not found[-1].accepts(page, box):
            found.append(_Run(page, box))
        else:
            found[-1].extend(box)
    return [rect for run in found for rect in _cut(run, strangers)]


def _cut(run: _Run, strangers: _Strangers) -> list[Rect]:
    """The rectangle of a run, or several where it would cover a stranger."""
    if not strangers.within(run.rect):
        return [run.rect]
    page, parts = run.page, [run.parts[0]]
    for box in run.parts[1:]:
        grown = _union(parts[-1], box)
        if strangers.within((page, *grown)):
            parts.append(box)
        else:
            parts[-1] = grown
    return [(page, *part) for part in parts]


class _Strangers:
    """The middles of the characters outside a range, on the pages it lies on."""

    def __init__(self, boxes: CharBoxes, start: int, end: int) -> None:
        self._boxes, self._start, self._end = boxes, start, end
        self._middles: dict[int, npt.NDArray[np.float32]] = {}  # by page

    def within(self, rect: Rect) -> bool:
        """Whether any lies in a rectangle."""
        page, x0, y0, x1, y1 = rect
        middles = self._of(page)
        x, y = middles[:, 0], middles[:, 1]
        return bool(((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any())

    def _of(self, page: int) -> npt.NDArray[np.float32]:
        if page not in self._middles:
            here = self._boxes.page == page
            here[self._start : self._end] = False
            box = self._boxes.xyxy[here]
            self._middles[page] = (box[:, :2] + box[:, 2:]) / 2
        return self._middles[page]


def _box(values: list[float]) -> _Box:
    x0, y0, x1, y1 = values
    return (x0, y0, x1, y1)


def _union(first: _Box, second: _Box) -> _Box:
    return (
        min(first[0], second[0]), min(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3]),
    )  # fmt: skip


class _Run:
    """A rectangle that grows character by character along one line, level or upright."""

    __slots__ = ("_upright", "box", "page", "parts")

    def __init__(self, page: int, box: _Box) -> None:
        self.page = page
        self.box = box
        self.parts = [box]  # of its characters
        self._upright: bool | None = None  # unknown until the second character

    @property
    def rect(self) -> Rect:
        x0, y0, x1, y1 = self.box
        return (self.page, x0, y0, x1, y1)

    def accepts(self, page: int, box: _Box) -> bool:
        if page != self.page:
            return False
        level = self._level(box)
        upright = not level and self._upright_next(box)
        if self._upright is None:
            self._upright = upright if level or upright else None
        return upright if self._upright else level

    def _level(self, box: _Box) -> bool:
        _, y0, _, y1 = self.box
        overlap = min(y1, box[3]) - max(y0, box[1])
        lower = min(y1 - y0, box[3] - box[1])
        height = max(y1 - y0, box[3] - box[1], 1.0)
        centre = (box[1] + box[3]) / 2
        last = self.parts[-1]
        beside = min(last[2], box[2]) - max(last[0], box[0]) < 0.5 * min(last[2] - last[0], box[2] - box[0])
        near = beside and y0 - 0.3 * height <= centre <= y1 + 0.3 * height  # a comma after a quotation mark
        gap = max(box[0] - last[2], last[0] - box[2])
        return (overlap >= _SAME_LINE * lower or near) and gap <= _MAX_GAP * height

    def _upright_next(self, box: _Box) -> bool:
        last = self.parts[-1]
        overlap = min(last[2], box[2]) - max(last[0], box[0])
        if overlap < _SAME_LINE * min(last[2] - last[0], box[2] - box[0]):
            return False
        size = max(last[2] - last[0], box[2] - box[0], last[3] - last[1], box[3] - box[1], 1.0)
        gap = max(box[1] - last[3], last[1] - box[3])
        return gap <= 0.6 * size and self._upright is not False

    def extend(self, box: _Box) -> None:
        self.box = _union(self.box, box)
        self.parts.append(box)
