"""reStructuredText: the decoded source verbatim; blocks are ranges found line by line, without running any of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar, Final

from knowledge.errors import DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import BlockList, clean_title
from knowledge.parsing.decode import decode
from knowledge.parsing.formats import RST
from knowledge.parsing.invisible import invisible_characters
from knowledge.parsing.lines import Line, runs
from knowledge.parsing.rst_tables import SIMPLE_BORDER, GridTable, SimpleTable
from knowledge.types import BlockKind, ParsedDocument

_RULE: Final = re.compile(r"([!-/:-@\[-`{-~])\1{1,}$")
_BULLET: Final = re.compile(r"(?:[-*+•‣⁃]|\(?(?:[0-9]{1,9}|#|[A-Za-z]|[ivxlcIVXLC]{1,8})[.)])(?:\s+|$)")
_FIELD: Final = re.compile(r":(?![:\s])[^:`\n]{1,100}:(?:\s|$)")
_DIRECTIVE: Final = re.compile(r"\.\.\s+(?:\|[^|]{1,200}\|\s+)?([A-Za-z][\w.:+-]{0,60})\s*::(?:\s|$)")
_FOOTNOTE: Final = re.compile(r"\.\.\s+\[[^\]\s]{1,100}\](?:\s|$)")
_TARGET: Final = re.compile(r"(?:\.\.\s+_|__\s).{0,300}?:\s+\S")
_EXPLICIT: Final = re.compile(r"\.\.(?:\s|$)")
_CODE: Final = frozenset(
    "code code-block sourcecode literalinclude math parsed-literal doctest testcode testoutput testsetup graphviz "
    "mermaid productionlist prompt ipython".split(" ")
)
_SETTINGS: Final = frozenset(
    "contents highlight include index currentmodule raw meta default-role role sectnum toctree tabularcolumns "
    "only header footer target-notes".split(" ")
)
_WIDTH: Final = 0.7  # of a title, that its underline has at least; docutils only warns about a short one


class RstParser:
    name: ClassVar[str] = "rst"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (RST,)
    extensions: ClassVar[tuple[str, ...]] = (".rst", ".rest")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        reader = _Reader(text)
        for run in runs(text):
            reader.run(run)
        if not any(block.kind is not BlockKind.FURNITURE for block in reader.list.blocks):
            raise DocumentWithoutText("The file holds no text.")
        return ParsedDocument(
            text=text,
            blocks=tuple(reader.list.blocks),
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=clean_title(reader.title),
            warnings=invisible_characters(text),
        )


class _Reader:
    """Takes runs of lines between blank lines; what an indented run means depends on what is above it."""

    def __init__(self, text: str) -> None:
        self.list = BlockList()
        self.title: str | None = None
        self._text = text
        self._levels: dict[tuple[str, bool], int] = {}  # (mark, with a line above) in order of appearance
        self._inside: tuple[BlockKind, int] | None = None  # runs further in than this are of this kind
        self._table: SimpleTable | None = None
        self._headings = 0
        self._joined = False  # whether indented lines belong to the last block

    def run(self, run: list[Line]) -> None:
        rest = run
        while rest:
            rest = self._step(rest)

    def _step(self, run: list[Line]) -> list[Line]:
        """Take what is at the beginning of a run and return the rest."""
        if self._table is not None:
            return self._rows(self._table, run)
        if self._inside is not None:
            kind, base = self._inside
            within = next((at for at, line in enumerate(run) if line.indent <= base), len(run))
            if within:
                self._add(kind, run[:within], joins=True)
                return run[within:]
            self._inside = None
        run = self._titles(run)
        return self._content(run) if run else []

    def _titles(self, run: list[Line]) -> list[Line]:
        """Take the section titles at the beginning of a run and return the rest."""
        while run:
            over = len(run) > 2 and self._is_title(run[1], run[2], over=run[0])
            if not over and not (len(run) > 1 and run[0].indent == 0 and self._is_title(run[0], run[1])):
                return run
            line, mark = (run[1], self._mark(run[0])) if over else (run[0], self._mark(run[1]))
            level = self._levels.setdefault((mark, over), len(self._levels) + 1)
            words = self._words(line)
            if level == 1 and self.title is None and not self._headings:
                self.title = words
            self._headings += 1
            self._add(BlockKind.HEADING, [line], level=level, heading=words)
            run = run[3 if over else 2 :]
        return run

    def _is_title(self, title: Line, under: Line, over: Line | None = None) -> bool:
        words, mark = self._words(title), self._mark(under)
        length = under.end - under.start
        if not mark or under.indent or _RULE.match(words) or length < _WIDTH * len(words) or not words:
            return False
        if over is None:
            return not _EXPLICIT.match(words) and (length >= 4 or length >= len(words))
        return self._mark(over) == mark and over.end - over.start == length

    def _mark(self, line: Line) -> str:
        """The character a line consists of, or nothing."""
        match = _RULE.match(self._words(line)) if line.indent == 0 else None
        return match.group(1) if match else ""

    def _words(self, line: Line) -> str:
        return self._text[line.start : line.end].strip()

    def _content(self, run: list[Line]) -> list[Line]:
        first = self._words(run[0])
        if len(run) == 1 and self._mark(run[0]) and len(first) >= 4:
            return []  # a rule between paragraphs
        if SIMPLE_BORDER.match(first):
            self._table = SimpleTable(self._text)
        elif GridTable.begins(first):
            for start, end, attrs in GridTable(self._text).rows(run):
                self.list.add(BlockKind.TABLE_ROW, start, end, attrs=attrs)
        elif _EXPLICIT.match(first) or first.startswith("__ "):
            base = run[0].indent
            body = next((at for at, line in enumerate(run[1:], start=1) if line.indent <= base), len(run))
            self._explicit(run[:body], first)
            return run[body:]
        elif first.startswith(">>>"):
            self._add(BlockKind.CODE, run)
        elif _BULLET.match(first[:200]) or _FIELD.match(first[:200]):
            self._items(run)
        else:
            self._add(BlockKind.PARAGRAPH, run)
            self._literal_after(run, run[0].indent)
        return run if self._table is not None else []

    def _rows(self, table: SimpleTable, run: list[Line]) -> list[Line]:
        """Take lines of a table, which may have blank lines in it."""
        for taken, line in enumerate(run, start=1):
            for start, end, attrs in table.line(line, last=taken == len(run)):
                if attrs is None:
                    self._extend(end)
                else:
                    self.list.add(BlockKind.TABLE_ROW, start, end, attrs=attrs)
            if table.closed:
                self._table = None
                return run[taken:]
        return []

    def _explicit(self, own: list[Line], first: str) -> None:
        """A directive, a footnote, a link target, or else a comment."""
        base = own[0].indent
        directive = _DIRECTIVE.match(first[:400])
        if _FOOTNOTE.match(first[:200]):
            self._add(BlockKind.FOOTNOTE, own)
        elif directive and first.split(maxsplit=1)[1].startswith("|"):
            self._add(BlockKind.FURNITURE, own)
        elif directive:
            self._directive(directive.group(1).rpartition(":")[2].lower(), own)
        elif _TARGET.match(first[:400]) and not first.endswith("::"):
            self._add(BlockKind.PARAGRAPH, own)
        else:
            self._add(BlockKind.FURNITURE, own)
            if len(own) > 1 or first != "..":
                self._inside = (BlockKind.FURNITURE, base)

    def _directive(self, name: str, own: list[Line]) -> None:
        base = own[0].indent
        if name in _CODE:
            self._add(BlockKind.CODE, own)
            self._inside = (BlockKind.CODE, base)
        elif name in _SETTINGS:
            self._add(BlockKind.FURNITURE, own)
            if name != "only":
                self._inside = (BlockKind.FURNITURE, base)
        elif name == "csv-table":
            self._add(BlockKind.CAPTION, own)
            self._inside = (BlockKind.TABLE_ROW, base)
        elif name in ("figure", "image"):
            self._add(BlockKind.PARAGRAPH, own)
            self._inside = (BlockKind.CAPTION, base)
        else:  # notes, warnings, functions and classes: what is inside is read as anywhere
            self._add(BlockKind.PARAGRAPH, own)
            self._literal_after(own, base, directive=True)

    def _items(self, run: list[Line]) -> None:
        """Each line that begins as an item begins a block; deeper lines go on with it."""
        begins = [
            at
            for at, line in enumerate(run)
            if at == 0 or (_BULLET.match(words := self._words(line)[:200]) or _FIELD.match(words))
        ]
        for at, stop in zip(begins, [*begins[1:], len(run)], strict=True):
            self._add(BlockKind.LIST_ITEM, run[at:stop])
        item = run[begins[-1] :]
        marker = _BULLET.match(self._words(item[0]))
        self._literal_after(item, item[0].indent + (len(marker.group()) if marker else 0))

    def _literal_after(self, run: list[Line], base: int, *, directive: bool = False) -> None:
        """After a paragraph that ends with two colons, what is further in is code."""
        if self._text[run[0].start : run[-1].end].endswith("::") and not (directive and len(run) == 1):
            self._inside = (BlockKind.CODE, base)

    def _add(
        self, kind: BlockKind, run: list[Line], *, level: int | None = None, heading: str = "", joins: bool = False
    ) -> None:
        """Add one block; ``joins`` lets code and comments go on with the block before."""
        if kind is BlockKind.TABLE_ROW:
            for line in run:
                self._range(kind, line.start, line.end)
        elif joins and kind in (BlockKind.CODE, BlockKind.FURNITURE):
            self._join(kind, run)
        else:
            self._range(kind, run[0].start, run[-1].end, level=level, heading=heading)

    def _join(self, kind: BlockKind, run: list[Line]) -> None:
        if self._joined and self.list.blocks[-1].kind is kind:
            self._extend(run[-1].end)
        else:
            self._range(kind, run[0].start, run[-1].end)
            self._joined = True

    def _extend(self, end: int) -> None:
        """Let the last block end later; its cells no longer lie side by side."""
        block = self.list.blocks[-1]
        attrs = {name: value for name, value in block.attrs.items() if name != "cells"}
        self.list.blocks[-1] = replace(block, end=end, attrs=attrs)

    def _range(self, kind: BlockKind, start: int, end: int, **more: Any) -> None:
        if kind is not BlockKind.CODE:  # the first line of code keeps its indent
            while self._text[start].isspace():
                start += 1
        self.list.add(kind, start, end, **more)
        self._joined = kind is not BlockKind.PARAGRAPH and self._text.startswith("..", start)
