"""Parsing: what must come out of real files, pages a second, memory of the child, and whether highlights are right."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chatapp.operations.bench import pdfs
from chatapp.operations.bench.highlights import Highlights, Original, compare, ranges, unboxed
from chatapp.operations.bench.office import Expected, expectations, judged
from knowledge.errors import KnowledgeError
from knowledge.parsing import ChildParser
from knowledge.types import ParsedDocument

RANGES = 500
BOOK_PAGES = 350
PAGE_CHARACTERS = 2_500
"""What counts as a page of a format without pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """One office file: what of its expectations is not met, and the seconds it took with a child that runs."""

    file: str
    format: str
    expect: str
    unmet: list[str]
    refused: str  # what people are told instead; empty where it was read
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Files of one format read by one fresh child; ``peak`` is the most memory it ever held (bytes, 0: unknown)."""

    name: str
    files: int
    pages: float
    seconds: float
    processor: float  # seconds of processor time the child took, which other programs do not change
    peak: int

    @property
    def pages_per_second(self) -> float:
        return self.pages / self.seconds if self.seconds else 0.0

    @property
    def pages_per_processor_second(self) -> float:
        return self.pages / self.processor if self.processor else 0.0


@dataclass(slots=True)
class Parsing:
    """Everything measured about parsing."""

    files: list[FileResult] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    highlights: Highlights = field(default_factory=Highlights)


def measure(folder: Path | None, *, say: Callable[[str], None], book_pages: int = BOOK_PAGES) -> Parsing:
    """Measure parsing on the office files of a folder, where there is one, and on PDFs made up here."""
    rows = expectations(folder) if folder is not None else ()
    result = Parsing()
    say("Reading files of all formats ...")
    with ChildParser() as parser:
        parser.parse(b"a first file", filename="first.txt")  # starts the child
        result.files = [read(parser, row) for row in rows]
    readable = [row for row, one in zip(rows, result.files, strict=True) if not one.refused]
    result.speeds = list(speeds(readable, book_pages=book_pages))
    say(f"Checking {RANGES} highlights ...")
    files = [(row.file.name, row.data) for row in readable if row.row["format"] == "pdf"]
    result.highlights = highlights([*files, *pdfs.trials().items()], count=RANGES)
    return result


def read(parser: ChildParser, row: Expected) -> FileResult:
    """Parse a file and judge what came out, or the error instead."""
    data = row.data
    began = time.perf_counter()
    outcome: ParsedDocument | KnowledgeError
    try:
        outcome = parser.parse(data, filename=row.file.name)
    except KnowledgeError as error:
        outcome = error
    seconds = time.perf_counter() - began
    return FileResult(
        file=row.file.name, format=row.row["format"], expect=row.row["expect"], unmet=judged(row.row, outcome),
        refused=outcome.message if isinstance(outcome, KnowledgeError) else "", seconds=round(seconds, 3),
    )  # fmt: skip


def speeds(rows: Sequence[Expected], *, book_pages: int) -> Iterator[Speed]:
    """Yield the speed of each format over its readable files, and of a whole book."""
    for name in sorted({row.row["format"] for row in rows}):
        yield speed(name, [(row.file.name, row.data) for row in rows if row.row["format"] == name])
    if book_pages:
        yield speed(f"pdf, a book of {book_pages} pages", [("book.pdf", pdfs.book(book_pages))])


def speed(name: str, files: Sequence[tuple[str, bytes]]) -> Speed:
    """Read the files one after the other with a fresh child, once to warm it and once by the clock."""
    pages = 0.0
    with ChildParser() as parser:
        parser.parse(files[0][1], filename=files[0][0])
        child = _child()
        used, began = _processor(child), time.perf_counter()
        for filename, data in files:
            document = parser.parse(data, filename=filename)
            pages += len(document.pages) or len(document.text) / PAGE_CHARACTERS
        seconds = time.perf_counter() - began
        return Speed(
            name=name, files=len(files), pages=round(pages, 2), seconds=round(seconds, 4),
            processor=round(max(0.0, _processor(child) - used), 2), peak=_peak(child),
        )  # fmt: skip


def _child() -> psutil.Process | None:
    """Return the newest parser child of this process."""
    found = [p for p in psutil.Process().children() if "knowledge.parsing.child" in " ".join(p.cmdline())]
    return max(found, key=lambda process: process.create_time(), default=None)


def _processor(child: psutil.Process | None) -> float:
    """Return the seconds of processor time a process took; 0 where it is gone."""
    try:
        times = child.cpu_times() if child else None
    except psutil.Error:
        return 0.0
    return float(times.user + times.system) if times else 0.0


def _peak(child: psutil.Process | None) -> int:
    """Return the most memory a process has held (bytes); 0 where nobody tells."""
    try:
        lines = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii").splitlines() if child else []
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def highlights(files: Sequence[tuple[str, bytes]], *, count: int, seed: int = 1) -> Highlights:
    """Check random ranges, about as many of each file."""
    random_ = random.Random(seed)  # noqa: S311 - the same ranges every time is the point
    result = Highlights()
    with ChildParser() as parser:
        for number, (name, data) in enumerate(files):
            document = parser.parse(data, filename=f"{number}.pdf")
            if document.boxes is None:
                continue
            result.unboxed += unboxed(document)
            share = count * (number + 1) // len(files) - count * number // len(files)
            with Original(data) as original:
                for start, end in ranges(document, share, random_):
                    result.count(name, compare(document, start, end, original.glyphs))
    return result
