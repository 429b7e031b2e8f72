"""Asserts that a parser takes time in proportion to its input."""

from __future__ import annotations

import time

from knowledge.errors import DocumentError
from knowledge.parsing.base import ParseContext, Parser

STEP = 6
SMALL = 60_000  # bytes


def assert_linear(parser: Parser, piece: str, *, size: int = SMALL) -> None:
    """Parse a piece over and over, and six times as much of it, within far less than six times six the time."""
    small = _seconds(parser, (piece * (size // len(piece) + 1)).encode())
    large = _seconds(parser, (piece * (STEP * size // len(piece) + 1)).encode())
    assert large < 2.5 * STEP * small + 0.15, f"{small:.3f} s became {large:.3f} s"


def _seconds(parser: Parser, data: bytes) -> float:
    start = time.process_time()
    try:
        parser.parse(data, ParseContext(filename="a"))
    except DocumentError:  # in words, which other tests look at
        pass
    return time.process_time() - start
