"""Text bodies and tables of slides as blocks: paragraphs, list items with their numbers, rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.numerals import Numerals, numeral
from knowledge.parsing.ooxml_parts import A, drawing_text, drawing_texts
from knowledge.parsing.pptx_layout import Bullet, Layout, bullet, bullets, level_of, placeholder_of
from knowledge.parsing.tables import CellBudget, Row, add_table
from knowledge.types import BlockKind

if TYPE_CHECKING:
    from lxml.etree import _Element

_SCHEMES: Final = (
    ("arabic", Numerals.DECIMAL), ("alphaLc", Numerals.LOWER_LETTER), ("alphaUc", Numerals.UPPER_LETTER),
    ("romanLc", Numerals.LOWER_ROMAN), ("romanUc", Numerals.UPPER_ROMAN),
)  # fmt: skip
_AROUND: Final = {"Period": "{}.", "ParenBoth": "({})", "ParenR": "{})", "Plain": "{}"}


class Counter:
    """Numbers the paragraphs of one text body."""

    def __init__(self) -> None:
        self._at: dict[int, tuple[Bullet, int]] = {}

    def number(self, level: int, sign: Bullet | None) -> str:
        """The number before the next paragraph; a sign or nothing before it ends the counting."""
        for deeper in [known for known in self._at if known > level]:
            del self._at[deeper]
        if sign is None or not sign.scheme:
            self._at.pop(level, None)
            return ""
        before = self._at.get(level)
        value = before[1] + 1 if before and before[0] == sign else sign.first
        self._at[level] = (sign, value)
        return _written(value, sign.scheme)


def _written(value: int, scheme: str) -> str:
    kind = next((kind for start, kind in _SCHEMES if scheme.startswith(start)), Numerals.DECIMAL)
    around = next((form for end, form in _AROUND.items() if scheme.endswith(end)), "{}.")
    return around.format(numeral(value, kind))


def add_body(builder: TextBuilder, shape: _Element, body: _Element, layout: Layout, attrs: Mapping[str, Any]) -> None:
    """Append the paragraphs of a shape's text."""
    own = bullets(body.find(f"{A}lstStyle"))
    placeholder = placeholder_of(shape)
    counter = Counter()
    for paragraph in body.iterfind(f"{A}p"):
        text = drawing_text(paragraph)
        if not text:
            continue
        properties = paragraph.find(f"{A}pPr")
        level = level_of(properties)
        sign = bullet(properties) or own[level]
        if sign is None and placeholder is not None:
            sign = layout.bullet(*placeholder, level)
        number = counter.number(level, sign)
        kind = BlockKind.LIST_ITEM if sign is not None and sign.shown else BlockKind.PARAGRAPH
        builder.add(kind, f"{number} {text}" if number else text, attrs=attrs)


def add_slide_table(builder: TextBuilder, table: _Element, budget: CellBudget, attrs: Mapping[str, Any]) -> None:
    """Append the rows of a table; a cell merged over rows is repeated in each of them."""
    merged: dict[int, str] = {}
    grid = [_cells(row, merged, budget) for row in table.iterfind(f"{A}tr")]
    properties = table.find(f"{A}tblPr")
    marked = properties is not None and properties.get("firstRow") in ("1", "true")
    if grid:
        add_table(builder, grid, marked=marked, attrs=attrs)


def _cells(row: _Element, merged: dict[int, str], budget: CellBudget) -> Row:
    texts: Row = []
    for column, cell in enumerate(row.iterfind(f"{A}tc")):
        text: str | None = " ".join(" ".join(drawing_texts(cell)).split())
        if cell.get("hMerge") in ("1", "true"):
            text = text or None
        elif cell.get("vMerge") in ("1", "true"):
            text = text or merged.get(column, "")
        else:
            merged[column] = text or "" if (cell.get("rowSpan") or "1") != "1" else ""
        budget.pay(text)
        texts.append(text)
    return texts
