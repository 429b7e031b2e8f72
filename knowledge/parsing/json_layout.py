"""How JSON values read: rows for flat records, "path: value" lines for the rest, headings for what is nested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.types import BlockKind

__all__ = ["JsonLayout", "Members", "Value", "title_of"]

HEADING_LEVELS: Final = 4
MAX_HEADINGS: Final = 10_000
FIELDS: Final = 60  # values and containers of a record that is one row
INLINE: Final = 40  # items of an array within a line
INLINE_CHARACTERS: Final = 500
LONG_VALUE: Final = 500  # characters after which a value is no table cell
SHORT_VALUE: Final = 40  # characters of values that are written one after the other
MAX_BLOCKS: Final = 500_000
GROUPED: Final = 800  # characters of lines in one paragraph
ROWS: Final = 20  # objects by key, from which on each is a row
_LABELS: Final = ("title", "name", "subject", "label", "id")
_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")
_LINE_END: Final = re.compile(r"\r\n?")


class Members(tuple[tuple[str, Any], ...]):
    """An object: its pairs in order, repeated keys included."""

    __slots__ = ()


Scalar: TypeAlias = str | bool | None
Value: TypeAlias = Scalar | Members | list[Any]
Field = tuple[str, str]
"""``(path, text)``"""


class JsonLayout:
    """Writes values into ``builder``; raises ``DocumentTooLarge`` beyond ``most`` characters."""

    def __init__(self, *, most: int) -> None:
        self.builder = TextBuilder()
        self._most = most
        self._headings = self._blocks = 0

    def document(self, value: Value) -> None:
        """Write a whole file. One without any value writes nothing."""
        if isinstance(value, Members):
            self._members(value, level=1)
        elif isinstance(value, list):
            self._array("", value, level=1)
        else:
            self._add(BlockKind.PARAGRAPH, _text(value))

    def record(self, value: Value, number: int) -> None:
        """Write one line of JSON Lines, a row where it is flat."""
        self.builder.end_table()
        if not self._row(value, number):
            self._deep("", value, attrs={"row": number})

    def _members(self, members: Members, *, level: int, said: int | None = None) -> None:
        """Write an object: its own values first, then what is nested. ``said`` is the member its heading holds."""
        nested: list[tuple[str, Value]] = []
        lines: list[str] = []
        for position, (key, value) in enumerate(members):
            inline = _inline(value)
            if inline is None:
                nested.append((key, value))
            elif position != said:
                lines.append(_line(_key(key), inline))
        self._lines(lines)
        if len(nested) >= ROWS and len(nested) == len(members) and self._rows_by_key(nested):
            return
        for key, value in nested:
            self._nested(_key(key), value, level=level)

    def _nested(self, name: str, value: Value, *, level: int) -> None:
        """Write a container below a heading of its own, or as lines once headings are deep or many."""
        if level > HEADING_LEVELS or self._headings >= MAX_HEADINGS:
            self._deep(name, value)
            return
        if name.rpartition(".")[2] == "coordinates" and isinstance(value, list):
            self._aside(name, value)
            return
        said = _label(value)
        heading = name
        if said is not None and isinstance(value, Members) and name.endswith("]"):
            key, label = value[said]
            heading = f"{name} {key}: {_text(label)}"
        else:
            said = None
        self._headings += 1
        self._add(BlockKind.HEADING, heading or "[]", level=level)
        if isinstance(value, Members):
            self._members(value, level=level + 1, said=said)
        elif isinstance(value, list):
            self._array(name, value, level=level + 1)

    def _array(self, name: str, items: Sequence[Value], *, level: int) -> None:
        if not all(_is_simple(item) for item in items):
            for index, item in enumerate(items):
                self._item(f"{name}[{index}]", item, level=level)
            return
        values = [item for item in items if not isinstance(item, (Members, list))]
        if len(values) == len(items):
            self._values([_text(value) for value in values])
            return
        self.builder.end_table()
        for number, item in enumerate(items, start=1):
            if not self._row(item, number):
                self._add(BlockKind.LIST_ITEM, _inline(item) or "")

    def _values(self, texts: list[str]) -> None:
        """Write a long array of plain values: numbers and words one after the other, sentences as a list."""
        if any(len(text) > SHORT_VALUE for text in texts):
            for text in texts:
                self._add(BlockKind.LIST_ITEM, text)
        else:
            self._grouped(texts, ", ")

    def _item(self, name: str, item: Value, *, level: int) -> None:
        inline = _inline(item)
        if inline is None:
            self._nested(name, item, level=level)
        else:
            self._add(BlockKind.PARAGRAPH, _line(name, inline))

    def _row(self, item: Value, number: int) -> bool:
        """Write an object or array of few values as a row, as lines where a value is long; False when it is neither."""
        fields = _fields(item)
        if fields is None:
            return False
        asides = [(path, value) for path, value in fields if not isinstance(value, str)]
        shown = [(path, text) for path, text in fields if isinstance(text, str)]
        if any("\n" in text or len(text) > LONG_VALUE for _, text in shown):
            self._lines([_line(path, text) for path, text in shown], attrs={"row": number})
        else:
            row, cells = format_row([path for path, _ in shown], [" ".join(text.split()) for _, text in shown])
            self._add(BlockKind.TABLE_ROW, row, attrs={"row": number}, cells=cells)
        for path, value in asides:
            self._aside(path, value)
        return True

    def _rows_by_key(self, nested: Sequence[tuple[str, Value]]) -> bool:
        """Write many flat objects that are found by a key as rows that begin with it."""
        records = [_fields(value) for _, value in nested]
        if any(record is None or not all(isinstance(text, str) for _, text in record) for record in records):
            return False
        for number, ((key, _), record) in enumerate(zip(nested, records, strict=True), start=1):
            fields = [(path, " ".join(str(text).split())) for path, text in record or ()]
            row, cells = format_row(["", *(path for path, _ in fields)], [_key(key), *(text for _, text in fields)])
            self._add(BlockKind.TABLE_ROW, row, attrs={"row": number}, cells=cells)
        return True

    def _deep(self, name: str, value: Value, *, attrs: dict[str, Any] | None = None) -> None:
        self._lines((_line(path, text) for path, text in _leaves(name, value)), attrs=attrs)

    def _aside(self, name: str, value: Value) -> None:
        """Keep the many numbers of a shape in the text, where search does not stumble over them."""
        self._add(BlockKind.FURNITURE, f"{name}: {_compact(value)}")

    def _lines(self, lines: Iterable[str], *, attrs: dict[str, Any] | None = None) -> None:
        self._grouped(filter(None, lines), "\n", attrs=attrs)

    def _grouped(self, texts: Iterable[str], joint: str, *, attrs: dict[str, Any] | None = None) -> None:
        """Write texts as paragraphs of about 800 characters."""
        group: list[str] = []
        length = 0
        for text in texts:
            if group and length + len(text) > GROUPED:
                self._add(BlockKind.PARAGRAPH, joint.join(group), attrs=attrs)
                group, length = [], 0
            group.append(text)
            length += len(text) + len(joint)
        self._add(BlockKind.PARAGRAPH, joint.join(group), attrs=attrs)

    def _add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int | None = None,
        attrs: dict[str, Any] | None = None,
        cells: list[tuple[int, int]] | None = None,
    ) -> None:
        if len(self.builder) + len(text) > self._most:
            raise DocumentTooLarge(f"Written out as lines, the JSON has more than {self._most:,} characters.")
        self._blocks += 1
        if self._blocks > MAX_BLOCKS:
            raise DocumentTooLarge(f"The JSON holds more than {MAX_BLOCKS:,} records.")
        self.builder.add(kind, text, level=level, attrs=attrs, cells=cells)


def title_of(value: Value) -> str | None:
    """The title or name an object states of itself."""
    if not isinstance(value, Members):
        return None
    said = {key: text for key, text in value if isinstance(text, str) and key in ("title", "name")}
    return said.get("title") or said.get("name")


def _label(value: Value) -> int | None:
    """Position of the member that names an object among its like."""
    if not isinstance(value, Members):
        return None
    found = {key: at for at, (key, text) in enumerate(value[:FIELDS]) if isinstance(text, str) and 0 < len(text) <= 120}
    return next((found[key] for key in _LABELS if key in found), None)


def _is_simple(item: Value) -> bool:
    """Whether an item of an array needs no heading of its own."""
    if isinstance(item, Members) and len(item) < FIELDS and not any(isinstance(m, (Members, list)) for _, m in item):
        return True
    return _fields(item) is not None if isinstance(item, Members) else _inline(item) is not None


def _fields(item: Value) -> list[tuple[str, Any]] | None:
    """Return ``(path, text)`` of each value of a flat record; None when it is none.

    The shape of a map feature (``coordinates``) comes as a value instead of a text.
    """
    if isinstance(item, list) and item and all(not isinstance(cell, (Members, list)) for cell in item):
        return [("", _text(cell)) for cell in item] if len(item) <= FIELDS else None
    if not isinstance(item, Members):
        return None
    found: list[tuple[str, Any]] = []
    stack: list[tuple[str, Value]] = [("", item)]
    seen = 0
    while stack:
        path, value = stack.pop()
        seen += 1
        inline = _inline(value)
        if inline is not None:
            found.append((path, inline))
        elif isinstance(value, Members) and seen + len(stack) + len(value) <= FIELDS:
            stack += [(_joined(path, key), member) for key, member in reversed(value)]
        elif path.rpartition(".")[2] == "coordinates" and isinstance(value, list):
            found.append((path, value))
        else:
            return None
    return found


def _leaves(name: str, value: Value) -> Iterator[Field]:
    """Yield every value below one with its path, in order, without recursion and one path at a time."""
    stack: list[Iterator[tuple[str, Value]]] = [iter([(name, value)])]
    while stack:
        path, value = next(stack[-1], (None, None))
        if path is None:
            stack.pop()
        elif (inline := _inline(value)) is not None:
            yield path, inline
        else:
            stack.append(_children(path, value))


def _children(path: str, value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Members):
        return ((_joined(path, key), member) for key, member in value)
    items = value if isinstance(value, list) else ()
    return ((f"{path}[{index}]", item) for index, item in enumerate(items))


def _inline(value: Value) -> str | None:
    """The text of a value that fits into a line; None for objects and for long arrays."""
    if isinstance(value, Members):
        return None if value else "{}"
    if not isinstance(value, list):
        return _text(value)
    if not value:
        return "[]"
    if len(value) > INLINE or any(isinstance(item, Members) for item in value):
        return None
    if any(isinstance(item, list) for item in value):
        return _compact(value) if _count(value) <= INLINE else None
    text = ", ".join(_text(item) for item in value)
    return text if len(text) <= INLINE_CHARACTERS else None


def _count(value: Value) -> int:
    """How many values there are, objects counting as too many; stops when it is too many."""
    stack: list[Value] = [value]
    seen = 0
    while stack and seen <= INLINE:
        item = stack.pop()
        seen += 1
        if isinstance(item, Members) or (isinstance(item, list) and len(item) > INLINE):
            return INLINE + 1
        if isinstance(item, list):
            stack += item
    return seen


def _compact(value: Value) -> str:
    """Arrays in one line, ``[[1, 2], [3, 4]]``, without recursion."""
    parts: list[str] = []
    stack: list[tuple[bool, Value]] = [(False, value)]  # (is a mark, value)
    while stack:
        mark, item = stack.pop()
        if mark:
            parts.append(str(item))
        elif isinstance(item, (list, Members)):
            parts.append("[")
            stack.append((True, "]"))
            for position in range(len(item) - 1, -1, -1):
                member: Any = item[position]
                stack.append((False, list(member) if isinstance(item, Members) else member))
                if position:
                    stack.append((True, ", "))
        else:
            parts.append(_text(item))
    return "".join(parts)


def _text(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if "\r" in value:
        value = _LINE_END.sub("\n", value)
    return value if value.isascii() and "\0" not in value else _FORBIDDEN.sub("", value)


def _key(key: str) -> str:
    return _short_key(key) if len(key) <= SHORT_VALUE else _tidy(key)


@lru_cache(maxsize=1024)
def _short_key(key: str) -> str:
    return _tidy(key)


def _tidy(key: str) -> str:
    return " ".join(_FORBIDDEN.sub("", key).split())


def _joined(path: str, key: str) -> str:
    return f"{path}.{_key(key)}" if path else _key(key)


def _line(path: str, text: str) -> str:
    return f"{path}: {text}" if path and text.strip() else text if text.strip() else ""
