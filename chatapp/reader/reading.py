"""Blocks as their parser left them, with where the indexed passages begin and end in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatapp.markup.inline import Range
from chatapp.reader.yields import known_number
from knowledge.types import Block, BlockKind

SHOWN_BLOCKS = 200
SHOWN_CHARACTERS = 60_000
LONGEST = 5_000  # characters of one block that are shown
_LONGEST_FACT = 120

KINDS: Mapping[BlockKind, tuple[str, str]] = {
    BlockKind.TITLE: ("T", "Title"),
    BlockKind.HEADING: ("H", "Heading"),
    BlockKind.PARAGRAPH: ("P", "Paragraph"),
    BlockKind.LIST_ITEM: ("L", "List item"),
    BlockKind.TABLE_ROW: ("R", "Table row"),
    BlockKind.CAPTION: ("C", "Caption"),
    BlockKind.CODE: ("Co", "Code"),
    BlockKind.FOOTNOTE: ("Fn", "Footnote"),
    BlockKind.FURNITURE: ("Hf", "Header or footer"),
    BlockKind.NOTE: ("N", "Note"),
}
"""The sign and the words for each kind of block."""

_SOURCES = {"ocr": "read by OCR", "ocr-layer": "from the layer of a scanner"}
_FLAGS = {
    "hidden": "hidden in the file",
    "invisible": "nobody can see it on the page",
    "alternative": "description of a picture",
    "quoted": "quoted",
    "output": "output",
}


@dataclass(frozen=True, slots=True)
class Cut:
    """A range of the text that is indexed; ``number`` counts from 1."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a block's text, or the border of a passage."""

    kind: str  # "text", "begin" or "end"
    text: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """One block as the page lists it. ``place`` counts the blocks in reading order, from 1."""

    ordinal: int
    place: int
    kind: str
    sign: str
    name: str
    path: tuple[str, ...]
    start: int
    end: int
    parts: tuple[Part, ...]
    more: int  # characters that are not shown
    facts: tuple[str, ...]
    searched: bool

    @property
    def label(self) -> str:
        words = " ".join("".join(part.text for part in self.parts)[:80].split())
        return f"{self.place}, {self.name}: {words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockWindow:
    """Some of the blocks: those from the offset asked for on."""

    blocks: tuple[Block, ...]
    first: int  # place of the first one among all, from 1
    total: int
    previous: int | None  # offset that the window before this one begins at
    following: int | None

    @property
    def last(self) -> int:
        return self.first + len(self.blocks) - 1


def blocks_on(blocks: Sequence[Block], page: int | None) -> Sequence[Block]:
    """Return the blocks that stand on a page, those that begin or end overleaf included; all without a page."""
    if page is None:
        return blocks
    return [
        block
        for block in blocks
        if block.page_first is not None and block.page_first <= page <= (block.page_last or block.page_first)
    ]


def window_of(blocks: Sequence[Block], begin: int) -> BlockWindow:
    """Return the blocks to show at once, from the one that holds the offset on."""
    first = next((at for at, block in enumerate(blocks) if block.end > begin), max(0, len(blocks) - 1))
    last, characters = first, 0
    while last < len(blocks) and last - first < SHOWN_BLOCKS and characters < SHOWN_CHARACTERS:
        characters += min(LONGEST, blocks[last].end - blocks[last].start)
        last += 1
    return BlockWindow(
        blocks=tuple(blocks[first:last]),
        first=min(first + 1, len(blocks)),
        total=len(blocks),
        previous=blocks[max(0, first - SHOWN_BLOCKS)].start if first else None,
        following=blocks[last].start if last < len(blocks) else None,
    )


def block_views(text: str, shown: BlockWindow, cuts: Sequence[Cut]) -> list[BlockView]:
    """Return the blocks of a window as the page lists them."""
    return [_view(text, block, shown.first + at, cuts) for at, block in enumerate(shown.blocks)]


def _view(text: str, block: Block, place: int, cuts: Sequence[Cut]) -> BlockView:
    sign, name = KINDS[block.kind]
    level = str(block.level) if block.level and block.kind is BlockKind.HEADING else ""
    end = min(block.end, block.start + LONGEST)
    return BlockView(
        ordinal=block.ordinal,
        place=place,
        kind=block.kind.value,
        sign=sign + level,
        name=f"{name} {level}".strip(),
        path=block.heading_path,
        start=block.start,
        end=block.end,
        parts=tuple(_parts(text, (block.start, end), cuts)),
        more=block.end - end,
        facts=tuple(_facts(block.attrs)),
        searched=block.kind is not BlockKind.FURNITURE and not block.attrs.get("invisible"),
    )


def _parts(text: str, shown: Range, cuts: Sequence[Cut]) -> Iterator[Part]:
    """Cut the text of a block where passages begin and end; an end comes before a beginning at the same place."""
    start, end = shown
    borders = [(cut.end, "end", cut.number) for cut in cuts if start < cut.end <= end]
    borders += [(cut.start, "begin", cut.number) for cut in cuts if start <= cut.start < end]
    position = start
    for at, kind, number in sorted(borders, key=lambda border: (border[0], border[1] == "begin", border[2])):
        if position < at:
            yield Part("text", text[position:at])
            position = at
        yield Part(kind, number=number)
    if position < end:
        yield Part("text", text[position:end])


def _facts(attrs: Mapping[str, Any]) -> Iterator[str]:
    """Say what the parser noted of a block; a name this page does not know is shown as it stands."""
    for name, value in attrs.items():
        if name in _FLAGS and value is True:
            yield _FLAGS[name]
        elif name == "source":
            yield _SOURCES.get(str(value), f"source: {value}")
        elif name == "confidence" and (sure := known_number(value)) is not None:
            yield f"{int(100 * sure)} % sure"
        elif name == "cells" and isinstance(value, list):
            yield f"{len(value)} cell{'' if len(value) == 1 else 's'}"
        elif name == "time" and isinstance(value, list):
            yield f"at {' to '.join(_clock(second) for one in value if (second := known_number(one)) is not None)}"
        else:
            yield _short(f"{name.replace('_', ' ')}: {_words(value)}")


def _words(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST_FACT else f"{words[:_LONGEST_FACT]} …"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"
