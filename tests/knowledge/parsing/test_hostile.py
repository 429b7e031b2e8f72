"""Every hostile file ends within its limits as ready or in words, and the next document is read by the same worker."""

from __future__ import annotations

from typing import Any

import made_opendocument as odf
import made_slides as slides
import pytest
from hostile import cases, describe
from hostile_bytes import MB, repeated
from hostile_office import HELLO, docx
from hostile_pdf import TEXT, one_page
from hostile_run import LIMITS, run

from knowledge.errors import DocumentDamaged, DocumentError, KnowledgeError, ParserCrashed
from knowledge.parsing import ChildParser, ParseLimits
from knowledge.parsing.formats import BY_MEDIA_TYPE

CORPUS = cases()
ROWS = (
    *(f"P{number:02}" for number in range(1, 17)),
    *(f"W{number:02}" for number in range(1, 9)),
    *("X01", "X02", "Z01", "I01", "I02", "I03"),
    *(f"T{number:02}" for number in range(1, 11)),
    *("C01", "E01", "N01"),
)  # fmt: skip


def parameters() -> list[Any]:
    found = []
    for case in CORPUS:
        marks = [pytest.mark.serial] if case.slow else []
        found.append(pytest.param(case, id=case.title, marks=marks))
    return found


def test_the_corpus_has_a_file_for_every_row_and_every_format_it_names() -> None:
    assert [row for row in ROWS if row not in {case.row for case in CORPUS}] == []
    assert {case.format for case in CORPUS} <= BY_MEDIA_TYPE.keys()
    assert len({case.title for case in CORPUS}) == len(CORPUS)
    assert all(case.ready or case.failed for case in CORPUS)


@pytest.mark.parametrize("case", parameters())
def test_hostile_file(child: ChildParser, case: Any) -> None:
    result = run(case, child)
    assert child.parse(b"the next document", filename="next.txt", limits=LIMITS).text == "the next document"
    assert result.seconds < case.seconds
    if result.peak is not None:
        assert result.peak < LIMITS.memory_bytes
    assert case.unmet(result.outcome) == [], describe(result.outcome)


def refused(child: ChildParser, data: bytes, name: str, limits: ParseLimits = LIMITS) -> KnowledgeError:
    """Parse a file that must end in words, and the next document, and return the error."""
    with pytest.raises((DocumentError, ParserCrashed)) as caught:
        child.parse(data, filename=name, limits=limits)
    assert child.parse(b"the next document", filename="next.txt", limits=limits).text == "the next document"
    return caught.value


def test_a_member_that_lies_about_its_size_is_damaged(child: ChildParser) -> None:
    data = bytearray(docx(HELLO.replace("hello", "A" * (8 << 20))))
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"word/document.xml"))
    data[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    error = refused(child, bytes(data), "liar.docx")
    assert isinstance(error, DocumentDamaged)
    assert "cannot be read" in error.message


def test_hostile_presentations_and_texts(child) -> None:
    long, many = slides.shape("A" * (64 << 20)), {f"m/{n}": b"" for n in range(12_000)}
    assert "expands" in refused(child, slides.deck([long]), "bomb.pptx").message
    assert "parts" in refused(child, slides.zipped({**many, "ppt/presentation.xml": "<a/>"}), "many.pptx").message
    assert "slides" in refused(child, slides.deck(["<p:sp/>"], listed=[1] * 100_000), "list.pptx").message
    assert "expands" in refused(child, odf.odt(odf.p("A" * (64 << 20))), "bomb.odt").message
    cells = odf.table(odf.cell("a", 'table:number-columns-repeated="1000000000"'))
    assert "cells" in refused(child, odf.odt(cells), "wide.odt").message
    assert "cells" in refused(child, odf.odp(cells.join(("<draw:frame>", "</draw:frame>"))), "wide.odp").message
    assert "DTD" in refused(child, odf.odp(odf.p("x"), styles_part="<!DOCTYPE a><a/>"), "dtd.odp").message


@pytest.mark.parametrize("length", [60, 200, 300, 420, 500])
def test_a_pdf_cut_anywhere_is_damaged(child: ChildParser, length: int) -> None:
    assert isinstance(refused(child, one_page()[:length], "cut.pdf"), DocumentDamaged)


def test_a_bomb_may_not_take_more_than_the_memory_it_is_given(child: ChildParser) -> None:
    bomb = one_page(repeated(b" " * MB, 200, before=TEXT))
    error = refused(child, bomb, "bomb.pdf", ParseLimits(memory_bytes=100 * MB, wall_seconds=60))
    assert "more than the 100 MB of memory" in error.message
