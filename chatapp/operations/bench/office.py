"""What must come out of each file of an office collection (``expected.jsonl``), and what does not."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import (
    DocumentEmpty,
    DocumentEncrypted,
    DocumentError,
    DocumentWithoutText,
    KnowledgeError,
    UnsupportedFormat,
)
from knowledge.types import ParsedDocument


@dataclass(frozen=True)
class Expected:
    """One row of expected.jsonl; ``places`` are page or slide numbers, sheet names, or None."""

    file: Path
    row: dict[str, Any]

    @property
    def data(self) -> bytes:
        return self.file.read_bytes()


def expectations(folder: Path) -> tuple[Expected, ...]:
    """Return every row whose file is there; none without the folder."""
    if not (folder / "expected.jsonl").is_file():
        return ()
    lines = (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    found = [Expected(folder / row["file"], row) for row in map(json.loads, lines)]
    return tuple(one for one in found if one.file.is_file())


def folded(text: str) -> str:
    """Fold white space and ligatures."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


REFUSALS: dict[str, tuple[type[KnowledgeError], ...]] = {
    "needs_ocr": (DocumentWithoutText,),
    "password": (DocumentEncrypted,),
    "empty": (DocumentEmpty, DocumentWithoutText),
    "unreadable": (DocumentError,),
}
"""The errors that are the right answer, by what a row expects. A file that needs OCR may also be read with it."""


def judged(row: dict[str, Any], outcome: ParsedDocument | KnowledgeError) -> list[str]:
    """Say what of a row is not met by a parsed document or by the error instead of one.

    An optional file may be refused, but only as a kind that is not supported.
    """
    expect = row["expect"]
    if isinstance(outcome, ParsedDocument):
        return unmet(outcome, row) if expect in ("ok", "needs_ocr") else [f"read, though {expect} was expected"]
    if row.get("optional") and isinstance(outcome, UnsupportedFormat):
        return []
    if isinstance(outcome, REFUSALS.get(expect, ())):
        return []
    return [f"{type(outcome).__name__}: {outcome.message}"]


def unmet(document: ParsedDocument, row: dict[str, Any]) -> list[str]:
    """Say which expectations of a readable file the parsed document does not meet."""
    return list(_unmet(document, row))


def _unmet(document: ParsedDocument, row: dict[str, Any]) -> Iterator[str]:
    text = folded(document.text)
    for snippet in row["snippets"]:
        if folded(snippet["text"]) not in text:
            yield f"missing: {snippet['text']}"
        elif snippet["place"] is not None and folded(snippet["text"]) not in folded(at(document, snippet["place"])):
            yield f"not at {snippet['place']}: {snippet['text']}"
    for first, second in row.get("order", ()):
        if not 0 <= text.find(folded(first)) < text.find(folded(second)):
            yield f"not in this order: {first} ... {second}"
    for absent in row.get("absent", ()):
        if folded(absent) in text:
            yield f"should not come out: {absent}"
    for once in row.get("once", ()):
        if text.count(folded(once)) != 1:
            yield f"{text.count(folded(once))} times instead of once: {once}"
    if "pages" in row and len(document.pages) != row["pages"]:
        yield f"{len(document.pages)} pages instead of {row['pages']}"


def at(document: ParsedDocument, place: int | str) -> str:
    """Return the text of a page or slide by its number, of a sheet by its name."""
    if isinstance(place, int):
        return "".join(document.text[page.start : page.end] for page in document.pages if page.number == place)
    inside = [block for block in document.blocks if place in block.heading_path or _is_heading(document, block, place)]
    return " ".join(document.text[block.start : block.end] for block in inside)


def _is_heading(document: ParsedDocument, block: Any, name: str) -> bool:
    return block.level is not None and document.text[block.start : block.end] == name
