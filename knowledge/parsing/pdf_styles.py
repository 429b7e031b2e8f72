"""How the characters of a PDF page are set: size, direction, weight, and whether anybody can see them."""

from __future__ import annotations

import ctypes
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.parsing.pdf_native import Characters, Floats, Integers, address, bound

UPRIGHT, UP, OVER, DOWN = 0, 90, 180, 270

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_BOLD = 600  # font weight
_BOLD_NAME = re.compile(rb"bold|black|heavy|cmbx", re.IGNORECASE)
_INVISIBLE = 3  # text render mode
_WHITE = 250  # of 255, the darkest part of a colour that still cannot be told from paper


@dataclass(slots=True)
class Styles:
    """One entry for each character. ``ink`` is 0 for what is drawn, else one of ``INVISIBLE`` and ``WHITE``."""

    sizes: Floats  # points
    directions: Integers
    bold: npt.NDArray[np.bool_]
    ink: Integers


INVISIBLE, CLEAR, WHITE = 1, 2, 3
"""Render mode 3, an alpha of 0, and white."""


def read_styles(textpage: Any, characters: Characters) -> Styles:
    """Read the style of each text object and give it to its characters."""
    objects, first, which = np.unique(characters.objects, return_index=True, return_inverse=True)
    reader = _Reader(address(textpage))
    rows = [reader.style(int(pointer), int(index)) for pointer, index in zip(objects, first, strict=True)]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)[which]
    return Styles(
        sizes=table[:, 0],
        directions=table[:, 1].astype(np.int64),
        bold=table[:, 2] > 0,
        ink=table[:, 3].astype(np.int64),
    )


class _Reader:
    def __init__(self, textpage: int) -> None:
        self._page = textpage
        self._matrix = (ctypes.c_float * 6)()
        self._colour = (ctypes.c_uint * 4)()
        self._bold: dict[int, bool] = {}  # by font; a font lives as long as its page
        self._get_size = bound("FPDFText_GetFontSize", ctypes.c_double, _POINTER, _INT)
        self._get_matrix = bound("FPDFText_GetMatrix", _INT, _POINTER, _INT, _POINTER)
        self._get_font = bound("FPDFTextObj_GetFont", _POINTER, _POINTER)
        self._get_mode = bound("FPDFTextObj_GetTextRenderMode", _INT, _POINTER)
        self._get_colour = bound("FPDFPageObj_GetFillColor", _INT, *[_POINTER] * 5)

    def style(self, pointer: int, index: int) -> tuple[float, int, bool, int]:
        """Size, direction, weight and ink of a text object whose first character has this index."""
        size, direction = self._geometry(index)
        if not pointer:
            return size, direction, False, 0
        return size, direction, self._is_bold(pointer), self._ink(pointer)

    def _geometry(self, index: int) -> tuple[float, int]:
        a, b, c, d = 1.0, 0.0, 0.0, 1.0
        if self._get_matrix(self._page, index, ctypes.addressof(self._matrix)):
            a, b, c, d = self._matrix[:4]
        direction = (UP if b > 0 else DOWN) if abs(b) > abs(a) else UPRIGHT if a >= 0 else OVER
        size = round(float(self._get_size(self._page, index)) * (math.hypot(c, d) or 1.0), 1)
        return size if 0 < size < 5000 else 10.0, direction

    def _is_bold(self, pointer: int) -> bool:
        """By the font's weight, or by its name where the PDF states no weight."""
        font = self._get_font(pointer) or 0
        if font not in self._bold:
            self._bold[font] = bool(font) and self._font_is_bold(font)
        return self._bold[font]

    def _font_is_bold(self, font: int) -> bool:
        if bound("FPDFFont_GetWeight", _INT, _POINTER)(font) >= _BOLD:
            return True
        name = ctypes.create_string_buffer(128)
        bound("FPDFFont_GetBaseFontName", ctypes.c_ulong, _POINTER, _POINTER, ctypes.c_ulong)(
            font, ctypes.addressof(name), 128
        )
        return bool(_BOLD_NAME.search(name.value))

    def _ink(self, pointer: int) -> int:
        if self._get_mode(pointer) == _INVISIBLE:
            return INVISIBLE
        first = ctypes.addressof(self._colour)
        if not self._get_colour(pointer, *range(first, first + 16, 4)):
            return 0
        *colour, alpha = self._colour
        if not alpha:
            return CLEAR
        return WHITE if min(colour) >= _WHITE else 0
