"""Length-prefixed frames between the parent and the parser child."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

from knowledge.parsing.serial import from_json, to_json
from knowledge.types import CharBoxes, ParsedDocument

_PREFIX = 8
MAX_FRAME = 1024 * 1024 * 1024  # an answer cannot be larger than the memory the child was given


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

    :raises ValueError: it is not JSON, or nests too deep.
    """
    try:
        return json.loads(read_frame(stream))
    except RecursionError as err:
        raise ValueError("JSON nested too deep") from err


def write_document(stream: IO[bytes], document: ParsedDocument) -> None:
    """Write layout, text and boxes as three frames; boxes as plain numbers, pages before coordinates."""
    write_json(stream, to_json(document))
    write_frame(stream, document.text.encode("utf-8"))
    if document.boxes is None:
        write_frame(stream, b"")
        return
    pages, coordinates = document.boxes.page.tobytes(), document.boxes.xyxy.tobytes()
    stream.write((len(pages) + len(coordinates)).to_bytes(_PREFIX, "big"))
    stream.write(pages)
    stream.write(coordinates)


def read_document(stream: IO[bytes]) -> ParsedDocument:
    """Read what ``write_document`` wrote, checked.

    :raises EOFError: the stream ended.
    :raises ValueError: the frames do not make a document.
    """
    layout = read_json(stream)
    text = read_frame(stream).decode("utf-8")
    return from_json(layout, text=text, boxes=_boxes(read_frame(stream), len(text)))


def _boxes(data: bytes, length: int) -> CharBoxes | None:
    if not data:
        return None
    if len(data) != length * 18:
        raise ValueError("boxes of another text")
    pages = np.frombuffer(data, dtype=np.uint16, count=length)
    coordinates = np.frombuffer(data, dtype=np.float32, offset=length * 2).reshape(-1, 4)
    return CharBoxes(page=pages, xyxy=coordinates)
