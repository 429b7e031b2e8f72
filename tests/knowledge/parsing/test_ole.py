from __future__ import annotations

import random
import struct

import pytest
from sheet_files import compound_of, xls_cell, xls_of

from knowledge.errors import DocumentDamaged, DocumentError
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.ole import Compound
from knowledge.parsing.xls_records import look


def stream(data: bytes, name: str) -> bytes:
    compound = Compound(data, ParseLimits())
    return compound.read(compound.root.children[name])


def test_streams_of_a_container() -> None:
    body = bytes(range(256)) * 40
    assert stream(compound_of(body), "Workbook") == body
    assert stream(compound_of(body, name="Book"), "Book") == body


def test_a_container_without_a_workbook_is_no_spreadsheet(parse) -> None:
    with pytest.raises(DocumentDamaged, match="no workbook"):
        parse(compound_of(bytes(5000), name="Workbook2"), "a.xls")


def test_small_streams_lie_in_the_root_entry() -> None:
    data = bytearray(compound_of(b"records".ljust(4096, b"\0")))
    table, directory = 512, 1024
    struct.pack_into("<I", data, directory + 116, 2)  # the root's container: all sectors of the stream
    struct.pack_into("<Q", data, directory + 120, 4096)
    struct.pack_into("<IQ", data, directory + 128 + 116, 0, 7)
    struct.pack_into("<II", data, 60, 10, 1)  # the small table in a further sector
    struct.pack_into("<I", data, table + 4 * 10, 0xFFFFFFFE)
    data += struct.pack("<I", 0xFFFFFFFE).ljust(512, b"\xff")
    assert stream(bytes(data), "Workbook") == b"records"


def test_broken_containers_are_refused_in_words() -> None:
    whole = compound_of(bytes(5000))
    for data in (
        b"",
        whole[:100],
        whole[:600],
        whole[:1100],
        whole.replace(b"\x09\x00\x06\x00", b"\x63\x00\x06\x00", 1),
    ):
        with pytest.raises(DocumentError):
            stream(data, "Workbook")


def test_a_chain_that_runs_in_circles_comes_to_an_end() -> None:
    circle = bytearray(compound_of(bytes(5000)))
    struct.pack_into("<I", circle, 512 + 4 * 3, 2)
    assert len(stream(bytes(circle), "Workbook")) == 5000


def test_any_damage_to_a_container_is_refused_or_read() -> None:
    whole = xls_of({"S": xls_cell(0, 0, "Item") + xls_cell(1, 0, 3)})
    chance = random.Random(7)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 8, 60))):
            data[chance.randrange(8, 1536)] = chance.randrange(256)
        try:
            look(stream(bytes(data), "Workbook"), max_cells=1000)
        except (DocumentError, KeyError) as err:
            assert isinstance(err, KeyError) or err.message.endswith(".")  # noqa: PT017
