"""PDF pages to runs: stretches of characters on one line, each character with its box.

Characters are read one at a time. Joined text from PDFium has another length than its characters
have indexes wherever an encoding is broken, so it could not carry offsets.
"""

from __future__ import annotations

import ctypes
import math
import re
from array import array
from dataclasses import dataclass, field
from typing import Any

LINE_END_HYPHEN = "\x02"
"""PDFium's mark for a hyphen at the end of a line; U+FFFE and U+00AD are mapped to it."""

_HYPHENS = frozenset((0x02, 0xFFFE))
_BOLD = 600  # font weight
_BOLD_NAME = re.compile(rb"bold|black|heavy|cmbx", re.IGNORECASE)
CELL_GAP = 1.3  # font sizes of white space that end a run
_LINE_JUMP = 0.7  # font sizes of vertical movement that end a run
_BULLETS = {0xF0B7: 0x2022, 0xF0A7: 0x2022, 0xF0D8: 0x2022, 0xF0FC: 0x2713}  # symbol fonts
UPRIGHT, UP, OVER, DOWN = 0, 90, 180, 270

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Run:
    """Characters of one line without a large gap, in logical order; ``boxes`` has 4 floats for each."""

    direction: int
    size: float
    text: str = ""
    boxes: array[float] = field(default_factory=lambda: array("f"))
    x0: float = 0.0  # layout coordinates: turned so that the text runs to the right
    x1: float = 0.0
    base: float = 0.0
    rtl: bool = False
    bold: bool = False  # from its first to its last character


@dataclass(slots=True)
class PageText:
    runs: list[Run]
    characters: int = 0  # real ones, without white space
    bad: int = 0  # of these: control, private use or replacement characters


def is_rtl(code: int) -> bool:
    return 0x590 <= code <= 0x8FF or 0xFB1D <= code <= 0xFDFF or 0xFE70 <= code <= 0xFEFE


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


def _lam_before_alef(text: str, boxes: array[float]) -> str:
    """Turn round the two letters of a lam-alef ligature, which PDFium expands alef first."""
    letters = list(text)
    for index in range(1, len(letters)):
        ligature = letters[index] == "\u0644" and letters[index - 1] in "\u0622\u0623\u0625\u0627"
        if ligature and boxes[4 * index - 4 : 4 * index] == boxes[4 * index : 4 * index + 4]:
            letters[index - 1], letters[index] = letters[index], letters[index - 1]
    return "".join(letters)


def read_page(textpage: Any) -> PageText:
    """Read the characters of a PDFium text page into runs, in content order."""
    return _Reader(textpage).read()


class _Reader:
    def __init__(self, textpage: Any) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium: Any = pdfium
        self._page = textpage
        self._result = PageText(runs=[])
        self._run: Run | None = None
        self._chars: list[str] = []
        self._bases: list[float] = []
        self._last: Box = (0.0, 0.0, 0.0, 0.0)  # of the last visible character, layout coordinates
        self._last_index = 0
        self._space = False

    def read(self) -> PageText:
        get_code, get_box = self._pdfium.FPDFText_GetUnicode, self._pdfium.FPDFText_GetCharBox
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        high = 0
        for index in range(max(0, self._pdfium.FPDFText_CountChars(self._page))):
            code = get_code(self._page, index)
            if code in (10, 13):
                self._finish()
                continue
            if code in (9, 32, 0xA0) or 0x2000 <= code <= 0x200A:
                self._space = True
                continue
            if 0xD800 <= code < 0xDC00:
                high = code
                continue
            if 0xDC00 <= code < 0xE000:
                code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0
            high = 0
            get_box(self._page, index, left, right, bottom, top)
            self._add(index, code, (left.value, bottom.value, right.value, top.value))
        self._finish()
        return self._result

    def _add(self, index: int, code: int, box: Box) -> None:
        code = _BULLETS.get(code, code)
        if code not in _HYPHENS:
            self._result.characters += 1
            if code < 32 or 0x7F <= code <= 0x9F or 0xE000 <= code <= 0xF8FF or code == 0xFFFD:
                self._result.bad += 1
                if code < 0xE000:
                    return
        if not all(map(math.isfinite, box)):
            box = (0.0, 0.0, 0.0, 0.0)
        run = self._run
        if run is not None and self._breaks(run, turn(box, run.direction), code):
            self._finish()
            run = None
        if run is None:
            run = self._run = self._new_run(index)
        self._append(run, index, code, box)

    def _new_run(self, index: int) -> Run:
        matrix = self._pdfium.FS_MATRIX()
        size = self._pdfium.FPDFText_GetFontSize(self._page, index)
        a, b, c, d = 1.0, 0.0, 0.0, 1.0
        if self._pdfium.FPDFText_GetMatrix(self._page, index, matrix):
            a, b, c, d = matrix.a, matrix.b, matrix.c, matrix.d
        direction = (UP if b > 0 else DOWN) if abs(b) > abs(a) else UPRIGHT if a >= 0 else OVER
        scale = math.hypot(c, d) or 1.0
        size = round(size * scale, 1)
        return Run(direction=direction, size=size if 0.5 < size < 5000 else 10.0, bold=self._is_bold(index))

    def _is_bold(self, index: int) -> bool:
        """By the font's weight, or by its name where the PDF states no weight."""
        if self._pdfium.FPDFText_GetFontWeight(self._page, index) >= _BOLD:
            return True
        name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
        self._pdfium.FPDFText_GetFontInfo(self._page, index, name, 128, flags)
        return bool(_BOLD_NAME.search(name.value))

    def _breaks(self, run: Run, box: Box, code: int) -> bool:
        last = self._last
        mixed = run.rtl or is_rtl(code)  # mixed scripts jump to and fro within a line
        gap = 0.0 if mixed else max(box[0] - last[2], last[0] - box[2])
        jump = abs((box[1] + box[3]) - (last[1] + last[3])) / 2
        return gap > CELL_GAP * run.size or jump > _LINE_JUMP * max(run.size, 4.0)

    def _append(self, run: Run, index: int, code: int, box: Box) -> None:
        turned = turn(box, run.direction)
        if not self._chars:
            run.x0, run.x1 = turned[0], turned[2]
        elif self._space:
            self._chars.append(" ")
            run.boxes.extend((0.0, 0.0, 0.0, 0.0))
        self._space = False
        self._last_index = index
        self._chars.append(LINE_END_HYPHEN if code in _HYPHENS else "-" if code == 0xAD else chr(code))
        run.boxes.extend(box)
        run.x0, run.x1 = min(run.x0, turned[0]), max(run.x1, turned[2])
        run.rtl = run.rtl or is_rtl(code)
        self._bases.append(turned[1])
        self._last = turned

    def _finish(self) -> None:
        run = self._run
        if run is not None and self._chars:
            run.text = "".join(self._chars)
            self._bases.sort()
            run.base = self._bases[len(self._bases) // 2]
            run.bold = run.bold and self._is_bold(self._last_index)
            if run.rtl:
                run.text = _lam_before_alef(run.text, run.boxes)
            self._result.runs.append(run)
        self._run, self._space = None, False
        self._chars, self._bases = [], []
