"""PDF pages to runs: stretches of characters on one line, each character with its box.

Characters are read by their index, all at once. Joined text from PDFium has another length than its
characters have indexes wherever an encoding is broken, so it could not carry offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.parsing.pdf_layers import LAYERS, Box, Layer, Mask, Surroundings, find_layers
from knowledge.parsing.pdf_native import Characters, Floats, Integers, loose_boxes, read_characters
from knowledge.parsing.pdf_styles import DOWN, OVER, UP, UPRIGHT, Styles, read_styles

LINE_END_HYPHEN = "\x02"
"""PDFium's mark for a hyphen at the end of a line; U+FFFE is mapped to it."""

CELL_GAP = 1.3  # font sizes of white space that end a run
_LINE_JUMP = 0.7  # font sizes of vertical movement that end a run
_MOST_REPEATS = 200  # looked for on a page
_BULLETS = {0xF0B7: 0x2022, 0xF0A7: 0x2022, 0xF0D8: 0x2022, 0xF0FC: 0x2713}  # symbol fonts
_SPACES = (9, 0x20, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000, *range(0x2000, 0x200B))
_RTL = ((0x590, 0x8FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFE))

_IS_SPACE = np.isin(np.arange(max(_SPACES) + 2), _SPACES)  # by code; its last entry stands for all that follow

Single = npt.NDArray[np.float32]


def _no_boxes() -> Single:
    return np.zeros((0, 4), dtype=np.float32)


@dataclass(slots=True, eq=False)
class Run:
    """Characters of one line without a large gap, in logical order; ``boxes`` is ``(len(text), 4)``."""

    direction: int
    size: float
    text: str = ""
    boxes: Single = field(default_factory=_no_boxes)
    x0: float = 0.0  # layout coordinates: turned so that the text runs to the right
    x1: float = 0.0
    base: float = 0.0
    rtl: bool = False
    bold: bool = False  # throughout
    layer: Layer = Layer.TEXT
    confidence: float | None = None  # 0..1 where it was recognised by us
    raised: int = 0  # leading characters that are set smaller than the rest: the number of a note


@dataclass(slots=True)
class PageText:
    runs: list[Run]
    characters: int = 0  # real ones, without white space
    bad: int = 0  # of these: control, private use or replacement characters
    read_from_picture: int = 0  # of these: in a layer of recognised text


def turn(box: Box, direction: int) -> Box:
    """Turn a box of user space so that text of this direction runs to the right."""
    x0, y0, x1, y1 = box
    if direction == UP:
        return (y0, -x1, y1, -x0)
    if direction == DOWN:
        return (-y1, x0, -y0, x1)
    if direction == OVER:
        return (-x1, -y1, -x0, -y0)
    return box


def _turn_all(boxes: Floats, directions: Integers) -> Floats:
    turned = boxes
    for direction in {int(d) for d in np.unique(directions)} - {UPRIGHT}:
        here = (directions == direction)[:, None]
        turned = np.where(here, np.stack(turn(tuple(boxes.T), direction), axis=1), turned)
    return turned


