"""Asserts that a parser takes time in proportion to its input."""

from __future__ import annotations

import gc
import time
from contextlib import suppress

from knowledge.errors import DocumentError
from knowledge.parsing.base import ParseContext, Parser

STEP = 6
SMALL = 60_000  # bytes
ROUNDS = 3
SLACK = 0.3  # seconds


def assert_linear(parser: Parser, piece: str, *, size: int = SMALL) -> None:
    """Parse a piece over and over, and six times as much of it, within far less than six times six the time.

    Processor time of the best of several rounds: what else runs here, and what other tests left on the heap
    for the collector to walk, must not matter.
    """
    small = _seconds(parser, (piece * (size // len(piece) + 1)).encode())
    large = _seconds(parser, (piece * (STEP * size // len(piece) + 1)).encode(), enough=2.5 * STEP * small + SLACK)
    assert large < 2.5 * STEP * small + SLACK, f"{small:.3f} s became {large:.3f} s"


def _seconds(parser: Parser, data: bytes, *, enough: float = 0.0) -> float:
    """The best of the rounds; no further one is needed below ``enough``."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(ROUNDS):
            start = time.process_time()
            with suppress(DocumentError):  # in words, which other tests look at
                parser.parse(data, ParseContext(filename="a"))
            best = min(best, time.process_time() - start)
            if best < enough:
                break
    finally:
        gc.enable()
    return best
