"""The layout of a document as JSON: what a child hands to its parent, and what is kept beside a version.

Text and boxes travel apart. Heading paths are stored once each and blocks name them by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knowledge.types import Block, BlockKind, CharBoxes, Page, ParsedDocument

FORMAT = 2
_READABLE = (1, FORMAT)  # in 1, pages end with their view box
_SOURCES = ("text", "ocr", "ocr-layer", "none")


def to_json(document: ParsedDocument) -> dict[str, Any]:
    """Everything but text and boxes, in JSON types."""
    paths: dict[tuple[str, ...], int] = {}
    blocks = []
    for b in document.blocks:
        path = paths.setdefault(b.heading_path, len(paths))
        blocks.append([b.kind.value, b.start, b.end, b.level, path, b.page_first, b.page_last, dict(b.attrs) or None])
    return {
        "format": FORMAT,
        "parser": document.parser,
        "parser_version": document.parser_version,
        "media_type": document.media_type,
        "title": document.title,
        "warnings": list(document.warnings),
        "length": len(document.text),
        "paths": [list(path) for path in paths],
        "blocks": blocks,
        "pages": [
            [
                p.start,
                p.end,
                p.width,
                p.height,
                p.rotation,
                list(p.view_box),
                p.characters,
                p.bad,
                p.has_image,
                p.source,
            ]
            for p in document.pages
        ],
    }


def from_json(data: Mapping[str, Any], *, text: str, boxes: CharBoxes | None = None) -> ParsedDocument:
    """Rebuild a document. Trusts nothing: the data may come from a child a hostile file has taken over.

    :raises ValueError: a field is missing or of the wrong type, or a range lies outside the text.
    """
    try:
        return _document(data, text, boxes)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as err:
        raise ValueError("not the layout of a parsed document") from err


def _document(data: Mapping[str, Any], text: str, boxes: CharBoxes | None) -> ParsedDocument:
    if data["format"] not in _READABLE or data["length"] != len(text):
        raise ValueError("a layout of another format or text")
    if boxes is not None and len(boxes.page) != len(text):
        raise ValueError("boxes of another text")
    paths = [tuple(_string(part) for part in path) for path in data["paths"]]
    blocks = []
    end = 0
    for ordinal, row in enumerate(data["blocks"]):
        block = _block(ordinal, row, paths)
        if not end <= block.start <= block.end <= len(text):
            raise ValueError("a block outside the text or out of order")
        end = block.end
        blocks.append(block)
    return ParsedDocument(
        text=text,
        blocks=tuple(blocks),
        parser=_string(data["parser"]),
        parser_version=_string(data["parser_version"]),
        media_type=_string(data["media_type"]),
        title=None if data["title"] is None else _string(data["title"]),
        pages=tuple(_page(number, row, len(text)) for number, row in enumerate(data["pages"], start=1)),
        boxes=boxes,
        warnings=tuple(_string(warning) for warning in data["warnings"]),
    )


def _block(ordinal: int, row: Any, paths: list[tuple[str, ...]]) -> Block:
    kind, start, end, level, path, page_first, page_last, attrs = row
    if attrs is not None and not isinstance(attrs, dict):
        raise ValueError("attributes that are no object")
    return Block(
        ordinal=ordinal,
        kind=BlockKind(kind),
        start=_integer(start),
        end=_integer(end),
        level=None if level is None else _integer(level),
        heading_path=paths[_integer(path)],
        page_first=None if page_first is None else _integer(page_first),
        page_last=None if page_last is None else _integer(page_last),
        attrs=attrs or {},
    )


def _page(number: int, row: Any, length: int) -> Page:
    start, end, width, height, rotation, view_box, *facts = row
    characters, bad, has_image, source = facts or (0, 0, False, "text")
    if type(has_image) is not bool or source not in _SOURCES:
        raise ValueError("a page of an unknown source")
    if not 0 <= _integer(start) <= _integer(end) <= length:
        raise ValueError("a page outside the text")
    x0, y0, x1, y1 = (float(value) for value in view_box)
    return Page(
        number=number,
        start=start,
        end=end,
        width=float(width),
        height=float(height),
        rotation=_integer(rotation),
        view_box=(x0, y0, x1, y1),
        characters=_integer(characters),
        bad=_integer(bad),
        has_image=has_image,
        source=source,
    )


def _integer(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a natural number")
    return value


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not a string")
