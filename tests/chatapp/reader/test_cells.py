from __future__ import annotations

from typing import Any

import pytest

from chatapp.reader.cells import Cell, marked_cells, place_in_table
from knowledge.documents import ingest
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.parsing import ParseLimits
from knowledge.parsing.child import parse_here
from knowledge.types import Block, BlockKind, ParsedDocument


def row(text: str, *values: str, **attrs: Any) -> tuple[str, list[Block]]:
    cells = [[text.index(value), text.index(value) + len(value)] for value in values]
    return text, [
        Block(ordinal=0, kind=BlockKind.TABLE_ROW, start=0, end=len(text), attrs={"cells": cells, **attrs}),
    ]


def at(text: str, words: str) -> tuple[int, int]:
    return text.index(words), text.index(words) + len(words)


def test_a_cell_of_a_sheet_has_its_reference_and_its_column() -> None:
    text, blocks = row("Flat: 6.0; Rent: 1,040", "6.0", "1,040", sheet="Rents 2026", row=21, columns=["A", "C"])
    cells = marked_cells(text, blocks, at(text, "1,040"))
    assert cells == [Cell(column="Rent", reference="C21", sheet="Rents 2026")]
    assert place_in_table(cells) == "Cell C21 of sheet Rents 2026, column Rent"
    assert (
        place_in_table(marked_cells(text, blocks, (0, len(text))))
        == "Cells A21 to C21 of sheet Rents 2026, columns Flat, Rent"
    )


def test_a_printed_table_names_the_column_that_stands_in_its_first_row() -> None:
    text, blocks = row("Czechia Prague 10.9", "Czechia", "Prague", "10.9", header=["Country", "Capital", "Population"])
    assert place_in_table(marked_cells(text, blocks, at(text, "Prague"))) == "Column Capital"
    assert place_in_table(marked_cells(text, blocks, at(text, "Prague 10.9"))) == "Columns Capital, Population"


@pytest.mark.parametrize("attrs", [{}, {"header": ["A"]}])
def test_a_cell_without_a_name_is_not_given_one(attrs: dict[str, Any]) -> None:
    text, blocks = row("one two", "one", "two", **attrs)
    assert place_in_table(marked_cells(text, blocks, at(text, "two"))) == ""


def test_text_outside_tables_has_no_cells_and_many_columns_are_counted() -> None:
    blocks = [Block(ordinal=0, kind=BlockKind.PARAGRAPH, start=0, end=9)]
    assert marked_cells("No table.", blocks, (0, 9)) == []
    assert marked_cells("", [], (0, 1)) == []
    cells = [Cell(column=f"c{number}") for number in range(9)]
    assert place_in_table(cells) == "Columns c0, c1, c2, c3 and 5 more"


def test_a_range_over_two_rows_names_both() -> None:
    document: ParsedDocument = parse_here(
        b"Office,Extension\nHarbour,4417\nWorkshop,4420\n", filename="a.csv", limits=ParseLimits()
    )
    start, end = at(document.text, "4417")[0], at(document.text, "4420")[1]
    assert [cell.column for cell in marked_cells(document.text, document.blocks, (start, end))] == [
        "Extension",
        "Office",
        "Extension",
    ]


@pytest.mark.django_db
def test_the_reader_says_which_cell_is_marked(
    client: Any, member: Any, tenant: Any, settings: Any, tmp_path: Any
) -> None:
    settings.STATIC_ROOT = tmp_path
    base = KnowledgeBase.objects.create(tenant=tenant, name="Phones", slug="phones")
    document = Document.objects.create(tenant=tenant, knowledge_base=base, name="a.csv", title="a.csv", status="ready")
    version = DocumentVersion.objects.create(document=document, number=1, filename="a.csv", size=9, sha256="1" * 64)
    parsed = parse_here(b"Office,Extension\nHarbour,4417\n", filename="a.csv", limits=ParseLimits())
    ingest.keep(version, parsed)
    document.current_version = version
    document.save()
    client.force_login(member)
    start, end = at(parsed.text, "4417")
    page = client.get(f"/documents/{document.pk}/", {"start": start, "end": end}).content.decode()
    assert "column Extension" in page
    assert "column Extension" not in client.get(f"/documents/{document.pk}/").content.decode()
