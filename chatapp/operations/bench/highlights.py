"""Whether a highlight covers its quote and nothing else: PDFium is asked what stands under the rectangles.

The text under them is read from the file itself, character by character, by code that shares nothing with the parser.
"""

from __future__ import annotations

import ctypes
import random
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from knowledge.parsing import rects
from knowledge.types import BlockKind, ParsedDocument, Rect

LONGEST = 400
"""Characters of a range, at most."""

_SYMBOLS = str.maketrans({0xF0B7: 0x2022, 0xF0A7: 0x2022, 0xF0D8: 0x2022, 0xF0FC: 0x2713})


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character of a page, the middle of its box, and where that begins; in user space."""

    text: str
    x: float
    y: float
    left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One quote beside what stands under its rectangles, in the order of the file and from left to right; folded."""

    quote: str
    under: str
    across: str

    @property
    def equal(self) -> bool:
        return self.quote in (self.under, self.across)

    @property
    def wrong(self) -> str:
        """Characters under the rectangles that the quote does not have."""
        return "".join((Counter(self.under) - Counter(self.quote)).elements())

    @property
    def missing(self) -> str:
        return "".join((Counter(self.quote) - Counter(self.under)).elements())


@dataclass(slots=True)
class Highlights:
    """Counts over many ranges; ``unboxed`` counts characters in plain sight that have no box."""

    ranges: int = 0
    equal: int = 0
    reordered: int = 0  # the same characters in another order: content order is not reading order
    wrong: int = 0
    unboxed: int = 0
    examples: list[tuple[str, Compared]] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.equal / max(1, self.ranges)

    def words(self) -> str:
        return (
            f"{self.ranges} ranges, {100 * self.share:.1f} % equal to their quote, {self.reordered} in another order, "
            f"{self.wrong} with characters of others; {self.unboxed} characters in sight without a box"
        )

    def count(self, name: str, compared: Compared) -> None:
        self.ranges += 1
        self.equal += compared.equal
        self.wrong += bool(compared.wrong)
        self.reordered += not compared.equal and not compared.wrong and not compared.missing
        if not compared.equal and len(self.examples) < 20:
            self.examples.append((name, compared))


def fold(text: str) -> str:
    """Fold ligatures, hyphens of all kinds and symbol fonts; leave out white space and control characters."""
    plain = text.translate(_SYMBOLS).replace("\x02", "-").replace("\ufffe", "-").replace("\xad", "-")
    kept = (c for c in unicodedata.normalize("NFKC", plain) if unicodedata.category(c) not in ("Cc", "Cs", "Cn"))
    return "".join(c for c in kept if not c.isspace())


def under(glyphs: Sequence[Sequence[Glyph]], rectangles: Sequence[Rect]) -> list[list[Glyph]]:
    """Return the characters whose middle lies in each rectangle; one in several belongs to the first.

    ``glyphs`` are those of each page, in the order of the file.
    """
    taken: set[tuple[int, int]] = set()
    found = []
    for page, x0, y0, x1, y1 in rectangles:
        here = enumerate(glyphs[page - 1])
        inside = [(n, g) for n, g in here if x0 <= g.x <= x1 and y0 <= g.y <= y1 and (page, n) not in taken]
        taken.update((page, n) for n, _ in inside)
        found.append([g for _, g in inside])
    return found


def compare(document: ParsedDocument, start: int, end: int, glyphs: Sequence[Sequence[Glyph]]) -> Compared:
    """Compare the boxed characters of a range with what stands under its rectangles."""
    assert document.boxes is not None
    boxed = document.boxes.page[start:end]
    quote = "".join(c for c, page in zip(document.text[start:end], boxed.tolist(), strict=True) if page)
    parts = under(glyphs, rects(document.boxes, start, end))
    across = [sorted(part, key=lambda glyph: glyph.left) for part in parts]
    return Compared(quote=fold(quote), under=fold(_text(parts)), across=fold(_text(across)))


