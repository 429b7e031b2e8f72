"""What is laid over a page: fields, free text, stamps, notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from knowledge.parsing import rects
from knowledge.types import BlockKind

FIELD = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(n)/V(Ada Lovelace)/DA(/Helv 12 Tf 0 g)/Rect[120 695 300 715]/F %d%s>>"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), entries, data)


DRAWN = stream(
    b"/Tx BMC q BT /Helv 12 Tf 2 5 Td (Ada Lovelace) Tj ET Q EMC",
    b"/Type/XObject/Subtype/Form/BBox[0 0 180 20]/Resources<</Font<</Helv 5 0 R>>>>",
)


@pytest.fixture
def overlaid(objects_to_pdf) -> Callable[..., bytes]:
    return lambda *annotations, form=True: objects_to_pdf(objects(*annotations, form=form))


def objects(*annotations: bytes, form: bool) -> list[bytes]:
    """A page with two labels and annotations; the object of the first one's appearance is number 6."""
    fields = b"/AcroForm<</Fields[7 0 R]/DR<</Font<</Helv 5 0 R>>>>/DA(/Helv 10 Tf 0 g)>>" if form else b""
    names = b" ".join(b"%d 0 R" % (7 + n) for n in range(len(annotations)))
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>/Annots[%s]>>"
    )
    return [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % fields,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page % names,
        stream(b"BT /F1 12 Tf 72 700 Td (Name:) Tj 0 -60 Td (The city stands below.) Tj ET"),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        DRAWN,
        *annotations,
    ]


@pytest.mark.parametrize("appearance", [b"/AP<</N 6 0 R>>", b""], ids=["drawn by the file", "drawn by nobody"])
def test_the_value_of_a_field_stands_where_it_is_shown(parse, overlaid, appearance: bytes) -> None:
    document = parse(overlaid(FIELD % (4, appearance)), "a.pdf")
    assert document.text == "Name: Ada Lovelace\n\nThe city stands below."
    start = document.text.index("Ada")
    ((page, x0, y0, x1, y1),) = rects(document.boxes, start, start + len("Ada Lovelace"))
    assert page == 1
    assert 120 <= x0 < x1 <= 300
    assert 695 <= y0 < y1 <= 715


def test_a_hidden_field_is_not_read(parse, overlaid) -> None:
    assert "Ada" not in parse(overlaid(FIELD % (2, b"/AP<</N 6 0 R>>")), "a.pdf").text


def test_text_typed_on_top_of_a_page_is_part_of_it(parse, overlaid) -> None:
    typed = b"<</Type/Annot/Subtype/FreeText/Contents(ignored)/Rect[120 695 300 715]/F 4/AP<</N 6 0 R>>>>"
    assert parse(overlaid(typed, form=False), "a.pdf").text.startswith("Name: Ada Lovelace")


def test_notes_are_read_once_and_stand_at_the_end_of_their_page(parse, overlaid, shown) -> None:
    note = b"<</Type/Annot/Subtype/Text/Contents(Please check\r this.)/Rect[400 700 420 720]/F 4>>"
    document = parse(overlaid(note, note, form=False), "a.pdf")
    assert shown(document)[-1] == ("note", "Please check this.")
    assert [b.kind for b in document.blocks].count(BlockKind.NOTE) == 1
    block = document.blocks[-1]
    assert (block.page_first, dict(block.attrs)) == (1, {"source": "annotation"})
    assert document.pages[0].end == len(document.text)
    assert rects(document.boxes, block.start, block.end) == []  # its words do not stand on the page


def test_links_and_empty_notes_leave_nothing(parse, overlaid) -> None:
    link = b"<</Type/Annot/Subtype/Link/Contents(see there)/Rect[0 0 9 9]/A<</S/URI/URI(http://a.test)>>>>"
    empty = b"<</Type/Annot/Subtype/Text/Contents()/Rect[0 0 9 9]>>"
    assert parse(overlaid(link, empty, form=False), "a.pdf").text == "Name:\n\nThe city stands below."


def test_attached_files_are_named_in_a_warning(parse, make_pdf: Any) -> None:
    plain = make_pdf([[(72, 700, 12, "text")]])
    names = b"/Names<</EmbeddedFiles<</Names[(a.txt) <</F(a.txt)/EF<</F 4 0 R>>>>]>>>>/Type/Catalog"
    assert parse(plain.replace(b"/Type/Catalog", names, 1), "a.pdf").warnings == ("1 attached file was not read.",)
