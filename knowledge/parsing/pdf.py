"""PDF: canonical text rebuilt from characters and their boxes."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import clean_title
from knowledge.parsing.pdf_furniture import PageRuns
from knowledge.parsing.pdf_layout import lay_out
from knowledge.parsing.pdf_page import is_garbled, is_picture, read
from knowledge.parsing.recognised_runs import put_in, wants_recognition
from knowledge.parsing.recognition import NeedsRecognition
from knowledge.types import Block, BlockKind, ParsedDocument

_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
_NOT_A_TITLE = re.compile(
    r"untitled|anonymous|microsoft word|\.(docx?|pdf|tex|indd|qxd|odt|rtf)$|^document\d*$", re.IGNORECASE
)


class PdfParser:
    name: ClassVar[str] = "pdf"
    version: ClassVar[str] = "2"
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
            pages = [read(document, index) for index in range(count)]
            title = document.get_metadata_value("Title")
            attached = document.count_attachments()
        finally:
            document.close()
        if all(page.page.width <= 0 for page in pages):
            raise DocumentDamaged("The PDF is damaged: its pages could not be opened.")
        pages = _with_recognised(pages, context)
        if not any(page.text.characters for page in pages):
            raise DocumentWithoutText(_without_text(pages, tried=context.recognised is not None))
        result = lay_out(
            pages,
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=title,
            warnings=_warnings(pages, attached),
        )
        return replace(result, title=_title(title, result.blocks, result.text))


def _with_recognised(pages: list[PageRuns], context: ParseContext) -> list[PageRuns]:
    """Put in what was recognised on the pages whose own text is missing or garbage.

    :raises NeedsRecognition: there are such pages and they may be asked for.
    """
    wanting = [page.page.number for page in pages if wants_recognition(page.page)]
    if wanting and context.may_recognise and context.recognised is None:
        raise NeedsRecognition(wanting)
    recognised = context.recognised or {}
    return [put_in(page, recognised[number]) if (number := page.page.number) in recognised else page for page in pages]


def _open(data: bytes) -> Any:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as err:
        if getattr(err, "err_code", None) in (_PASSWORD, _SECURITY):
            raise DocumentEncrypted from err
        raise DocumentDamaged("The PDF is damaged and could not be opened.") from err
    with suppress(pdfium.PdfiumError):
        document.init_forms()  # lets PDFium draw the fields that carry a value and no picture of it
    return document


def _without_text(pages: list[PageRuns], *, tried: bool) -> str:
    if tried:
        return "Text recognition found no words on any page."
    subject = "The page has" if len(pages) == 1 else f"None of the {len(pages):,} pages has"
    negation = " no" if len(pages) == 1 else " a"
    return f"{subject}{negation} text layer. Scanned pages need text recognition (OCR)."


def _warnings(pages: list[PageRuns], attached: int) -> tuple[str, ...]:
    empty = [p.page.number for p in pages if not p.text.characters]
    garbled = [p.page.number for p in pages if is_garbled(p.page)]
    pictures = [p.page.number for p in pages if p.text.characters and is_picture(p.page)]
    hidden = [p.page.number for p in pages if p.hidden]
    recognised = [p.page.number for p in pages if p.page.source == "ocr"]
    result = []
    if recognised:
        verb = "was" if len(recognised) == 1 else "were"
        result.append(f"{name_pages(recognised)} {verb} read by text recognition (OCR); words there may be wrong.")
    if empty:
        verb = "has" if len(empty) == 1 else "have"
        result.append(f"{name_pages(empty)} {verb} no text layer and cannot be searched or cited.")
    if garbled:
        verb = "uses" if len(garbled) == 1 else "use"
        result.append(f"{name_pages(garbled)} {verb} a broken text encoding; words there may be wrong.")
    if pictures:
        verb = "is" if len(pictures) == 1 else "are"
        result.append(f"{name_pages(pictures)} {verb} mostly a picture; words in it were not read.")
    if hidden:
        verb = "holds" if len(hidden) == 1 else "hold"
        result.append(f"{name_pages(hidden)} {verb} hidden text, which is neither found nor cited.")
    if attached > 0:
        result.append(f"{attached} attached file{' was' if attached == 1 else 's were'} not read.")
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
