"""Charts as tables: the names and values that a chart part keeps beside its drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.office import tidy
from knowledge.parsing.ooxml_parts import drawing_texts
from knowledge.parsing.tables import CellBudget, Row, add_table
from knowledge.types import BlockKind

if TYPE_CHECKING:
    from lxml.etree import _Element

C: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DATES = re.compile(r"[dy]")
_LITERALS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')  # of a number format: not part of its pattern
_DAYS: Final = 2_958_465  # the year 9999

Values = dict[int, str]  # by the index of the point


def add_chart(builder: TextBuilder, root: _Element, budget: CellBudget, attrs: Mapping[str, Any]) -> None:
    """Append the titles of a chart and a row for each category with the value of each series."""
    chart = root.find(f"{C}chart")
    if chart is None:
        return
    for title in chart.iter(f"{C}title"):
        builder.add(BlockKind.CAPTION, _name(title), attrs=attrs)
    epoch = datetime(1904, 1, 1) if _is_on(root.find(f"{C}date1904")) else datetime(1899, 12, 30)  # noqa: DTZ001
    columns: list[tuple[str, Values]] = []
    categories: Values = {}
    for series in chart.iter(f"{C}ser"):
        for name in ("cat", "xVal"):
            if not categories and (found := series.find(f"{C}{name}")) is not None:
                categories = _points(found, epoch)
        values = next((found for name in ("val", "yVal") if (found := series.find(f"{C}{name}")) is not None), None)
        columns.append((_name(series), _points(values, epoch) if values is not None else {}))
    indexes = sorted(set(categories).union(*(values for _, values in columns)))
    budget.pay(times=(len(indexes) + 1) * (len(columns) + 1))
    names: Row = ["", *(name for name, _ in columns)]
    grid = [names]
    for at in indexes:
        grid.append([categories.get(at, ""), *(values.get(at, "") for _, values in columns)])
    if any(names) or indexes:
        add_table(builder, grid, marked=True, attrs=attrs)


def _is_on(flag: _Element | None) -> bool:
    return flag is not None and flag.get("val") not in ("0", "false")


def _name(element: _Element) -> str:
    """The text of a title or the name of a series, written or taken over from a cell."""
    text = element.find(f"{C}tx")
    if text is None:
        return ""
    return tidy(" ".join(drawing_texts(text) or [point.text or "" for point in text.iter(f"{C}v")]))


def _points(element: _Element, epoch: datetime) -> Values:
    levels = list(element.iter(f"{C}lvl"))  # the innermost first
    found = _plain_points(levels[0] if levels else element, epoch)
    for level in levels[1:]:
        outer, current = _plain_points(level, epoch), ""
        for at in sorted(found):
            current = outer.get(at, current)
            found[at] = f"{current} {found[at]}".strip()
    return found


def _plain_points(element: _Element, epoch: datetime) -> Values:
    found: Values = {}
    shared = element.findtext(f".//{C}formatCode") or ""
    numbers = element.find(f".//{C}numCache") is not None or element.find(f".//{C}numLit") is not None
    for point in element.iter(f"{C}pt"):
        index = point.get("idx") or ""
        text = tidy(point.findtext(f"{C}v") or "").replace("\n", " ")
        if index.isdecimal() and len(index) < 10 and text:
            found[int(index)] = _number(text, point.get("formatCode") or shared, epoch) if numbers else text
    return found


def _number(text: str, pattern: str, epoch: datetime) -> str:
    """A number without the noise of its binary form, or the date that it stands for."""
    try:
        value = float(text)
    except ValueError:
        return text
    if _DATES.search(_LITERALS.sub("", pattern).lower()) and 0 < value < _DAYS - 1500:
        moment = epoch + timedelta(days=value)
        return moment.date().isoformat() if value == int(value) else moment.isoformat(" ", "minutes")
    return f"{value:.15g}"
