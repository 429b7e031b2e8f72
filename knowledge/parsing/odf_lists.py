"""Numbers of OpenDocument list items, as their list styles write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from knowledge.parsing.numerals import Numerals, numeral
from knowledge.parsing.odf import STYLE, TEXT

if TYPE_CHECKING:
    from lxml.etree import _Element

_FORMATS: Final = {
    "1": Numerals.DECIMAL, "a": Numerals.LOWER_LETTER, "A": Numerals.UPPER_LETTER,
    "i": Numerals.LOWER_ROMAN, "I": Numerals.UPPER_ROMAN,
}  # fmt: skip
_LEVELS: Final = 10


@dataclass(frozen=True, slots=True)
class Level:
    """What stands before the items of one level: a number, with ``numerals``, a sign or nothing."""

    shown: bool
    numerals: Numerals | None
    before: str
    after: str
    levels: int  # how many numbers are shown, those of the levels above included
    first: int

    @classmethod
    def read(cls, style: _Element) -> Level:
        before, after = (style.get(f"{STYLE}num-prefix") or "")[:10], (style.get(f"{STYLE}num-suffix") or "")[:10]
        numerals = None
        shown = True
        if style.tag == f"{TEXT}list-level-style-number":
            numerals = _FORMATS.get(style.get(f"{STYLE}num-format") or "")
            shown = numerals is not None or bool(f"{before}{after}".strip())
        elif style.tag == f"{TEXT}list-level-style-bullet":
            shown = bool((style.get(f"{TEXT}bullet-char") or "").strip())
        levels = small(style.get(f"{TEXT}display-levels"), 1)
        return cls(shown, numerals, before, after, levels, small(style.get(f"{TEXT}start-value"), 1))


def small(value: str | None, default: int) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 7 else default


Levels = dict[int, Level]  # by level from 1


def list_styles(roots: tuple[_Element, ...]) -> dict[str, Levels]:
    """Every list style by its name; of two with one name the first, which is the automatic one, counts."""
    found: dict[str, Levels] = {}
    for root in roots:
        for style in root.iter(f"{TEXT}list-style"):
            levels: Levels = {}
            for entry in style:
                levels[small(entry.get(f"{TEXT}level"), 1)] = Level.read(entry)
            found.setdefault(style.get(f"{STYLE}name") or "", levels)
    return found


@dataclass(slots=True)
class OpenList:
    """A list that is being read, with the number of its last item and the lists around it."""

    levels: Levels
    depth: int = 1
    outer: OpenList | None = None
    last: int | None = None
    item: str | None = None  # the number before the next paragraph; None: the item has begun before

    @property
    def shown(self) -> bool:
        """Whether something stands before its items; so it is when the style does not tell."""
        level = self.levels.get(self.depth)
        return level is None or level.shown

    def begin_item(self, start: int | None, *, counted: bool = True) -> None:
        """Begin an item; ``start`` is a number it gives itself, a header is not ``counted``."""
        self.item = ""
        level = self.levels.get(self.depth)
        if level is None or level.numerals is None or not counted:
            return
        following = self.last + 1 if self.last is not None else level.first
        self.last = start if start is not None else following
        numbers = [numeral(self.last, level.numerals)]
        above = self.outer
        while above is not None and len(numbers) < min(level.levels, _LEVELS):
            shown = above.levels.get(above.depth)
            if shown is None or shown.numerals is None or above.last is None:
                break
            numbers.insert(0, numeral(above.last, shown.numerals))
            above = above.outer
        self.item = f"{level.before}{'.'.join(numbers)}{level.after}".strip()

    def take_number(self) -> str:
        """The number before the first paragraph of an item; nothing before its others."""
        number, self.item = self.item or "", None
        return number