def _text(parts: Sequence[Sequence[Glyph]]) -> str:
    return "".join(glyph.text for part in parts for glyph in part)


def unboxed(document: ParsedDocument) -> int:
    """Count the characters that people see on the page and that have no box."""
    assert document.boxes is not None
    seen = bytearray(len(document.text))
    for block in document.blocks:
        if block.kind is not BlockKind.NOTE and not block.attrs.get("invisible"):
            seen[block.start : block.end] = b"\1" * (block.end - block.start)
    pages = document.boxes.page.tolist()
    return sum(
        1 for c, page, shown in zip(document.text, pages, seen, strict=True) if shown and not page and not c.isspace()
    )


def ranges(document: ParsedDocument, count: int, random_: random.Random) -> Iterator[tuple[int, int]]:
    """Yield ranges from the start of a word to the end of one, outside of blocks that no page shows."""
    shown = [b for b in document.blocks if b.kind is not BlockKind.NOTE and not b.attrs.get("invisible")]
    for _ in range(count if shown else 0):
        block = random_.choices(shown, weights=[b.end - b.start for b in shown])[0]
        start = random_.randrange(block.start, block.end)
        end = min(start + random_.randint(1, LONGEST), len(document.text))
        while start > 0 and not document.text[start - 1].isspace():
            start -= 1
        while end < len(document.text) and not document.text[end].isspace():
            end += 1
        yield start, end


class Original:
    """The pages of a PDF as the file draws them, form fields included."""

    def __init__(self, data: bytes) -> None:
        import pypdfium2

        self._document: Any = pypdfium2.PdfDocument(data)
        self._document.init_forms()
        self.glyphs = [self._page(index) for index in range(len(self._document))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._document.close()

    def _page(self, index: int) -> list[Glyph]:
        import pypdfium2.raw as pdfium

        page = self._document[index]
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        page.close()
        page = self._document[index]
        textpage = page.get_textpage()
        try:
            count = pdfium.FPDFText_CountChars(textpage)
            found = [glyph for n in range(count) if (glyph := _glyph(pdfium, textpage, n)) is not None]
            return _lam_first(_in_place(found))
        finally:
            textpage.close()
            page.close()


def _in_place(glyphs: list[Glyph]) -> list[Glyph]:
    """Leave out what PDFium puts where another character stood before: neighbours may share a place, in a ligature."""
    kept: list[Glyph] = []
    taken: set[tuple[float, float]] = set()
    for glyph in glyphs:
        place = (glyph.x, glyph.y)
        if place not in taken or (kept and place == (kept[-1].x, kept[-1].y)):
            kept.append(glyph)
        taken.add(place)
    return kept


def _lam_first(glyphs: list[Glyph]) -> list[Glyph]:
    """Put the letters of lam-alef ligatures, which PDFium expands alef first, as they are written."""
    for n, (first, second) in enumerate(pairwise(glyphs)):
        if (
            second.text == "\u0644"
            and first.text in "\u0622\u0623\u0625\u0627"
            and (first.x, first.y) == (second.x, second.y)
        ):
            glyphs[n], glyphs[n + 1] = second, first
    return glyphs


def _glyph(pdfium: Any, textpage: Any, index: int) -> Glyph | None:
    code = pdfium.FPDFText_GetUnicode(textpage, index)
    if 0xD800 <= code < 0xDC00:
        code = 0x10000 + ((code - 0xD800) << 10) + (pdfium.FPDFText_GetUnicode(textpage, index + 1) - 0xDC00)
    elif 0xDC00 <= code < 0xE000 or not code:
        return None
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(textpage, index, left, right, bottom, top)
    if left.value >= right.value and bottom.value >= top.value:
        box = pdfium.FS_RECTF()
        pdfium.FPDFText_GetLooseCharBox(textpage, index, box)
        return Glyph(chr(code), (box.left + box.right) / 2, (box.bottom + box.top) / 2, box.left)
    return Glyph(chr(code), (left.value + right.value) / 2, (bottom.value + top.value) / 2, left.value)
