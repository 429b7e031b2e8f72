"""Builds canonical text and its blocks side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from knowledge.errors import DocumentTooLarge, DocumentWithoutText
from knowledge.types import Block, BlockKind, Page, ParsedDocument

MAX_BLOCKS: Final = 1_000_000
"""Half a gigabyte in the process that asked: its memory has no limit, unlike the parser's."""

MAX_CHARACTERS: Final = 100_000_000
"""Twice what can be indexed. Headers that every row repeats make much text of a small table."""


class HeadingStack:
    """The headings above a position, outermost first."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, str]] = []

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._stack)

    def enter(self, level: int, text: str) -> tuple[str, ...]:
        """Put a heading on the stack and return the path above it."""
        while self._stack and self._stack[-1][0] >= level:
            self._stack.pop()
        above = self.path
        if text:
            self._stack.append((level, text[:300]))
        return above


class BlockList:
    """Collects blocks in order and keeps ordinals and heading paths."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._headings = HeadingStack()

    def add(
        self,
        kind: BlockKind,
        start: int,
        end: int,
        *,
        level: int | None = None,
        heading: str = "",
        pages: tuple[int, int] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Append the block ``[start, end)``; ``heading`` is the clean text of a heading block.

        :raises DocumentTooLarge: there are more blocks than a document may have.
        """
        if len(self.blocks) >= MAX_BLOCKS:
            raise DocumentTooLarge(f"The document has more than {MAX_BLOCKS:,} paragraphs, rows and headings.")
        if kind is BlockKind.HEADING:
            path = self._headings.enter(level or 1, " ".join(heading.split()))
        else:
            path = self._headings.path if kind is not BlockKind.FURNITURE else ()
        self.blocks.append(
            Block(
                ordinal=len(self.blocks),
                kind=kind,
                start=start,
                end=end,
                level=level,
                heading_path=path,
                page_first=pages[0] if pages else None,
                page_last=pages[1] if pages else None,
                attrs=attrs or {},
            )
        )

    def leave_headings(self) -> None:
        """Forget the headings above."""
        self._headings = HeadingStack()


class TextBuilder:
    """Joins pieces into canonical text, one blank line between blocks (table rows: one line end)."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._list = BlockList()
        self._row_before = False
        self._page_starts: list[int] = []

    def __len__(self) -> int:
        return self._length

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int | None = None,
        heading: str | None = None,
        attrs: Mapping[str, Any] | None = None,
        cells: list[tuple[int, int]] | None = None,
    ) -> None:
        """Append one block; ``cells`` are ranges relative to ``text`` and are stored absolute.

        ``heading`` is the clean text of a heading whose ``text`` holds marks as well.
        :raises DocumentTooLarge: there are more blocks or characters than a document may have.
        """
        if not text.strip():
            return
        row = kind is BlockKind.TABLE_ROW
        if self._parts:
            self._push("\n" if row and self._row_before else "\n\n")
        self._row_before = row
        start = self._length
        self._page_starts = [start if begun < 0 else begun for begun in self._page_starts]
        self._push(text)
        if cells is not None:
            attrs = {**(attrs or {}), "cells": [[start + a, start + b] for a, b in cells]}
        page = len(self._page_starts)
        self._list.add(
            kind,
            start,
            self._length,
            level=level,
            heading=text if heading is None else heading,
            attrs=attrs,
            pages=(page, page) if page else None,
        )

    def begin_page(self) -> None:
        """Let what is added from now on stand on the next page or slide; the first call begins page 1.

        Such pages have no size: nothing is drawn on them. One without text is kept, so that numbers stay true.
        """
        self._page_starts.append(-1)  # known when its first block is added
        self._row_before = False

    def leave_headings(self) -> None:
        """Let what is added from now on stand under no heading: the next slide or sheet begins."""
        self._list.leave_headings()

    def _pages(self) -> tuple[Page, ...]:
        starts = [begun if begun >= 0 else self._length for begun in self._page_starts]
        ends = [*starts[1:], self._length][: len(starts)]
        return tuple(
            Page(number=number, start=start, end=end, width=0.0, height=0.0)
            for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
        )

    def _push(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
        if self._length > MAX_CHARACTERS:
            raise DocumentTooLarge(f"The document makes more than {MAX_CHARACTERS:,} characters of text.")

    def end_table(self) -> None:
        """Let the next table row start after a blank line."""
        self._row_before = False

    def document(
        self, *, parser: str, parser_version: str, media_type: str, title: str | None, warnings: tuple[str, ...] = ()
    ) -> ParsedDocument:
        """Finish.

        :raises DocumentWithoutText: nothing but white space was added.
        """
        if not self._list.blocks:
            raise DocumentWithoutText("The file holds no text.")
        return ParsedDocument(
            text="".join(self._parts),
            blocks=tuple(self._list.blocks),
            parser=parser,
            parser_version=parser_version,
            media_type=media_type,
            title=clean_title(title),
            pages=self._pages(),
            warnings=warnings,
        )


def clean_title(title: str | None) -> str | None:
    """One line without control characters, or None."""
    if not title:
        return None
    line = " ".join("".join(c if c.isprintable() or c == " " else " " for c in title).split())
    return line[:300] or None


def format_row(headers: list[str], cells: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """One table row as "header: value; header: value" and the ranges of its values."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    for column, value in enumerate(cells):
        if not value:
            continue
        header = headers[column] if column < len(headers) else ""
        piece = ("; " if parts else "") + (f"{header.rstrip(':')}: " if header else "")
        start = length + len(piece)
        parts += (piece, value)
        length = start + len(value)
        spans.append((start, length))
    return "".join(parts), spans
