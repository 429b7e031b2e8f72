"""Documents within documents: attachments of a mail, cells of a notebook, chapters of a book."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Final

from knowledge.errors import DocumentEmpty, DocumentError, DocumentTooLarge
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.builder import TextBuilder, clean_title
from knowledge.parsing.formats import BY_EXTENSION, BY_MEDIA_TYPE, FORMATS
from knowledge.parsing.ooxml import check_count
from knowledge.parsing.registry import detect, parser_for
from knowledge.types import BlockKind, ParsedDocument

__all__ = ["MAX_DEPTH", "MAX_FILES", "Enclosure", "append", "label"]

logger = logging.getLogger(__name__)

MAX_DEPTH: Final = 3
MAX_FILES: Final = 100
MAX_WARNINGS: Final = 100
_MAX_LEVEL = 9
_WITH_MARKS = ("markdown", "rst")  # parsers whose text is the source
_LETTER = re.compile(r"\w")


def append(
    builder: TextBuilder, document: ParsedDocument, *, below: int = 0, attrs: Mapping[str, Any] | None = None
) -> None:
    """Append the blocks of a document, headings ``below`` levels further down; its pages and boxes are dropped."""
    cleans = _clean_headings(document)
    end = 0
    for block in document.blocks:
        between = document.text[end : block.start]
        if block.kind is BlockKind.TABLE_ROW and between.count("\n") > 1:
            builder.end_table()
        end = block.end
        own = dict(block.attrs)
        cells = own.pop("cells", None)
        builder.add(
            block.kind,
            document.text[block.start : block.end],
            level=min(block.level + below, _MAX_LEVEL) if block.level else None,
            heading=cleans.get(block.ordinal),
            attrs={**(attrs or {}), **own},
            cells=[(a - block.start, b - block.start) for a, b in cells] if cells is not None else None,
        )
    builder.end_table()


def _clean_headings(document: ParsedDocument) -> dict[int, str]:
    """The text of headings as the paths of the blocks below them show it, without marks like ``#``."""
    inside = [block for block in document.blocks if block.kind is not BlockKind.FURNITURE]
    found = {}
    for block, following in zip_longest(inside, inside[1:]):
        depth = len(block.heading_path)
        if block.kind is not BlockKind.HEADING:
            continue
        if following is not None and len(following.heading_path) > depth:
            found[block.ordinal] = following.heading_path[depth]
        elif document.parser in _WITH_MARKS:
            lines = document.text[block.start : block.end].split("\n")
            found[block.ordinal] = next((line for line in lines if _LETTER.search(line)), "").strip("#=~-*_` \t")
    return found


def label(name: str | None, otherwise: str) -> str:
    """A file name as one line for people; never a path that is opened."""
    return (clean_title(name) or otherwise)[:200]


@dataclass(kw_only=True)
class Enclosure:
    """Reads the files inside one file and appends their text below a heading with their name."""

    builder: TextBuilder
    context: ParseContext
    warnings: list[str] = field(default_factory=list)
    _left_out: int = 0

    def warn(self, sentence: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(sentence)

    def add(self, data: bytes | Callable[[], bytes], *, name: str, media_type: str = "") -> None:
        """Read one file under the limits that all files inside share; what cannot be read is named in a warning."""

        def parse(context: ParseContext) -> ParsedDocument:
            raw = data if isinstance(data, bytes) else data()
            if not raw:
                raise DocumentEmpty("It is empty.")
            self._charge(raw)
            found = media_type if media_type in _BY_PLACE else detect(raw, _named(name, media_type))
            return parser_for(found).parse(raw, context)

        self.enclose(name, parse)

    def enclose(self, name: str, parse: Callable[[ParseContext], ParsedDocument]) -> None:
        """Append what ``parse`` makes of a file inside this one, which may be one more file deep."""
        enclosed = self.context.enclosed
        if enclosed.files >= MAX_FILES:
            self._left_out += 1
            return
        enclosed.files += 1
        try:
            if self.context.depth >= MAX_DEPTH:
                raise DocumentTooLarge(f"It lies more than {MAX_DEPTH} files deep.")
            document = parse(replace(self.context, filename=name, depth=self.context.depth + 1))
        except DocumentError as err:
            self.not_read(name, err.message)
        except RecursionError:
            self.not_read(name, "It nests its contents too deep.")
        except MemoryError:
            raise
        except Exception as err:  # one bad attachment must not cost the whole message
            logger.warning("the reader of an enclosed file stopped at a defect: %s", type(err).__name__)
            self.not_read(name, "Its reader stopped at a defect.")
        else:
            self._append(document, name)

    def not_read(self, name: str, reason: str) -> None:
        """Say why an attachment is left out; ``reason`` is a sentence."""
        reason = reason.split(" Supported are ")[0]
        self.warn(f"The attachment {name} was not read: {reason[:1].lower()}{reason[1:]}")

    def finish(self) -> tuple[str, ...]:
        """Return the warnings."""
        if self._left_out:
            self.warnings.append(
                f"{self._left_out:,} more attachments were not read: at most {MAX_FILES} are read per file."
            )
        return tuple(self.warnings)

    def _charge(self, data: bytes) -> None:
        enclosed, limits = self.context.enclosed, self.context.limits
        enclosed.bytes += _inflated(data, limits)
        if enclosed.bytes > limits.inflated_bytes:
            limit = limits.inflated_bytes // (1024 * 1024)
            raise DocumentTooLarge(f"All attachments together expand beyond the limit of {limit} MB.")

    def _append(self, document: ParsedDocument, name: str) -> None:
        attrs = {"attachment": name}
        self.builder.add(BlockKind.HEADING, name, level=1, attrs=attrs)
        append(self.builder, document, below=1, attrs=attrs)
        for warning in document.warnings:
            self.warn(f"In the attachment {name}: {warning}")


_BY_PLACE = ("message/rfc822",)  # known by where it stands: a message may begin with anything


def _named(name: str, media_type: str) -> str:
    """The name, with the extension of its stated type when it has none that says more."""
    stem, dot, extension = name.rpartition(".")
    if (stem and f"{dot}{extension}".lower() in BY_EXTENSION) or media_type not in BY_MEDIA_TYPE:
        return name
    known = BY_MEDIA_TYPE[media_type]
    return f"{name}{known.extensions[0]}" if media_type in _TEXT_TYPES else name


_TEXT_TYPES = frozenset(known.media_type for known in FORMATS if known.media_type.startswith("text/"))


def _inflated(data: bytes, limits: ParseLimits) -> int:
    """Bytes this file may take once inflated, as an archive's directory states them."""
    if not data.startswith(b"PK"):
        return len(data)
    try:
        check_count(data, limits.archive_parts)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return len(data) + sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):  # a directory that is broken, cut or too new
        return len(data)  # its own reader will say what is wrong
