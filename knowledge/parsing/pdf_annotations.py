"""What is laid over a PDF page: form fields, free text and stamps become part of it; notes are read out."""

from __future__ import annotations

import ctypes
from typing import Any

from knowledge.parsing.pdf_native import address, bound

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong
_LINK, _POPUP = 2, 16
_SHOWN_IN_FULL = (3, 13, 20)  # free text, stamps and form fields
_HIDDEN = 2  # a flag
_MOST = 5_000  # annotations of a page that are looked at
_MOST_BYTES = 1 << 20  # of a note
_NOTHING = 2  # bytes of an empty string in UTF-16, with its end
_CHANGED = 1  # what flattening answers


def lay_flat(page: Any) -> tuple[bool, list[str]]:
    """Draw what is laid over a page into it; return whether it must be loaded again, and its notes.

    A note is text that the page itself does not show: of a comment, of a highlight.
    """
    handle = address(page)
    count = min(bound("FPDFPage_GetAnnotCount", _INT, _POINTER)(handle), _MOST)
    drawn = False
    notes: list[str] = []
    for index in range(count):
        annotation = bound("FPDFPage_GetAnnot", _POINTER, _POINTER, _INT)(handle, index)
        if not annotation:
            continue
        try:
            shows, note = _read(annotation)
        finally:
            bound("FPDFPage_CloseAnnot", None, _POINTER)(annotation)
        drawn |= shows
        if note and note not in notes:
            notes.append(note)
    if not drawn:
        return False, notes
    return bound("FPDFPage_Flatten", _INT, _POINTER, _INT)(handle, 0) == _CHANGED, notes


def _read(annotation: int) -> tuple[bool, str]:
    """Whether an annotation draws something, and the words it only shows when asked."""
    kind = bound("FPDFAnnot_GetSubtype", _INT, _POINTER)(annotation)
    hidden = bound("FPDFAnnot_GetFlags", _INT, _POINTER)(annotation) & _HIDDEN
    if kind in (_LINK, _POPUP) or hidden:
        return False, ""
    shows = bound("FPDFAnnot_GetAP", _LONG, _POINTER, _INT, _POINTER, _LONG)(annotation, 0, 0, 0) > _NOTHING
    if kind in _SHOWN_IN_FULL and shows:
        return True, ""
    return shows, " ".join(_contents(annotation).split())


def _contents(annotation: int) -> str:
    get = bound("FPDFAnnot_GetStringValue", _LONG, _POINTER, ctypes.c_char_p, _POINTER, _LONG)
    size = get(annotation, b"Contents", 0, 0)
    if not _NOTHING < size <= _MOST_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(annotation, b"Contents", ctypes.addressof(buffer), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "ignore").replace("\0", "")
