"""What one chunk of a stream holds, whichever provider it is of."""

from __future__ import annotations

from dataclasses import dataclass

from knowledge.llm.types import NativeCitation, Usage

__all__ = ["Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk. ``alive`` says that the model produced something, be it hidden reasoning."""

    text: str = ""
    alive: bool = False
    finish: str | None = None
    usage: Usage | None = None
    citation: NativeCitation | None = None
