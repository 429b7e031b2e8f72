"""Rich Text: the words people read, in order; pictures, instructions, hidden and deleted text left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.formats import RTF
from knowledge.parsing.invisible import invisible_characters
from knowledge.parsing.rtf_flow import Entry, Flow
from knowledge.parsing.rtf_tokens import (
    CHARACTERS,
    SKIPPED,
    STARRED,
    SYMBOLS,
    charset,
    code_page,
    decode_bytes,
    tidy,
    tokens,
)
from knowledge.types import BlockKind, ParsedDocument

MAX_GROUPS: Final = 500
_HEADING_STYLE: Final = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|kop|заголовок) ?([1-9])(?:,.*)?", re.IGNORECASE
)
_FURNITURE: Final = frozenset("header headerl headerr headerf footer footerl footerr footerf".split(" "))
_BOXES: Final = frozenset(("shptxt", "dptxbxtext"))
_TEXT, _SKIP, _MARKER, _FONTS, _STYLES, _INFO, _TITLE = "text", "skip", "marker", "fonts", "styles", "info", "title"
_DESTINATIONS: Final = {
    "fonttbl": _FONTS, "stylesheet": _STYLES, "info": _INFO, "listtext": _MARKER, "pntext": _MARKER,
}  # fmt: skip


class RtfParser:
    name: ClassVar[str] = "rtf"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (RTF,)
    extensions: ClassVar[tuple[str, ...]] = (".rtf",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if not data.startswith(b"{\\rtf"):
            raise DocumentDamaged("The file is no Rich Text document.")
        reader = _Reader(context.limits.cells)
        reader.read(data)
        document = reader.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=tidy("".join(reader.title)).strip() or reader.shown_title,
        )
        warnings = invisible_characters(document.text)
        if "\ufffd" in document.text:
            warnings += ("Some characters could not be decoded; they are shown as \ufffd.",)
        return replace(document, warnings=warnings)


@dataclass(slots=True)
class _Group:
    """What holds between two braces; an inner group begins with the same."""

    destination: str = _TEXT
    unicode_skip: int = 1
    font: int | None = None
    hidden: bool = False
    deleted: bool = False
    style: int = 0
    outline: int | None = None  # 0 is the highest
    in_table: bool = False
    listed: bool = False
    before_upr: str = ""  # where text went before the copy without Unicode
    flow: Flow | None = None
    closes: Callable[[], None] | None = None  # runs at the closing brace

    def inner(self) -> _Group:
        return _Group(
            self.destination, self.unicode_skip, self.font, self.hidden, self.deleted, self.style, self.outline,
            self.in_table, self.listed, self.before_upr, self.flow,
        )  # fmt: skip


@dataclass(slots=True)
class _Style:
    name: list[str] = field(default_factory=list)
    outline: int | None = None


class _Reader:
    """Follows the tokens with a stack of groups; no recursion."""

    def __init__(self, max_cells: int) -> None:
        self.builder = TextBuilder()
        self.title: list[str] = []
        self.shown_title: str | None = None
        self._body = Flow(self._emit_body)
        self._groups: list[_Group] = []
        self._group = _Group(flow=self._body)
        self._raw = bytearray()
        self._skip = 0
        self._starred = False
        self._codec, self._default_font = "cp1252", 0
        self._fonts: dict[int, str] = {}
        self._font_defined = 0
        self._styles: dict[int, _Style] = {}
        self._after: list[Entry] = []  # text boxes, written after the paragraph that anchors them
        self._notes: list[Entry] = []
        self._furniture: set[str] = set()
        self._cells_left = max_cells
        self._cell_merged = False

    def read(self, data: bytes) -> None:
        """Read the whole file.

        :raises DocumentDamaged: it ends before its last group does.
        :raises DocumentRefused: groups lie too deep in each other.
        """
        for kind, word, number, raw in tokens(data):
            if kind == "open":
                self._open()
            elif kind == "close":
                if self._close():
                    break
            elif kind == "word":
                self._word(word, number)
            elif kind == "symbol":
                self._symbol(word, raw)
            else:
                self._bytes(raw)
        else:
            raise DocumentDamaged("The file is damaged: it ends in the middle.")
        self._body.finish()
        for entry in [*self._after, *self._notes]:
            self._emit(entry)

    def _open(self) -> None:
        self._flush()
        self._skip = 0
        if len(self._groups) >= MAX_GROUPS:
            raise DocumentRefused(f"The file nests more than {MAX_GROUPS} groups in each other.")
        self._groups.append(self._group)
        self._group = self._group.inner()

    def _close(self) -> bool:
        """End the group; True when it was the last."""
        self._flush()
        self._skip, self._starred = 0, False
        if self._group.closes:
            self._group.closes()
        elif len(self._groups) == 1 and not self._group.in_table:
            self._end_paragraph()
        self._group = self._groups.pop()
        return not self._groups

    def _word(self, word: str, number: int | None) -> None:
        if word in CHARACTERS:
            if self._skip:
                self._skip -= 1
            else:
                self._write(CHARACTERS[word])
            return
        if word == "u" and number is not None:
            self._write(chr(number & 0xFFFF))
            self._skip = self._group.unicode_skip
            return
        self._skip = 0
        starred, self._starred = self._starred, False
        if word == "ud" and self._group.before_upr:
            self._group.destination = self._group.before_upr
        elif starred and word not in STARRED:
            self._group.destination = _SKIP
        elif self._group.destination != _SKIP:
            self._flush()
            self._active_word(word, number)

    def _active_word(self, word: str, number: int | None) -> None:
        if self._destination(word):
            return
        if self._group.destination == _FONTS:
            self._font_word(word, number)
        elif self._group.destination == _STYLES:
            self._style_word(word, number)
        elif not self._structure(word):
            self._property(word, number)

    def _destination(self, word: str) -> bool:
        """Whether the word says where the text of this group goes."""
        group = self._group
        if word in SKIPPED:
            group.destination = _SKIP
        elif word in _DESTINATIONS:
            group.destination = _DESTINATIONS[word]
        elif word == "title" and group.destination == _INFO:
            group.destination = _TITLE
        elif word == "upr":
            group.before_upr, group.destination = group.destination, _SKIP
        elif word in _FURNITURE:
            self._begin_flow(BlockKind.FURNITURE)
        elif word in ("footnote", "annotation"):
            self._begin_flow(BlockKind.FOOTNOTE if word == "footnote" else BlockKind.NOTE)
        elif word in _BOXES:
            self._begin_flow(None)
        else:
            return False
        return True

    def _begin_flow(self, kind: BlockKind | None) -> None:
        """Let this group be a flow of its own; ``kind`` None is a text box, which has blocks of all kinds."""
        found: list[Entry] = []
        flow, group = Flow(found.append), self._group
        group.flow, group.destination = flow, _TEXT
        group.style, group.outline, group.in_table, group.listed = 0, None, False, False
        group.hidden = group.deleted = False

        def close() -> None:
            flow.finish()
            if kind is None:
                self._after += found
                return
            entry = Entry(kind=kind, text=" ".join(filter(None, (entry.text for entry in found))))
            if kind is not BlockKind.FURNITURE:
                self._notes.append(entry)
            elif entry.text not in self._furniture:
                self._furniture.add(entry.text)
                self._emit(entry)

        group.closes = close

    def _font_word(self, word: str, number: int | None) -> None:
        if number is None:
            return
        if word == "f":
            self._font_defined = number
        elif word == "fcharset" and number != 1:
            self._fonts[self._font_defined] = charset(number, self._codec)
        elif word == "cpg":
            self._fonts[self._font_defined] = code_page(number, self._codec)

    def _style_word(self, word: str, number: int | None) -> None:
        if number is None:
            return
        if word == "s":
            self._group.style = number
            self._styles[number] = _Style()
        elif word == "outlinelevel":
            self._styles.setdefault(self._group.style, _Style()).outline = number
        elif word in ("cs", "ds", "ts"):  # styles of characters, sections and tables
            self._group.destination = _SKIP

    def _structure(self, word: str) -> bool:
        """Whether the word ended a paragraph, a cell or a row."""
        flow, group = self._group.flow, self._group
        assert flow is not None
        if word in ("par", "sect"):
            self._end_paragraph()
        elif word in ("cell", "nestcell"):
            self._cells_left -= 1
            if self._cells_left < 0:
                raise DocumentTooLarge("The document has more table cells than are accepted.")
            if word == "cell":
                flow.end_cell()
            else:
                self._write(" ")
        elif word == "row":
            flow.end_row()
        elif word == "trowd":
            flow.merged, self._cell_merged = [], False
        elif word in ("clvmrg", "cellx"):
            if word == "cellx":
                flow.merged.append(self._cell_merged)
            self._cell_merged = word == "clvmrg"
        elif word == "pard":
            group.style, group.outline, group.in_table, group.listed = 0, None, False, False
        else:
            return False
        return True

    def _property(self, word: str, number: int | None) -> None:
        group = self._group
        if word == "f":
            group.font = number
        elif word == "plain":
            group.font, group.hidden, group.deleted = None, False, False
        elif word == "uc":
            group.unicode_skip = min(max(number or 0, 0), 100)
        elif word == "v":
            group.hidden = number != 0
        elif word == "deleted":
            group.deleted = number != 0
        elif word == "s":
            group.style = number or 0
        elif word == "outlinelevel":
            group.outline = number
        elif word == "intbl":
            group.in_table = True
        elif word == "ls":
            group.listed = bool(number)
        elif word == "deff":
            self._default_font = number or 0
        elif word == "ansicpg":
            self._codec = code_page(number or 0, self._codec)
        elif word in ("mac", "pc", "pca"):
            self._codec = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]

    def _symbol(self, symbol: str, raw: bytes) -> None:
        if symbol == "*":
            self._starred = True
        elif symbol in "\\{}":
            self._bytes(raw)
        elif symbol in "\r\n":
            self._skip = 0
            if self._group.destination == _TEXT:
                self._flush()
                self._end_paragraph()
        elif self._skip:
            self._skip -= 1
        elif symbol in SYMBOLS:
            self._write(SYMBOLS[symbol])

    def _bytes(self, raw: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(raw))
            self._skip -= skipped
            raw = raw[skipped:]
        if self._group.destination not in (_SKIP, _FONTS, _INFO):
            self._raw += raw

    def _write(self, text: str) -> None:
        self._flush()
        self._put(text)

    def _flush(self) -> None:
        """Decode what has come; the bytes of one character may stand in several tokens."""
        if self._raw:
            font = self._default_font if self._group.font is None else self._group.font
            self._put(decode_bytes(bytes(self._raw), self._fonts.get(font, self._codec)))
            self._raw.clear()

    def _put(self, text: str) -> None:
        group = self._group
        if group.destination == _TITLE:
            self.title.append(text)
        elif group.destination == _STYLES:
            self._styles.setdefault(group.style, _Style()).name.append(text)
        elif group.hidden or group.deleted or group.flow is None:
            return
        elif group.destination == _TEXT:
            group.flow.text(text)
        elif group.destination == _MARKER:
            group.flow.marker(text)

    def _end_paragraph(self) -> None:
        group = self._group
        if group.flow is None or group.destination != _TEXT:
            return
        level, title = self._heading(group)
        group.flow.end_paragraph(level=level, title=title, listed=group.listed, in_table=group.in_table)
        if group.flow is self._body and not group.in_table:
            for entry in self._after:
                self._emit(entry)
            self._after = []

    def _heading(self, group: _Group) -> tuple[int | None, bool]:
        """``(level, is the title)`` by the paragraph's own outline level, else by its style's level or name."""
        style = self._styles.get(group.style) if group.style else None
        outline = group.outline if group.outline is not None else style.outline if style else None
        if outline is not None and 0 <= outline < 9:
            return outline + 1, False
        if style is None or outline is not None:
            return None, False
        name = "".join(style.name).strip().rstrip(";").strip()
        match = _HEADING_STYLE.fullmatch(name)
        return (int(match.group(1)) if match else None), name.lower() == "title"

    def _emit_body(self, entry: Entry) -> None:
        if entry.kind is BlockKind.TITLE and self.shown_title is None:
            self.shown_title = entry.text or None
        self._emit(entry)

    def _emit(self, entry: Entry) -> None:
        self.builder.add(entry.kind, entry.text, level=entry.level, attrs=entry.attrs, cells=entry.cells)
        if entry.ends_table:
            self.builder.end_table()
