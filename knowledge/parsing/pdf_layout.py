"""Pages of runs to one canonical text: reading order, paragraphs, headers and footers, notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from knowledge.parsing.builder import clean_title
from knowledge.parsing.pdf_blocks import Paragraph, goes_on, is_open, paragraphs
from knowledge.parsing.pdf_chars import Run, turn
from knowledge.parsing.pdf_furniture import PageRuns, tag_furniture
from knowledge.parsing.pdf_layers import Layer
from knowledge.parsing.pdf_notes import split_notes
from knowledge.parsing.pdf_order import make_line, regions, rows
from knowledge.parsing.pdf_writer import PdfWriter
from knowledge.types import BlockKind, Page, ParsedDocument


@dataclass(slots=True)
class _Piece:
    paragraph: Paragraph
    attrs: dict[str, Any] = field(default_factory=dict)
    region: int = 0  # of its page, in reading order


def lay_out(
    pages: list[PageRuns], *, parser: str, parser_version: str, media_type: str, title: str | None,
    warnings: tuple[str, ...],
) -> ParsedDocument:  # fmt: skip
    """Write the pages as one document, a box for each character beside it."""
    tag_furniture(pages)
    writer = PdfWriter()
    ranges = _write(writer, pages)
    return ParsedDocument(
        text=writer.text(),
        blocks=writer.blocks(),
        parser=parser,
        parser_version=parser_version,
        media_type=media_type,
        title=clean_title(title),
        pages=ranges,
        boxes=writer.boxes(),
        warnings=warnings,
    )


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
        if writer.continues(piece.paragraph) and not piece.attrs.get("invisible"):
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
    pieces += [_Piece(Paragraph(BlockKind.PARAGRAPH, p.lines), {"invisible": True}) for p in _hidden(page.hidden)]
    return found, pieces


def _hidden(runs: list[Run]) -> list[Paragraph]:
    """Hidden runs as paragraphs, each direction of text by itself."""
    by_direction = [[run for run in runs if run.direction == d] for d in sorted({run.direction for run in runs})]
    return [p for group in by_direction for p in paragraphs(rows(group), body_size=0.0)]


def _attrs(paragraph: Paragraph) -> dict[str, Any]:
    runs = [run for line in paragraph.lines for run in line.runs]
    for layer in (Layer.OCR, Layer.RECOGNISED):
        if all(run.layer is layer for run in runs):
            return {"source": layer.value, **_confidence(runs)}
    return {}


def _confidence(runs: list[Run]) -> dict[str, float]:
    """How sure the engine is of what it recognised, by the characters; nothing for a layer others made."""
    known = [(run.confidence, len(run.text)) for run in runs if run.confidence is not None]
    total = sum(length for _, length in known)
    return {"confidence": round(sum(c * length for c, length in known) / total, 3)} if total else {}


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