def read_page(textpage: Any, around: Surroundings) -> PageText:
    """Read the characters of a PDFium text page into runs, in content order."""
    characters = read_characters(textpage)
    codes, paired = _whole(characters.codes)
    line_end = (codes == 10) | (codes == 13)
    space = _IS_SPACE[np.minimum(codes, len(_IS_SPACE) - 1)]
    hyphen = (codes == 2) | (codes == 0xFFFE)
    drawn = ~(line_end | space | paired)
    private = (codes >= 0xE000) & (codes <= 0xF8FF)
    control = (codes < 32) | ((codes >= 0x7F) & (codes <= 0x9F)) | (codes >= 0x110000)
    bad = drawn & ~hyphen & (control | private | (codes == 0xFFFD))
    kept = drawn & ~(bad & control)
    index = np.flatnonzero(kept)
    result = PageText(runs=[], characters=int((drawn & ~hyphen).sum()), bad=int(bad.sum()))
    if not len(index):
        return result
    boxes = _finite(characters, textpage, index)
    displaced = _displaced(boxes)
    if displaced.any():
        boxes[displaced] = 0.0
        fresh = ~_repeats(codes[index], displaced)
        index, boxes = index[fresh], boxes[fresh]
    styles = read_styles(textpage, characters)
    kept_styles = Styles(
        sizes=styles.sizes[index],
        directions=styles.directions[index],
        bold=styles.bold[index],
        ink=styles.ink[index],
    )
    layers, boxes = find_layers(boxes, kept_styles, around)
    result.read_from_picture = int((layers == 2).sum())
    codes = np.where(hyphen, 2, np.where(codes == 0xAD, 0x2D, codes))[index]
    before = np.cumsum(np.stack([line_end, space]), axis=1)[:, index]
    result.runs = _Cut(codes, boxes, kept_styles, layers, passed=before).runs()
    return result


def _whole(codes: Integers) -> tuple[Integers, Mask]:
    """Join surrogate pairs into the first of the two, map bullets; return the codes and what to leave out."""
    high = (codes >= 0xD800) & (codes < 0xDC00)
    low = (codes >= 0xDC00) & (codes < 0xE000)
    joined = codes.copy()
    for old, new in _BULLETS.items():
        joined[codes == old] = new
    if not (high | low).any():
        return joined, np.zeros(len(codes), dtype=bool)
    pair = high & np.append(low[1:], False)
    second = np.append(False, pair[:-1])
    following = np.append(codes[1:], 0)
    joined = np.where(pair, 0x10000 + ((codes - 0xD800) << 10) + (following - 0xDC00), joined)
    joined[(high & ~pair) | (low & ~second)] = 0  # a lone half
    return joined, second


def _finite(characters: Characters, textpage: Any, index: Integers) -> Floats:
    """Boxes of the kept characters; one without an extent gets its font's box, a senseless one none."""
    boxes = characters.boxes[index]
    boxes[~np.isfinite(boxes).all(axis=1)] = 0.0
    flat = np.flatnonzero((boxes[:, 2] <= boxes[:, 0]) & (boxes[:, 3] <= boxes[:, 1]))
    if len(flat):
        loose = loose_boxes(textpage, index[flat])
        loose[~np.isfinite(loose).all(axis=1)] = 0.0
        boxes[flat] = loose
    return boxes


def _displaced(boxes: Floats) -> Mask:
    """Where several characters share a box that another one had before: PDFium does not know their place."""
    same = np.append(False, (boxes[1:] == boxes[:-1]).all(axis=1))
    shared: Mask = same | np.append(same[1:], False)
    if not shared.any():
        return shared
    corners = boxes[:, 0] + 1j * boxes[:, 1]  # one number each: many times faster than whole boxes
    _, first, which = np.unique(corners, return_index=True, return_inverse=True)
    group = np.maximum.accumulate(np.where(same, 0, np.arange(len(boxes))))  # where the characters sharing it begin
    displaced: Mask = shared & (first[which] < group)
    return displaced


def _repeats(codes: Integers, displaced: Mask) -> Mask:
    """Displaced characters that only say again what was read before, as PDFium does where it turns a line round."""
    repeated = np.zeros(len(codes), dtype=bool)
    text = codes.astype("<u4").tobytes().decode("utf-32-le", "replace")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], displaced, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2)[:_MOST_REPEATS].tolist():
        repeated[start:end] = text[start:end] in text[:start]
    return repeated


