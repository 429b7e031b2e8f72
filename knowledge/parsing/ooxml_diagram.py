"""SmartArt: the texts of a diagram, each after the one that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from knowledge.parsing.ooxml_parts import drawing_texts

if TYPE_CHECKING:
    from lxml.etree import _Element

DGM: Final = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_DRAWN = ("node", "asst", "doc")  # other points stand for lines and places


def diagram_texts(root: _Element) -> list[str]:
    """The texts of the data part of a diagram in the order of its connections; a circle of them ends."""
    points = {
        point.get("modelId") or "": point
        for point in root.iterfind(f"{DGM}ptLst/{DGM}pt")
        if (point.get("type") or "node") in _DRAWN
    }
    below: dict[str, list[tuple[int, str]]] = {}
    for connection in root.iterfind(f"{DGM}cxnLst/{DGM}cxn"):
        if (connection.get("type") or "parOf") == "parOf":
            order = connection.get("srcOrd") or ""
            place = int(order) if order.isdecimal() and len(order) < 10 else 0
            below.setdefault(connection.get("srcId") or "", []).append((place, connection.get("destId") or ""))
    tops = [name for name, point in points.items() if point.get("type") == "doc"]
    stack = [*reversed(points), *reversed(tops)]  # what no connection reaches comes last
    texts: list[str] = []
    while stack:
        point = points.pop(stack.pop(), None)
        if point is None:
            continue
        texts += [text for body in point.iterfind(f"{DGM}t") for text in drawing_texts(body)]
        following = sorted(below.pop(point.get("modelId") or "", ()), key=lambda entry: entry[0])
        stack.extend(name for _, name in reversed(following))
    return texts
