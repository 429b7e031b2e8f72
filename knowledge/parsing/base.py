"""What a parser plug-in is: one file in this folder, one class that satisfies ``Parser``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from knowledge.parsing.recognition import RecognisedPage
from knowledge.types import ParsedDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseLimits:
    """Limits of design section 7. A parser raises ``DocumentTooLarge`` when one is exceeded."""

    upload_bytes: int = 50 * 1024 * 1024
    inflated_bytes: int = 300 * 1024 * 1024
    inflate_ratio: int = 100
    archive_parts: int = 10_000
    pages: int = 5_000
    cells: int = 2_000_000
    xml_depth: int = 512
    html_depth: int = 512
    memory_bytes: int = 1024 * 1024 * 1024  # address space the child may add to its own
    cpu_seconds: int = 120
    wall_seconds: int = 300


@dataclass(slots=True, kw_only=True)
class Enclosed:
    """What the files inside one uploaded file have used up together, at any depth."""

    files: int = 0
    bytes: int = 0  # once inflated


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseContext:
    filename: str  # a label only, never opened
    limits: ParseLimits = ParseLimits()
    depth: int = 0  # how many files this one lies in
    enclosed: Enclosed = field(default_factory=Enclosed)  # shared by all files inside the uploaded one
    may_recognise: bool = False  # raise ``NeedsRecognition`` for pages that only hold pictures of text
    recognised: Mapping[int, RecognisedPage] | None = None  # what came of it, by page number


class Parser(Protocol):
    """Turns the bytes of one file into canonical text with blocks. Runs only in the child process."""

    name: ClassVar[str]
    version: ClassVar[str]  # raise it whenever the output for the same bytes may change
    media_types: ClassVar[tuple[str, ...]]
    extensions: ClassVar[tuple[str, ...]]  # lower case, with the dot

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        """Return the parsed document.

        :raises DocumentError: the file is empty, encrypted, damaged, without text or over a limit.
        """
        ...
