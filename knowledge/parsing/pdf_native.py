"""PDFium read in one go: a function called for every character of a page writes straight into an array.

The calls are driven by ``map``, so that no Python code runs between two of them. Functions are bound with
``PYFUNCTYPE``: a call takes less than a microsecond, and giving the lock away for it would cost as much again.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_POINTER, _INT, _UNSIGNED = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint
_BOX = 32  # bytes of four doubles
_RECTANGLE = 16  # bytes of four floats


@dataclass(slots=True)
class Characters:
    """The characters of a text page by their index in it."""

    codes: Integers  # (n,) UTF-16 units, as PDFium tells them
    boxes: Floats  # (n, 4) x0, y0, x1, y1 in user space
    objects: npt.NDArray[np.uint64]  # (n,) address of the text object; 0 for a character PDFium made up


def address(handle: Any) -> int:
    """The address behind a PDFium handle or a pypdfium2 object; 0 for none."""
    return ctypes.cast(getattr(handle, "raw", handle), _POINTER).value or 0


@cache
def bound(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
    """A PDFium function that takes addresses as plain integers."""
    import pypdfium2.raw as pdfium

    function: Callable[..., Any] = ctypes.PYFUNCTYPE(restype, *argtypes)(address(getattr(pdfium, name)))
    return function


def read_characters(textpage: Any) -> Characters:
    """Read all characters of a text page."""
    handle = address(textpage)
    count = max(0, bound("FPDFText_CountChars", _INT, _POINTER)(handle))
    indexes = range(count)
    get_code = bound("FPDFText_GetUnicode", _UNSIGNED, _POINTER, _INT)
    get_object = bound("FPDFText_GetTextObject", ctypes.c_size_t, _POINTER, _INT)  # a number also where there is none
    get_box = bound("FPDFText_GetCharBox", _INT, _POINTER, _INT, *[_POINTER] * 4)
    codes = np.fromiter(map(get_code, repeat(handle, count), indexes), dtype=np.int64, count=count)
    boxes = np.zeros((count, 4))
    left, bottom, right, top = (
        range(first, first + _BOX * count, _BOX) for first in range(boxes.ctypes.data, boxes.ctypes.data + _BOX, 8)
    )
    deque(map(get_box, repeat(handle, count), indexes, left, right, bottom, top), maxlen=0)
    objects = np.fromiter(map(get_object, repeat(handle, count), indexes), dtype=np.uint64, count=count)
    return Characters(codes=codes, boxes=boxes, objects=objects)


def loose_boxes(textpage: Any, indexes: Integers) -> Floats:
    """The boxes of some characters by their font's height and their advance, ``(len(indexes), 4)``.

    A glyph without an outline has no other box.
    """
    count = len(indexes)
    found = np.zeros((count, 4), dtype=np.float32)
    first = found.ctypes.data
    get = bound("FPDFText_GetLooseCharBox", _INT, _POINTER, _INT, _POINTER)
    places = range(first, first + _RECTANGLE * count, _RECTANGLE)
    deque(map(get, repeat(address(textpage), count), indexes.tolist(), places), maxlen=0)
    return found[:, [0, 3, 2, 1]].astype(np.float64)  # FS_RECTF holds left, top, right, bottom


def page_objects(page: Any, *, most: int) -> list[tuple[int, int]]:
    """Address and type of the objects of a page, in the order they are drawn."""
    return _objects(address(page), "FPDFPage_CountObjects", "FPDFPage_GetObject", _INT, most)


def form_objects(form: int, *, most: int) -> list[tuple[int, int]]:
    """Address and type of the objects of a form object."""
    return _objects(form, "FPDFFormObj_CountObjects", "FPDFFormObj_GetObject", ctypes.c_ulong, most)


def _objects(handle: int, counter: str, getter: str, index: Any, most: int) -> list[tuple[int, int]]:
    count = max(0, min(bound(counter, _INT, _POINTER)(handle), most))
    get = bound(getter, _POINTER, _POINTER, index)
    found = [pointer for pointer in map(get, repeat(handle, count), range(count)) if pointer]
    return list(zip(found, map(bound("FPDFPageObj_GetType", _INT, _POINTER), found), strict=True))
