"""Numbers of Word paragraphs, counted as Word counts them when it draws them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from knowledge.parsing.docx_styles import Styles, W, attribute
from knowledge.parsing.numerals import Numerals, numeral

if TYPE_CHECKING:
    from lxml.etree import _Element

_FORMATS: Final = {
    "decimal": Numerals.DECIMAL, "lowerLetter": Numerals.LOWER_LETTER, "upperLetter": Numerals.UPPER_LETTER,
    "lowerRoman": Numerals.LOWER_ROMAN, "upperRoman": Numerals.UPPER_ROMAN,
}  # fmt: skip
_PLACE = re.compile(r"%([1-9])")
_LEVELS: Final = 9


@dataclass(frozen=True, slots=True)
class _Level:
    numerals: Numerals | None  # None: a sign, nothing, or a way of counting that we do not know
    pattern: str  # "%1.%2)"
    first: int
    legal: bool  # write the numbers of the levels above in digits

    @classmethod
    def read(cls, element: _Element) -> _Level:
        kind = element.find(f"{W}numFmt")
        pattern, first = element.find(f"{W}lvlText"), element.find(f"{W}start")
        return cls(
            _FORMATS.get(attribute(kind, "val")) if kind is not None else Numerals.DECIMAL,
            attribute(pattern, "val")[:50] if pattern is not None else "",
            number(attribute(first, "val"), 1) if first is not None else 1,
            element.find(f"{W}isLgl") is not None,
        )


def number(value: str, default: int) -> int:
    return int(value) if value.isdecimal() and len(value) < 7 else default


@dataclass(frozen=True, slots=True)
class _List:
    """A list of the document: the definition it counts with and what it changes in it."""

    definition: str
    levels: dict[int, _Level]
    starts: dict[int, int]


class Numbering:
    """Tells the number that stands before each paragraph; ask once a paragraph, in document order."""

    def __init__(self, root: _Element | None, styles: Styles) -> None:
        self._styles = styles
        self._lists: dict[str, _List] = {}
        self._by_style: dict[tuple[str, str], int] = {}  # (definition, paragraph style): level
        self._counts: dict[str, dict[int, int]] = {}  # by definition, by level
        self._begun: set[tuple[str, int]] = set()  # the starts of lists that were applied
        if root is not None:
            self._read(root)

    def _read(self, root: _Element) -> None:
        definitions = {attribute(found, "abstractNumId"): found for found in root.iterfind(f"{W}abstractNum")}
        read: dict[str, dict[int, _Level]] = {}
        for entry in root.iterfind(f"{W}num"):
            reference = entry.find(f"{W}abstractNumId")
            name = attribute(reference, "val") if reference is not None else ""
            if name not in definitions:
                continue
            if name not in read:
                read[name] = _levels(definitions[name])
                self._counts[name] = {}
                for element in definitions[name].iterfind(f"{W}lvl"):
                    if (style := element.find(f"{W}pStyle")) is not None:
                        self._by_style[name, attribute(style, "val")] = number(attribute(element, "ilvl"), 0)
            starts: dict[int, int] = {}
            levels = read[name]
            for change in entry.iterfind(f"{W}lvlOverride"):
                level = number(attribute(change, "ilvl"), 0)
                levels = {**levels, **_levels(change)}
                if (start := change.find(f"{W}startOverride")) is not None:
                    starts[level] = number(attribute(start, "val"), 1)
            self._lists[attribute(entry, "numId")] = _List(name, levels, starts)

    def before(self, paragraph: _Element) -> str:
        """The number before a paragraph as it is written, "2.1" or "iv)"; empty where there is none to be known."""
        found = self._styles.numbering_of(paragraph)
        if found is None or (known := self._lists.get(found.list)) is None:
            return ""
        level = number(found.level, 0) if found.level else self._by_style.get((known.definition, found.style), 0)
        definition = known.levels.get(level)
        if definition is None:
            return ""
        counts = self._counts[known.definition]
        if level in known.starts and (found.list, level) not in self._begun:
            self._begun.add((found.list, level))
            counts[level] = known.starts[level]
        else:
            counts[level] = counts[level] + 1 if level in counts else definition.first
        for deeper in range(level + 1, _LEVELS):
            counts.pop(deeper, None)
        return _written(definition, known.levels, counts) if definition.numerals else ""


def _levels(parent: _Element) -> dict[int, _Level]:
    found = {number(attribute(level, "ilvl"), 0): _Level.read(level) for level in parent.iterfind(f"{W}lvl")}
    return {level: definition for level, definition in found.items() if level < _LEVELS}


def _written(definition: _Level, levels: dict[int, _Level], counts: dict[int, int]) -> str:
    """Fill the pattern of a level; nothing when it shows a level whose numbers we do not know."""
    parts: list[str] = []
    end = 0
    for place in _PLACE.finditer(definition.pattern):
        level = int(place.group(1)) - 1
        shown = levels.get(level)
        if shown is None or shown.numerals is None:
            return ""
        value = counts.get(level, shown.first)
        kind = Numerals.DECIMAL if definition.legal else shown.numerals
        parts += (definition.pattern[end : place.start()], numeral(value, kind))
        end = place.end()
    return "".join((*parts, definition.pattern[end:])).strip()
