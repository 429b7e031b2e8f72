"""What a PDF page shows besides its text: pictures, and the surfaces that white text can be read on."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from knowledge.parsing.pdf_native import Floats, bound, form_objects, page_objects

Box = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float]

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_PATH, _IMAGE, _SHADING, _FORM = 2, 3, 4, 5
_MOST_OBJECTS = 50_000
_DEEPEST = 4  # form objects within form objects
_WHITE = 250
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def picture_share(page: Any, view: Box) -> float:
    """The share of a page that its pictures cover, from 0 to 1; overlapping ones count twice."""
    area = max((view[2] - view[0]) * (view[3] - view[1]), 1.0)
    covered = 0.0
    for pointer, kind, matrix in _walk(page):
        if kind == _IMAGE:
            x0, y0, x1, y1 = _bounds(pointer, matrix)
            width, height = min(x1, view[2]) - max(x0, view[0]), min(y1, view[3]) - max(y0, view[1])
            covered += max(width, 0.0) * max(height, 0.0)
    return min(covered / area, 1.0)


def surfaces(page: Any) -> Floats:
    """The boxes ``(n, 4)`` of everything drawn that is not white: what white text may stand on."""
    found = [
        _bounds(pointer, matrix)
        for pointer, kind, matrix in _walk(page)
        if kind in (_IMAGE, _SHADING) or (kind == _PATH and _is_filled(pointer))
    ]
    return np.array(found, dtype=np.float64).reshape(-1, 4)


def _walk(page: Any) -> Iterator[tuple[int, int, Matrix]]:
    """The objects of a page and of its form objects, with the matrix that places each; not without end."""
    objects = page_objects(page, most=_MOST_OBJECTS)
    waiting: list[tuple[int, Matrix, int]] = []
    matrix, depth, left = _IDENTITY, 0, _MOST_OBJECTS
    while True:
        left -= len(objects) + 1
        for pointer, kind in objects:
            if kind != _FORM:
                yield pointer, kind, matrix
            elif depth < _DEEPEST:
                waiting.append((pointer, _multiply(_matrix(pointer), matrix), depth + 1))
        if not waiting or left <= 0:
            return
        form, matrix, depth = waiting.pop()
        objects = form_objects(form, most=left)


def _matrix(pointer: int) -> Matrix:
    values = (ctypes.c_float * 6)(*_IDENTITY)
    bound("FPDFPageObj_GetMatrix", _INT, _POINTER, _POINTER)(pointer, ctypes.addressof(values))
    a, b, c, d, e, f = values
    return (a, b, c, d, e, f)


def _multiply(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def _bounds(pointer: int, matrix: Matrix) -> Box:
    values = (ctypes.c_float * 4)()
    first = ctypes.addressof(values)
    bound("FPDFPageObj_GetBounds", _INT, *[_POINTER] * 5)(pointer, *range(first, first + 16, 4))
    x0, y0, x1, y1 = values
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (x0, x1) for y in (y0, y1)]
    ys = [b * x + d * y + f for x in (x0, x1) for y in (y0, y1)]
    return min(xs), min(ys), max(xs), max(ys)


def _is_filled(pointer: int) -> bool:
    """Whether a path is filled with anything but white."""
    modes, colour = (ctypes.c_int * 2)(), (ctypes.c_uint * 4)()
    place, first = ctypes.addressof(modes), ctypes.addressof(colour)
    if not bound("FPDFPath_GetDrawMode", _INT, *[_POINTER] * 3)(pointer, place, place + 4) or not modes[0]:
        return False
    if not bound("FPDFPageObj_GetFillColor", _INT, *[_POINTER] * 5)(pointer, *range(first, first + 16, 4)):
        return True  # a pattern
    return min(colour[:3]) < _WHITE and colour[3] > 0
