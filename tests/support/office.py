"""The real office files beside the checkout (shared/data/office) and what must come out of each."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from knowledge.types import ParsedDocument

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "office"


@dataclass(frozen=True)
class Expected:
    """One row of expected.jsonl; ``places`` are page or slide numbers, sheet names, or None."""

    file: Path
    row: dict[str, Any]

    @property
    def data(self) -> bytes:
        return self.file.read_bytes()


@cache
def rows() -> tuple[Expected, ...]:
    """Every row whose file is there; none without the data folder."""
    if not FOLDER.is_dir():
        return ()
    lines = (FOLDER / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    found = [Expected(FOLDER / row["file"], row) for row in map(json.loads, lines)]
    return tuple(one for one in found if one.file.is_file())


def of_format(*formats: str) -> list[Any]:
    """Parameters for ``pytest.mark.parametrize``: the rows of these formats, or one that is skipped with the reason."""
    found = [pytest.param(one, id=one.file.name) for one in rows() if one.row["format"] in formats]
    skipped = pytest.param(None, marks=pytest.mark.skip(reason=f"no office files at {FOLDER}"))
    return found or [skipped]


def folded(text: str) -> str:
    """Fold white space and ligatures, as the data's README asks."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


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
    """The text of a page or slide by its number, of a sheet by its name."""
    if isinstance(place, int):
        return "".join(document.text[page.start : page.end] for page in document.pages if page.number == place)
    inside = [block for block in document.blocks if place in block.heading_path or _is_heading(document, block, place)]
    return " ".join(document.text[block.start : block.end] for block in inside)


def _is_heading(document: ParsedDocument, block: Any, name: str) -> bool:
    return block.level is not None and document.text[block.start : block.end] == name
