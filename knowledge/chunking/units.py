"""The parts of a document that a chunk is packed from, grouped by section."""

from __future__ import annotations

from bisect import bisect_right
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
    """Headings that directly follow each other, each below the one before or below level 2, and what stands below
    them up to the next heading.

    No furniture lies between the first and the last unit.
    """

    path: tuple[str, ...]
    units: list[Unit] = field(default_factory=list)
    headings: int = 0  # the first so many units are headings
    level: int | None = None  # of the last of these
    after_furniture: bool = False  # furniture lies between this section and the one before


def sections(document: ParsedDocument) -> Iterator[Section]:
    """Yield the sections in order; together they hold all text outside furniture. None reaches over two slides."""
    current = Section(path=())
    slides = _Slides(document)
    for block, unit in _units(document):
        if block is not None and not is_read(block):
            if current.units:
                yield current
            current = Section(path=current.path, after_furniture=True)
            continue
        if unit is not None and slides.turned(unit.start) and current.units:
            yield current
            current = Section(path=())
        if block is not None and block.kind in OPENING and unit is not None:
            if len(current.units) > current.headings or _is_sibling(block, current):
                yield current
                current = Section(path=())
            current.path, current.level = own_path(document.text, block), block.level
            current.units.append(unit)
            current.headings += 1
        elif unit is not None:
            if len(current.units) == current.headings and block is not None:
                current.path = block.heading_path
            current.units.append(unit)
    if current.units:
        yield current


def _is_sibling(block: Block, current: Section) -> bool:
    """Tell whether a heading of level 1 or 2 ends what the heading directly before it began."""
    return block.level in (1, 2) and current.level is not None and block.level <= current.level


class _Slides:
    """Where slides begin: pages without a size. Text flows over printed pages, which have one."""

    def __init__(self, document: ParsedDocument) -> None:
        self._starts = [page.start for page in document.pages if not page.width]
        self._at = 0

    def turned(self, offset: int) -> bool:
        """Tell whether a slide began since the last offset; these ascend."""
        at = bisect_right(self._starts, offset)
        before, self._at = self._at, at
        return at > before


def own_path(text: str, block: Block) -> tuple[str, ...]:
    """Return the headings a block stands under, a heading's own words among them."""
    if block.kind is not BlockKind.HEADING:
        return block.heading_path
    heading = " ".join(text[block.start : block.end].lstrip("#").split())
    return (*block.heading_path, heading[:300])


def is_read(block: Block) -> bool:
    """Tell whether people read this block: no page header or footer, and nothing hidden from their eyes.

    What nobody sees is neither found nor cited: it cannot be checked, and it may be there to instruct a model.
    """
    return block.kind is not BlockKind.FURNITURE and not block.attrs.get("invisible")


def _units(document: ParsedDocument) -> Iterator[tuple[Block | None, Unit | None]]:
    """Yield blocks as units, and the text no block holds (markup between blocks) as units without one."""
    position = 0
    for block in document.blocks:
        yield from _gap(document.text, position, block.start)
        position = max(position, block.end)
        if not is_read(block):
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
