"""Reads one page of an open PDF: its geometry, its characters, and what tells readers how far to trust them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from knowledge.parsing.pdf_annotations import lay_flat
from knowledge.parsing.pdf_chars import PageText, read_page
from knowledge.parsing.pdf_furniture import PageRuns, part
from knowledge.parsing.pdf_layers import Surroundings
from knowledge.parsing.pdf_scene import picture_share, surfaces
from knowledge.types import Page

_BIG_PICTURE = 0.2  # share of the page from which on a picture may hold its words
_BAD_SHARE = 0.05
_MIN_CHARACTERS = 20  # below, the share of bad characters says nothing
_FEW_CHARACTERS = 30  # beside a big picture, fewer are no page of text
_FULL_PICTURE = 0.5  # from which on invisible text is taken for the words recognised in it


def read(document: Any, index: int) -> PageRuns:
    """Read a page; one that cannot be loaded counts as a page without text."""
    import pypdfium2 as pdfium

    try:
        return _read(document, index)
    except pdfium.PdfiumError:
        page = Page(number=index + 1, start=0, end=0, width=0.0, height=0.0, source="none")
        return part(page, PageText(runs=[]))


def _read(document: Any, index: int) -> PageRuns:
    page = document[index]
    try:
        changed, notes = lay_flat(page)
        if changed:
            page.close()
            page = document[index]
        geometry = _geometry(page, index + 1)
        share = picture_share(page, geometry.view_box)
        textpage = page.get_textpage()
        try:
            around = Surroundings(
                view=geometry.view_box, picture=share >= _FULL_PICTURE, surfaces=lambda: surfaces(page)
            )
            text = read_page(textpage, around)
        finally:
            textpage.close()
        result = part(_with_facts(geometry, text, share), text)
        result.notes = notes
        return result
    finally:
        page.close()


def _geometry(page: Any, number: int) -> Page:
    width, height = page.get_size()
    x0, y0, x1, y1 = page.get_bbox()  # the crop box within the media box: what readers are shown
    return Page(
        number=number,
        start=0,
        end=0,
        width=float(width),
        height=float(height),
        rotation=int(page.get_rotation()),
        view_box=(float(x0), float(y0), float(x1), float(y1)),
    )


def _with_facts(page: Page, text: PageText, share: float) -> Page:
    source = "none" if not text.characters else "ocr-layer" if 2 * text.read_from_picture > text.characters else "text"
    return replace(page, characters=text.characters, bad=text.bad, has_image=share >= _BIG_PICTURE, source=source)


def is_garbled(page: Page) -> bool:
    """Whether the characters of a page are mostly not what people see: its fonts carry no or a wrong encoding."""
    return page.source != "ocr" and page.characters >= _MIN_CHARACTERS and page.bad > _BAD_SHARE * page.characters


def is_picture(page: Page) -> bool:
    """Whether a page is a big picture with few characters or none, so that its words may be in the picture."""
    return page.source != "ocr" and page.has_image and page.characters < _FEW_CHARACTERS
