"""PDF: canonical text rebuilt from characters and their boxes."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import clean_title
from knowledge.parsing.pdf_blocks import Paragraph, goes_on, is_open, paragraphs
from knowledge.parsing.pdf_chars import Run, turn
from knowledge.parsing.pdf_furniture import PageRuns, tag_furniture
from knowledge.parsing.pdf_layers import Layer
from knowledge.parsing.pdf_notes import split_notes
from knowledge.parsing.pdf_order import make_line, regions, rows
from knowledge.parsing.pdf_page import is_garbled, is_picture, read
from knowledge.parsing.pdf_writer import PdfWriter
from knowledge.types import Block, BlockKind, Page, ParsedDocument

_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
_NOT_A_TITLE = re.compile(
    r"untitled|anonymous|microsoft word|\.(docx?|pdf|tex|indd|qxd|odt|rtf)$|^document\d*$", re.IGNORECASE
)


@dataclass(slots=True)
class _Piece:
    paragraph: Paragraph
    attrs: dict[str, Any] = field(default_factory=dict)
    region: int = 0  # of its page, in reading order


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
        if not any(page.text.characters for page in pages):
            raise DocumentWithoutText(_without_text(pages))
        warnings = _warnings(pages, attached)
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
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as err:
        if getattr(err, "err_code", None) in (_PASSWORD, _SECURITY):
            raise DocumentEncrypted from err
        raise DocumentDamaged("The PDF is damaged and could not be opened.") from err
    with suppress(pdfium.PdfiumError):
        document.init_forms()  # lets PDFium draw the fields that carry a value and no picture of it
    return document


def _write(writer: PdfWriter, pages: list[PageRuns]) -> tuple[Page, ...]:
    """Write all pages and return them with their ranges."""
    body_size = _body_size(pages)
    starts: list[int] = []
    for page in pages:
        starts.append(_write_page(writer, page, body_size))
    for at in range(len(starts) - 1, 0, -1):  # a sentence may go on over an empty page, which begins where it does
        starts[at - 1] = min(starts[at - 1], starts[at])
    ends = [*starts[1:], len(writer)]
    return tuple(
        replace(page.page, start=min(start, len(writer)), end=min(end, len(writer)))
        for page, start, end in zip(pages, starts, ends, strict=True)
    )


def _write_page(writer: PdfWriter, page: PageRuns, body_size: float) -> int:
    """Write one page and return where it starts.

    Headers and footers stand at its start, or after its first paragraph where the page before ends
    within a sentence or with a heading: furniture parts chunks, and must not part those. Footnotes and what
    else does not belong to the flow stand at its end, or before its last paragraph where that may go on overleaf.
    """
    number = page.page.number
    found, after = _flow(page, body_size)
    furniture = [_Piece(Paragraph(BlockKind.FURNITURE, [row])) for row in page.furniture]
    start: int | None = None
    if found and writer.continues(found[0].paragraph):
        start = writer.extend(found.pop(0).paragraph, number)
    elif found and writer.ends_with_heading:
        start = _after_gap(writer)
        writer.write(found[0].paragraph, number, attrs=found.pop(0).attrs)
    if start is None:
        start = _after_gap(writer)
    last = _before_open_end(found)
    for piece in [*furniture, *found[:last], *after, *found[last:]]:
        if writer.continues(piece.paragraph) and not piece.attrs.get("hidden"):
            writer.extend(piece.paragraph, number)
        else:
            writer.write(piece.paragraph, number, attrs=piece.attrs)
    for note in page.notes:
        writer.write_note(note, number)
    return start


def _flow(page: PageRuns, body_size: float) -> tuple[list[_Piece], list[_Piece]]:
    """The paragraphs of a page in reading order, and what stands apart from them: notes, turned and hidden text."""
    found: list[_Piece] = []
    after: list[Paragraph] = []
    _, bottom, _, top = turn(page.page.view_box, page.direction)
    for number, region in enumerate(regions(page.body)):
        lines, notes = split_notes(region, body_size=body_size, middle=(bottom + top) / 2)
        found += [_Piece(p, _attrs(p), number) for p in paragraphs(lines, body_size=body_size)]
        after += notes
    after += [p for run in page.aside for p in paragraphs([make_line([run])], body_size=body_size)]
    pieces = [_Piece(p, _attrs(p)) for p in after]
    pieces += [_Piece(Paragraph(BlockKind.PARAGRAPH, p.lines), {"hidden": True}) for p in _hidden(page.hidden)]
    return found, pieces


def _hidden(runs: list[Run]) -> list[Paragraph]:
    """Hidden runs as paragraphs, each direction of text by itself."""
    by_direction = [[run for run in runs if run.direction == d] for d in sorted({run.direction for run in runs})]
    return [p for group in by_direction for p in paragraphs(rows(group), body_size=0.0)]


def _attrs(paragraph: Paragraph) -> dict[str, Any]:
    recognised = all(run.layer is Layer.OCR for line in paragraph.lines for run in line.runs)
    return {"source": Layer.OCR.value} if recognised else {}


def _before_open_end(pieces: list[_Piece]) -> int:
    """Where the last paragraph of a page begins if it may go on overleaf, else the end.

    It may itself go on from paragraphs before it; a place between two columns is none.
    """
    if not pieces or not is_open(pieces[-1].paragraph.kind, pieces[-1].paragraph.lines[-1].text):
        return len(pieces)
    at = len(pieces) - 1
    while at and _follows(pieces[at - 1].paragraph, pieces[at].paragraph):
        at -= 1
    return at if at and pieces[at - 1].region == pieces[at].region else len(pieces)


def _follows(before: Paragraph, paragraph: Paragraph) -> bool:
    return goes_on(before.kind, before.size, before.lines[-1].text, paragraph)


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


def _warnings(pages: list[PageRuns], attached: int) -> tuple[str, ...]:
    empty = [p.page.number for p in pages if not p.text.characters]
    garbled = [p.page.number for p in pages if is_garbled(p.page)]
    pictures = [p.page.number for p in pages if p.text.characters and is_picture(p.page)]
    hidden = [p.page.number for p in pages if p.hidden]
    result = []
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
        result.append(f"{name_pages(hidden)} {verb} hidden text.")
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
