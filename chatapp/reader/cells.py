"""Names the cells of a table that a marked range touches: a number means little without its column."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.markup.inline import Range
from knowledge.types import Block, BlockKind

__all__ = ["Cell", "marked_cells", "place_in_table"]

MOST_NAMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: its column's name, and where it stands in a spreadsheet (empty in other tables)."""

    column: str
    reference: str = ""  # "C21"
    sheet: str = ""


def marked_cells(text: str, blocks: Sequence[Block], match: Range) -> list[Cell]:
    """Return the cells the range touches, in order; none outside tables that know their cells."""
    at = max(0, bisect_right(blocks, match[0], key=lambda block: block.start) - 1)
    found: list[Cell] = []
    for block in blocks[at:]:
        if block.start >= match[1]:
            break
        if block.kind is BlockKind.TABLE_ROW:
            found += _touched(text, block, match)
    return found


def _touched(text: str, block: Block, match: Range) -> list[Cell]:
    cells = block.attrs.get("cells") or []
    header = block.attrs.get("header") or []
    letters = block.attrs.get("columns") or []
    row = block.attrs.get("row", "")
    found: list[Cell] = []
    position = block.start
    for number, (start, end) in enumerate(cells):
        if start < match[1] and end > match[0]:
            name = header[number] if number < len(header) else _name_before(text, position, start)
            letter = letters[number] if number < len(letters) else ""
            found.append(
                Cell(column=name, reference=f"{letter}{row}" if letter else "", sheet=str(block.attrs.get("sheet", "")))
            )
        position = end
    return found


def _name_before(text: str, start: int, end: int) -> str:
    """The column name that stands in the text before a value: "; Rent: "."""
    before = text[start:end].strip("; \n\t")
    return before.removesuffix(":").strip() if before.endswith(":") else ""


def place_in_table(cells: Sequence[Cell]) -> str:
    """Say in words which cells these are; empty where there is nothing to say."""
    if not cells:
        return ""
    parts = []
    references = [cell.reference for cell in cells if cell.reference]
    if references:
        shown = references[0] if len(references) == 1 else f"{references[0]} to {references[-1]}"
        sheet = f" of sheet {cells[0].sheet}" if cells[0].sheet else ""
        parts.append(f"{'Cell' if len(references) == 1 else 'Cells'} {shown}{sheet}")
    names = list(dict.fromkeys(cell.column for cell in cells if cell.column))
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        word = "column" if len(names) == 1 else "columns"
        parts.append(f"{word} {', '.join(names[:MOST_NAMED])}{more}")
    sentence = ", ".join(parts)
    return sentence[:1].upper() + sentence[1:]
