"""Source code: the decoded file verbatim; blocks are definitions with the comments above them.

A line that opens a class, a module or a section is a heading, so that what stands in it carries its name. A function
is one block with its comment. It is a heading only where it must end what a heading above has begun.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from knowledge.errors import DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import BlockList
from knowledge.parsing.decode import decode
from knowledge.parsing.formats import BY_MEDIA_TYPE, SOURCE
from knowledge.parsing.invisible import invisible_characters
from knowledge.parsing.lines import Line, lines
from knowledge.parsing.source_languages import leading_comment, syntax_of
from knowledge.types import BlockKind, ParsedDocument

MAX_BLOCKS: Final = 250_000
LONG: Final = 60  # lines of a block at most
ENOUGH: Final = 40  # lines after which a block ends at a blank line
DECORATORS: Final = 4  # lines above a definition that are part of its heading
_LEVELS: Final = 6


class SourceParser:
    name: ClassVar[str] = "source"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (SOURCE,)
    extensions: ClassVar[tuple[str, ...]] = BY_MEDIA_TYPE[SOURCE].extensions

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        blocks = _Cutter(text, context.filename).blocks()
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


class _Cutter:
    def __init__(self, text: str, filename: str) -> None:
        self._text = text
        self._syntax = syntax_of(filename)
        self._list = BlockList()
        self._block: list[Line] = []  # the lines of the block that is being collected
        self._attached = 0  # how many of its last lines belong to a definition that may follow
        self._containers: list[tuple[int, int | None]] = []  # (indent, indent of what it holds)
        self._level = 0  # of the last heading

    def blocks(self) -> BlockList:
        comment = leading_comment(self._text)
        if comment:
            start = len(self._text) - len(self._text.lstrip())
            self._list.add(
                BlockKind.PARAGRAPH, start, comment, attrs=self._attrs(1, self._text.count("\n", 0, comment) + 1)
            )
        for line in lines(self._text, comment):
            self._line(line)
            if len(self._list.blocks) > MAX_BLOCKS:
                raise DocumentTooLarge(f"The file holds more than {MAX_BLOCKS:,} definitions.")
        self._end()
        return self._list

    def _line(self, line: Line) -> None:
        _, start, end, indent, blank = line
        words = self._text[start : min(end, start + 4000)].strip()
        found = self._syntax.opens(words, indent)
        if found and found[0] == "section":
            self._end()
            self._heading([line], found[1])
        elif found and self._is_cut(indent):
            self._definition(line, container=found[0] == "container")
        else:
            if len(self._block) >= LONG or (blank and len(self._block) - self._attached >= ENOUGH):
                self._end(keep=self._attached if len(self._block) < LONG else 0)
            joins = self._syntax.attaches(words)
            self._attached = (1 if blank else self._attached + 1) if joins else 0
            self._block.append(line)

    def _is_cut(self, indent: int) -> bool:
        """Whether a definition this far in stands at the top of the file or directly in an open container."""
        while self._containers and self._containers[-1][0] >= indent:
            self._containers.pop()
        if not self._containers:
            return indent == 0
        outer, inner = self._containers[-1]
        if inner is None:
            self._containers[-1] = (outer, indent)
        return inner in (None, indent)

    def _definition(self, line: Line, *, container: bool) -> None:
        attached = 0 if line.after_blank else self._attached
        level = len(self._containers) + 1
        if not container and self._level < level:
            self._end(keep=attached)
            self._block.append(line)
            self._attached = 0
            return
        decorators = self._decorators(attached)
        head = self._block[len(self._block) - decorators :] if decorators else []
        self._block = self._block[: len(self._block) - decorators]
        self._end()
        self._heading([*head, line], level)
        if container:
            self._containers.append((line.indent, None))

    def _decorators(self, attached: int) -> int:
        """How many of the lines directly above are short marks of the definition and no comment."""
        count = 0
        while count < min(attached, DECORATORS):
            _, start, end, _, _ = self._block[-1 - count]
            if not self._text[start:end].lstrip().startswith(("@", "#[", "[")):
                break
            count += 1
        return count

    def _heading(self, head: list[Line], level: int) -> None:
        start, end = head[0][1], head[-1][2]
        start += len(self._text[start:end]) - len(self._text[start:end].lstrip())
        name = self._text[head[-1][1] : end].strip().rstrip("{(:").strip()
        self._level = min(level, _LEVELS)
        attrs = self._attrs(head[0][0], head[-1][0])
        self._list.add(BlockKind.HEADING, start, end, level=self._level, heading=name, attrs=attrs)

    def _end(self, *, keep: int = 0) -> None:
        """Close the block; its last ``keep`` lines begin the next."""
        done, self._block = self._block[: len(self._block) - keep], self._block[len(self._block) - keep :]
        self._attached = keep
        if done:
            self._list.add(BlockKind.CODE, done[0][1], done[-1][2], attrs=self._attrs(done[0][0], done[-1][0]))

    def _attrs(self, first: int, last: int) -> dict[str, Any]:
        return {"lines": [first, last], "language": self._syntax.language}
