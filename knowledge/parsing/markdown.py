"""Markdown: the decoded source verbatim; blocks are ranges found through markdown-it's line maps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from knowledge.errors import DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import BlockList, clean_title
from knowledge.parsing.decode import decode
from knowledge.parsing.markdown_table import is_delimiter_row, split_cells
from knowledge.parsing.text import paragraphs
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"---[ \t]*\n(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_TITLE_LINE = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_EMPHASIS = re.compile(r"(?<!\\)(?:\*{1,3}|`+|~~)")
_MAX_FRONT_MATTER = 20_000

Piece = tuple[int, int, BlockKind, int | None, str, dict[str, object]]
"""``(start, end, kind, level, heading text, attrs)``"""


class MarkdownParser:
    name: ClassVar[str] = "markdown"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = ("text/markdown",)
    extensions: ClassVar[tuple[str, ...]] = (".md", ".markdown", ".mdown", ".mkd")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        body = front_matter_end(text)
        pieces = _Walker(text, body).pieces()
        blocks = BlockList()
        if body:
            blocks.add(BlockKind.FURNITURE, 0, len(text[:body].rstrip()))
        for start, end, kind, level, heading, attrs in pieces:
            blocks.add(kind, start, end, level=level, heading=heading, attrs=attrs)
        if not pieces:
            raise DocumentWithoutText("The file holds no text.")
        return ParsedDocument(
            text=text,
            blocks=tuple(blocks.blocks),
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=_title(text[:body], pieces),
        )


def front_matter_end(text: str) -> int:
    """Where the front matter between ``---`` lines ends; 0 when there is none."""
    if not text.startswith("---"):
        return 0
    match = _FRONT_MATTER.match(text[:_MAX_FRONT_MATTER])
    return match.end() if match and ":" in match.group() else 0


def plain(markdown: str) -> str:
    """Heading source without link targets and emphasis marks."""
    return " ".join(_EMPHASIS.sub("", _LINK.sub(r"\1", markdown)).split())


def _title(front_matter: str, pieces: list[Piece]) -> str | None:
    stated = _TITLE_LINE.search(front_matter)
    if stated:
        return clean_title(stated.group(1).strip().strip("\"'"))
    first = pieces[0]
    return clean_title(first[4]) if first[2] is BlockKind.HEADING and first[3] == 1 else None


class _Walker:
    """Turns markdown-it block tokens into ranges over the source."""

    def __init__(self, text: str, body: int) -> None:
        self.text = text
        self.starts = [body]
        position = text.find("\n", body)
        while position >= 0:
            self.starts.append(position + 1)
            position = text.find("\n", position + 1)
        self.starts.append(len(text) + 1)
        self.body = body
        self.found: list[Piece] = []
        self.item_line: int | None = None  # first line of a list item whose text has not come yet

    def pieces(self) -> list[Piece]:
        for index, token in enumerate(tokens := _tokens(self.text[self.body :])):
            self._token(token, tokens[index + 1] if index + 1 < len(tokens) else None)
        self.found.sort(key=lambda piece: (piece[0], piece[1]))
        return self._with_leftovers(self._without_overlap(self.found))

    def _token(self, token: Token, following: Token | None) -> None:
        if token.map is None:
            return
        first, last = token.map
        if token.type == "heading_open":
            source = following.content if following else ""
            self._add(first, last, BlockKind.HEADING, level=int(token.tag[1]), heading=plain(source))
        elif token.type == "list_item_open":
            self.item_line = first
        elif token.type == "paragraph_open":
            self._paragraph(first, last)
        elif token.type in ("fence", "code_block"):
            self._add(first, last, BlockKind.CODE)
        elif token.type == "html_block":
            self._add(first, last, BlockKind.PARAGRAPH)

    def _paragraph(self, first: int, last: int) -> None:
        if self.item_line is not None:
            first, self.item_line = min(first, self.item_line), None
            self._add(first, last, BlockKind.LIST_ITEM)
            return
        lines = [self.text[self.starts[n] : self.starts[n + 1] - 1] for n in range(first, last)]
        table = next((n for n in range(1, len(lines)) if is_delimiter_row(lines[n], header=lines[n - 1])), None)
        if table is None:
            self._add(first, last, BlockKind.PARAGRAPH)
            return
        self._add(first, first + table - 1, BlockKind.PARAGRAPH)
        header = split_cells(lines[table - 1])
        self._add(first + table - 1, first + table + 1, BlockKind.TABLE_ROW, attrs={"row": 1, "header": header})
        for row in range(table + 1, len(lines)):
            attrs: dict[str, object] = {"row": row - table + 1, "header": header}
            self._add(first + row, first + row + 1, BlockKind.TABLE_ROW, attrs=attrs)

    def _add(
        self,
        first: int,
        last: int,
        kind: BlockKind,
        *,
        level: int | None = None,
        heading: str = "",
        attrs: dict[str, object] | None = None,
    ) -> None:
        start, end = self.starts[first], min(self.starts[last] - 1, len(self.text))
        raw = self.text[start:end]
        start, end = start + len(raw) - len(raw.lstrip()), end - (len(raw) - len(raw.rstrip()))
        if start < end:
            self.found.append((start, end, kind, level, heading, attrs or {}))

    @staticmethod
    def _without_overlap(found: list[Piece]) -> list[Piece]:
        """Cut what an earlier block already holds (an outer list item starting on an inner one's line)."""
        kept: list[Piece] = []
        end = 0
        for piece in found:
            if piece[1] <= end:
                continue
            kept.append((max(piece[0], end), *piece[1:]))
            end = piece[1]
        return kept

    def _with_leftovers(self, kept: list[Piece]) -> list[Piece]:
        """Give the lines no token covers (link definitions, rules) a paragraph, if they hold words."""
        result: list[Piece] = []
        position = self.body
        for piece in [*kept, (len(self.text), len(self.text), BlockKind.PARAGRAPH, None, "", {})]:
            for start, end in paragraphs(self.text, position, piece[0]):
                if any(c.isalnum() for c in self.text[start:end]):
                    result.append((start, end, BlockKind.PARAGRAPH, None, "", {}))
            if piece[0] < piece[1]:
                result.append(piece)
            position = piece[1]
        return result


def _tokens(source: str) -> list[Token]:
    """Block tokens only: inline rules cost most of the time and tell nothing about ranges."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": 60})
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser.parse(source)
