"""Plain text: the decoded source verbatim, one block per paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from knowledge.errors import DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import BlockList
from knowledge.parsing.decode import decode
from knowledge.parsing.invisible import invisible_characters
from knowledge.types import BlockKind, ParsedDocument


class TextParser:
    name: ClassVar[str] = "text"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = ("text/plain",)
    extensions: ClassVar[tuple[str, ...]] = (".txt", ".text", ".log")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        blocks = BlockList()
        for start, end in paragraphs(text, 0, len(text)):
            blocks.add(BlockKind.PARAGRAPH, start, end)
        if not blocks.blocks:
            raise DocumentWithoutText("The file holds nothing but white space.")
        return ParsedDocument(
            text=text,
            blocks=tuple(blocks.blocks),
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            warnings=invisible_characters(text),
        )


_VISIBLE = re.compile(r"\S")


def paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of runs of lines that are not blank, without outer white space."""
    first: int | None = None
    last = position = start
    while position < end:
        if first is None:  # past any number of blank lines at once
            word = _VISIBLE.search(text, position, end)
            if word is None:
                return
            position = word.start()
        stop = text.find("\n", position, end)
        stop = end if stop < 0 else stop
        line = text[position:stop]
        if line and not line.isspace():
            if first is None:
                first = position + len(line) - len(line.lstrip())
            last = position + len(line.rstrip())
        elif first is not None:
            yield first, last
            first = None
        position = stop + 1
    if first is not None:
        yield first, last
