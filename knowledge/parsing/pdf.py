"""PDF: canonical text rebuilt from characters and their boxes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import clean_title
from knowledge.parsing.pdf_blocks import Paragraph, paragraphs
from knowledge.parsing.pdf_chars import PageText, read_page
from knowledge.parsing.pdf_furniture import PageRuns, part, tag_furniture
from knowledge.parsing.pdf_order import make_line, regions
from knowledge.parsing.pdf_writer import PdfWriter
from knowledge.types import Block, BlockKind, Page, ParsedDocument

_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
_BAD_SHARE = 0.05
_MIN_CHARACTERS = 20  # below, the share of bad characters says nothing
_NOT_A_TITLE = re.compile(
    r"untitled|anonymous|microsoft word|\.(docx?|pdf|tex|indd|qxd|odt|rtf)$|^document\d*$", re.IGNORECASE
)


class PdfParser:
    name: ClassVar[str] = "pdf"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = ("application/pdf",)
    extensions: ClassVar[tuple[str, ...]] = (".pdf",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        document = _open(data)
        try:
            count = len(document)
            if not count:
                raise DocumentDamaged("The PDF has no pages.")
            if count > context.limits.pages:
                raise DocumentTooLarge(f"The PDF has {count:,} pages; at most {context.limits.pages:,} are accepted.")
            pages = [_read(document, index) for index in range(count)]
            title = document.get_metadata_value("Title")
        finally:
            document.close()
        if not any(page.text.characters for page in pages):
            raise DocumentWithoutText(_without_text(pages))
        warnings = _warnings(pages)
        tag_furniture(pages)
        writer = PdfWriter()
        ranges = _write(writer, pages)
        blocks = writer.blocks()
        text = writer.text()
        return ParsedDocument(
            text=text,
            blocks=blocks,
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=_title(title, blocks, text),
            pages=ranges,
            boxes=writer.boxes(),
            warnings=warnings,
        )


def _open(data: bytes) -> Any:
    import pypdfium2 as pdfium

    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as err:
        if getattr(err, "err_code", None) in (_PASSWORD, _SECURITY):
            raise DocumentEncrypted from err
        raise DocumentDamaged("The PDF is damaged and could not be opened.") from err


def _read(document: Any, index: int) -> PageRuns:
    """Read one page; a page that cannot be loaded counts as a page without text."""
    import pypdfium2 as pdfium

    try:
        page = document[index]
    except pdfium.PdfiumError:
        return part(Page(number=index + 1, start=0, end=0, width=0.0, height=0.0), PageText(runs=[]))
    try:
        width, height = page.get_size()
        x0, y0, x1, y1 = page.get_cropbox()
        geometry = Page(
            number=index + 1,
            start=0,
            end=0,
            width=float(width),
            height=float(height),
            rotation=int(page.get_rotation()),
            view_box=(float(x0), float(y0), float(x1), float(y1)),
        )
        textpage = page.get_textpage()
        try:
            return part(geometry, read_page(textpage))
        finally:
            textpage.close()
    except pdfium.PdfiumError:
        return part(Page(number=index + 1, start=0, end=0, width=0.0, height=0.0), PageText(runs=[]))
    finally:
        page.close()


def _write(writer: PdfWriter, pages: list[PageRuns]) -> tuple[Page, ...]:
    """Write all pages and return them with their ranges."""
    body_size = _body_size(pages)
    starts: list[int] = []
    for page in pages:
        starts.append(_write_page(writer, page, body_size))
        page.body, page.aside, page.text = [], [], PageText(runs=[])  # frees the boxes read
    ends = [*starts[1:], len(writer)]
    return tuple(
        replace(page.page, start=min(start, len(writer)), end=min(end, len(writer)))
        for page, start, end in zip(pages, starts, ends, strict=True)
    )


def _write_page(writer: PdfWriter, page: PageRuns, body_size: float) -> int:
    """Write one page and return where it starts.

    Headers and footers stand at its start, or after its first paragraph where the page before ends
    within a sentence or with a heading: furniture parts chunks, and must not part those.
    """
    number = page.page.number
    found = [p for region in regions(page.body) for p in paragraphs(region, body_size=body_size)]
    found += [p for run in page.aside for p in paragraphs([make_line([run])], body_size=body_size)]
    furniture = [Paragraph(BlockKind.FURNITURE, [row]) for row in page.furniture]
    start: int | None = None
    if found and writer.continues(found[0]):
        start = writer.extend(found.pop(0), number)
    elif found and writer.ends_with_heading:
        start = _after_gap(writer)
        writer.write(found.pop(0), number)
    if start is None:
        start = _after_gap(writer)
    for paragraph in furniture:
        writer.write(paragraph, number)
    for paragraph in found:
        if writer.continues(paragraph):
            writer.extend(paragraph, number)
        else:
            writer.write(paragraph, number)
    return start


def _after_gap(writer: PdfWriter) -> int:
    """Where a block written next would start."""
    return len(writer) + 2 if len(writer) else 0


def _body_size(pages: list[PageRuns]) -> float:
    """The font size most characters have."""
    weight: Counter[float] = Counter()
    for page in pages:
        for run in page.body:
            weight[round(run.size * 2) / 2] += len(run.text)
    return weight.most_common(1)[0][0] if weight else 10.0


def _without_text(pages: list[PageRuns]) -> str:
    subject = "The page has" if len(pages) == 1 else f"None of the {len(pages):,} pages has"
    negation = " no" if len(pages) == 1 else " a"
    return f"{subject}{negation} text layer. Scanned pages need text recognition (OCR)."


def _warnings(pages: list[PageRuns]) -> tuple[str, ...]:
    empty = [p.page.number for p in pages if not p.text.characters]
    garbled = [
        p.page.number
        for p in pages
        if p.text.characters >= _MIN_CHARACTERS and p.text.bad > _BAD_SHARE * p.text.characters
    ]
    result = []
    if empty:
        verb = "has" if len(empty) == 1 else "have"
        result.append(f"{name_pages(empty)} {verb} no text layer and cannot be searched or cited.")
    if garbled:
        verb = "uses" if len(garbled) == 1 else "use"
        result.append(f"{name_pages(garbled)} {verb} a broken text encoding; words there may be wrong.")
    return tuple(result)


def name_pages(numbers: list[int]) -> str:
    """Name pages for people: "Page 3", "Pages 1, 4-6 and 9"; at most ten ranges are written out."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    names = [str(a) if a == b else f"{a}-{b}" for a, b in ranges]
    if len(names) > 10:
        return f"{len(numbers)} pages ({', '.join(names[:10])}, ...)"
    joined = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{'Page' if len(numbers) == 1 else 'Pages'} {joined}"


def _title(stated: str, blocks: tuple[Block, ...], text: str) -> str | None:
    """The stated title unless a program made it up; else the top heading of the first page."""
    title = clean_title(stated)
    if title and not _NOT_A_TITLE.search(title):
        return title
    first = next((b for b in blocks if b.kind is BlockKind.HEADING and b.level == 1), None)
    return clean_title(text[first.start : first.end]) if first and first.page_first == 1 else None
