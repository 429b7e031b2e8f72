"""Parts that are read as a stream."""

from __future__ import annotations

import pytest
from sheet_files import zip_of

from knowledge.errors import DocumentDamaged, DocumentRefused
from knowledge.parsing import ParseLimits
from knowledge.parsing.ooxml import Package


def package(**parts: str | bytes) -> Package:
    return Package(zip_of({f"{name}.xml": body for name, body in parts.items()}), ParseLimits())


def test_elements_come_whole_and_are_emptied_afterwards() -> None:
    made = package(a='<n:a xmlns:n="u"><n:b x="1"><c>one</c></n:b><d/><n:b x="2"><c>two</c></n:b></n:a>')
    seen = []
    before = None
    for element in made.stream("a.xml", "{*}b"):
        seen.append((element.get("x"), element[0].text))
        assert before is None or len(before) == 0
        before = element
    assert seen == [("1", "one"), ("2", "two")]


def test_a_long_part_is_not_held(tmp_path) -> None:
    made = package(a=f"<a>{'<b><c/></b>' * 50_000}</a>")
    most = 0
    for element in made.stream("a.xml", "b"):
        most = max(most, len(element.getparent()))
    assert most < 20_000  # what one block read ahead may hold


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("<a><b></a>", DocumentDamaged), ("", DocumentDamaged), ("<a><b/>", DocumentDamaged), (b"\xff\xfe\0\0", DocumentDamaged),
        ("<a><b>&undefined;</b></a>", DocumentDamaged), ("<a>" + "<b>" * 1_000 + "</b>" * 1_000 + "</a>", DocumentDamaged),
        ('<!DOCTYPE a [<!ENTITY e "x">]><a><b>&e;</b></a>', DocumentRefused), ("<!DOCTYPE a><a><b/></a>", DocumentRefused),
    ],
)  # fmt: skip
def test_parts_that_are_broken_or_declare_a_dtd(body: str | bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"a\.xml|DTD"):
        list(package(a=body).stream("a.xml", "b"))


def test_a_part_that_is_not_there() -> None:
    with pytest.raises(DocumentDamaged, match=r"b\.xml is missing"):
        list(package(a="<a/>").stream("b.xml", "b"))
