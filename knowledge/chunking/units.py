"""The parts of a document that a chunk is packed from, grouped by section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from knowledge.chunking.cutting import strip
from knowledge.types import Block, BlockKind, ParsedDocument

OPENING = (BlockKind.HEADING, BlockKind.TITLE)


@dataclass(slots=True)
class Unit:
    """A range that is packed whole where it fits."""

    start: int
    end: int
    kind: BlockKind
    page_first: int | None = None
    page_last: int | None = None
    filler: bool = False  # no letter or digit in it, such as a rule between sections


@dataclass(slots=True)
class Section:
    """Headings that directly follow each other, and what stands below them up to the next heading.

    No furniture lies between the first and the last unit.
    """

    path: tuple[str, ...]
    units: list[Unit] = field(default_factory=list)
    headings: int = 0  # the first so many units are headings
    after_furniture: bool = False  # furniture lies between this section and the one before


def sections(document: ParsedDocument) -> Iterator[Section]:
    """Yield the sections in order; together they hold all text outside furniture."""
    current = Section(path=())
    for block, unit in _units(document):
        if block is not None and not _is_read(block):
            if current.units:
                yield current
            current = Section(path=current.path, after_furniture=True)
        elif block is not None and block.kind in OPENING and unit is not None:
            if len(current.units) > current.headings:
                yield current
                current = Section(path=())
            current.path = _own_path(document.text, block)
            current.units.append(unit)
            current.headings += 1
        elif unit is not None:
            if len(current.units) == current.headings and block is not None:
                current.path = block.heading_path
            current.units.append(unit)
    if current.units:
        yield current


def _own_path(text: str, block: Block) -> tuple[str, ...]:
    if block.kind is BlockKind.TITLE:
        return block.heading_path
    heading = " ".join(text[block.start : block.end].lstrip("#").split())
    return (*block.heading_path, heading[:300])


def _is_read(block: Block) -> bool:
    """Whether people read this block: no page header or footer, and nothing hidden from their eyes.

    What nobody sees is neither found nor cited: it cannot be checked, and it may be there to instruct a model.
    """
    return block.kind is not BlockKind.FURNITURE and not block.attrs.get("invisible")


def _units(document: ParsedDocument) -> Iterator[tuple[Block | None, Unit | None]]:
    """Yield blocks as units, and the text no block holds (markup between blocks) as units without one."""
    position = 0
    for block in document.blocks:
        yield from _gap(document.text, position, block.start)
        position = max(position, block.end)
        if not _is_read(block):
            yield block, None
            continue
        stripped = strip(document.text, block.start, block.end)
        if stripped:
            yield block, Unit(*stripped, block.kind, block.page_first, block.page_last)
    yield from _gap(document.text, position, len(document.text))


def _gap(text: str, start: int, end: int) -> Iterator[tuple[None, Unit]]:
    stripped = strip(text, start, end)
    if stripped:
        filler = not any(c.isalnum() for c in text[stripped[0] : stripped[1]])
        yield None, Unit(*stripped, BlockKind.PARAGRAPH, filler=filler)