class _Cut:
    """Cuts the kept characters of a page into runs."""

    def __init__(
        self, codes: Integers, boxes: Floats, styles: Styles, layers: Integers, *, passed: npt.NDArray[np.int64]
    ) -> None:
        self._codes, self._boxes, self._styles, self._layers = codes, boxes, styles, layers
        self._turned = _turn_all(boxes, styles.directions)
        line_ends, spaces = (np.diff(row) > 0 for row in passed)  # between each two neighbours
        self._space = np.append(False, spaces)
        self._rtl = np.any([(codes >= first) & (codes <= last) for first, last in _RTL], axis=0)
        self._starts = self._find_starts(line_ends)
        self._space[self._starts] = False

    def _find_starts(self, line_ends: Mask) -> Integers:
        """The first character of each run."""
        box, styles = self._turned, self._styles
        size = np.maximum(styles.sizes[1:], styles.sizes[:-1])
        jump = np.abs((box[1:, 1] + box[1:, 3]) - (box[:-1, 1] + box[:-1, 3])) / 2
        hard = line_ends | (np.diff(styles.directions) != 0) | (np.diff(self._layers) != 0)
        hard |= jump > _LINE_JUMP * np.maximum(size, 4.0)
        gap = np.maximum(box[1:, 0] - box[:-1, 2], box[:-1, 0] - box[1:, 2])
        wide = (gap > CELL_GAP * size) & ~self._mixed(hard)
        return np.append(0, np.flatnonzero(hard | wide) + 1)

    def _mixed(self, hard: Mask) -> Mask:
        """Where right to left text stands earlier on the line or next: mixed scripts jump to and fro within it."""
        if not self._rtl.any():
            return np.zeros(len(hard), dtype=bool)
        line = np.append(0, np.cumsum(hard))
        seen = np.cumsum(self._rtl)
        first = np.flatnonzero(np.append(True, hard))
        before = (seen - self._rtl.astype(np.int64))[first]  # seen before the line begins
        mixed: Mask = (seen - before[line])[1:] > 0
        return mixed

    def runs(self) -> list[Run]:
        starts, ends = self._starts, np.append(self._starts[1:], len(self._codes))
        place = np.arange(len(self._codes)) + np.cumsum(self._space)
        codes = np.full(place[-1] + 1, 32, dtype="<u4")
        codes[place] = self._codes
        text = codes.tobytes().decode("utf-32-le")
        boxes = np.zeros((len(codes), 4), dtype=np.float32)
        boxes[place] = self._boxes
        low, high = np.minimum.reduceat(self._turned[:, 0], starts), np.maximum.reduceat(self._turned[:, 2], starts)
        rtl, bold = np.logical_or.reduceat(self._rtl, starts), np.logical_and.reduceat(self._styles.bold, starts)
        rows = zip(
            starts.tolist(), ends.tolist(), low.tolist(), high.tolist(), rtl.tolist(), bold.tolist(), strict=True
        )
        result = []
        for start, end, x0, x1, is_turned, is_bold in rows:
            first, last = int(place[start]), int(place[end - 1]) + 1
            run = Run(
                direction=int(self._styles.directions[start]), size=_middle(self._styles.sizes[start:end]),
                text=text[first:last], boxes=boxes[first:last], x0=x0, x1=x1, base=_middle(self._turned[start:end, 1]),
                rtl=is_turned, bold=is_bold, layer=LAYERS[int(self._layers[start])],
            )  # fmt: skip
            run.raised = self._raised(start, end, run.size)
            if run.rtl:
                run.text = _lam_before_alef(run.text, run.boxes)
            result.append(run)
        return result

    def _raised(self, start: int, end: int, size: float) -> int:
        """How many characters at the start are set clearly smaller than the run."""
        count = 0
        while count < min(4, end - start) and self._styles.sizes[start + count] < 0.85 * size:
            count += 1
        return count


def _middle(values: Floats) -> float:
    return float(np.sort(values)[len(values) // 2])


def _lam_before_alef(text: str, boxes: Single) -> str:
    """Turn round the two letters of a lam-alef ligature, which PDFium expands alef first."""
    letters = list(text)
    for index in range(1, len(letters)):
        ligature = letters[index] == "\u0644" and letters[index - 1] in "\u0622\u0623\u0625\u0627"
        if ligature and (boxes[index - 1] == boxes[index]).all():
            letters[index - 1], letters[index] = letters[index], letters[index - 1]
    return "".join(letters)
