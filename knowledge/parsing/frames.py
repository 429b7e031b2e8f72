"""Length-prefixed frames between the parent and the parser child."""

from __future__ import annotations

import json
from typing import IO, Any, Final

import numpy as np

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.serial import from_json, to_json
from knowledge.types import CharBoxes, ParsedDocument

_PREFIX = 8
_BOX = 18  # bytes of a character's page and box
MAX_FRAME: Final = 1024 * 1024 * 1024  # a request
# Of an answer: its reader has no limit on its memory, and a hostile file may have taken over the child.
MAX_TEXT: Final = 300 * 1024 * 1024
MAX_JSON: Final = 64 * 1024 * 1024  # becomes ten times as much in Python


def write_frame(stream: IO[bytes], payload: bytes | memoryview) -> None:
    stream.write(len(payload).to_bytes(_PREFIX, "big"))
    stream.write(payload)


def read_frame(stream: IO[bytes], *, limit: int = MAX_FRAME) -> bytes:
    """Read one frame.

    :raises EOFError: the stream ended.
    :raises ValueError: the frame is larger than ``limit``.
    """
    prefix = _read_exactly(stream, _PREFIX)
    length = int.from_bytes(prefix, "big")
    if length > limit:
        raise ValueError("a frame over the limit")
    return _read_exactly(stream, length)


def _read_exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


def write_json(stream: IO[bytes], value: Any) -> None:
    write_frame(stream, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def read_json(stream: IO[bytes]) -> Any:
    """Read one frame of JSON.

    :raises ValueError: it is not JSON, nests too deep, or is larger than ``MAX_JSON``.
    """
    try:
        return json.loads(read_frame(stream, limit=MAX_JSON))
    except RecursionError as err:
        raise ValueError("JSON nested too deep") from err


def encode_document(document: ParsedDocument) -> tuple[bytes, ...]:
    """Layout, text and boxes as the payloads of three frames; boxes as plain numbers, pages before coordinates.

    :raises DocumentTooLarge: the reader of the answer would not take it.
    """
    layout = json.dumps(to_json(document), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(layout) > MAX_JSON:
        raise DocumentTooLarge("The document has more paragraphs, rows and cells than can be kept.")
    text = document.text.encode("utf-8")
    if len(text) > MAX_TEXT:
        raise DocumentTooLarge(f"The document holds more than {MAX_TEXT // (1024 * 1024)} MB of text.")
    boxes = document.boxes
    return layout, text, b"" if boxes is None else boxes.page.tobytes() + boxes.xyxy.tobytes()


def write_document(stream: IO[bytes], document: ParsedDocument) -> None:
    """Write a document as three frames."""
    for payload in encode_document(document):
        write_frame(stream, payload)


def read_document(stream: IO[bytes]) -> ParsedDocument:
    """Read what ``write_document`` wrote, checked.

    :raises EOFError: the stream ended.
    :raises ValueError: the frames do not make a document.
    """
    layout = read_json(stream)
    text = read_frame(stream, limit=MAX_TEXT).decode("utf-8")
    return from_json(layout, text=text, boxes=_boxes(read_frame(stream, limit=len(text) * _BOX), len(text)))


def _boxes(data: bytes, length: int) -> CharBoxes | None:
    if not data:
        return None
    if len(data) != length * _BOX:
        raise ValueError("boxes of another text")
    pages = np.frombuffer(data, dtype=np.uint16, count=length)
    coordinates = np.frombuffer(data, dtype=np.float32, offset=length * 2).reshape(-1, 4)
    return CharBoxes(page=pages, xyxy=coordinates)
