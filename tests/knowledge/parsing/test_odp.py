from __future__ import annotations

import pytest
from made_opendocument import SPACES, annotation, box, cell, odp, p, table
from office import Expected, of_format, unmet

from knowledge.errors import DocumentTooLarge, DocumentWithoutText


@pytest.mark.parametrize("expected", of_format("odp"))
def test_real_presentations(parse, expected: Expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []


def title(text: str) -> str:
    return box(text, ("1cm", "1cm"), 'presentation:class="title"')


def notes(text: str) -> str:
    return (
        '<presentation:notes><draw:page-thumbnail presentation:class="page"/>'
        + box(text, None, 'presentation:class="notes"') + box("7", None, 'presentation:class="page-number"')
        + "</presentation:notes>"
    )  # fmt: skip


def test_slides_are_pages_with_their_titles_and_notes(parse, shown) -> None:
    first = box("Body.", ("1cm", "5cm")) + title("One") + notes("Say this.")
    document = parse(odp(first, "", box("Alone.")), "a.odp")
    assert shown(document) == [
        ("heading", "One"),
        ("paragraph", "Body."),
        ("note", "Say this."),
        ("paragraph", "Alone."),
    ]
    assert [block.page_first for block in document.blocks] == [1, 1, 1, 3]
    assert document.blocks[3].heading_path == ()
    assert (document.title, len(document.pages)) == ("One", 3)


def test_shapes_are_read_from_top_to_bottom_and_from_left_to_right(parse) -> None:
    slide = (
        box("bottom", ("0.1in", "150mm")) + box("right", ("10cm", "5.1cm")) + box("left", ("1cm", "5.2cm"))
        + "<draw:g>" + box("grouped below", ("1cm", "9cm")) + box("grouped above", ("1cm", "8cm")) + "</draw:g>"
        + box("beside the group", ("5cm", "8.5cm"))
        + '<draw:custom-shape draw:transform="rotate (1.5) translate (2cm 1in)"><text:p>turned</text:p></draw:custom-shape>'
        + box("placed badly", ("far", "1e400cm"))
    )  # fmt: skip
    assert parse(odp(slide), "a.odp").text.split("\n\n") == [
        "turned", "placed badly", "left", "right", "grouped above", "grouped below", "beside the group", "bottom",
    ]  # fmt: skip


def test_tables_and_not_their_previews(parse) -> None:
    grid = table(cell("Name") + cell("Size"), cell("Ant") + cell("small"))
    slide = f"<draw:frame>{grid}<draw:image><text:p>preview</text:p></draw:image></draw:frame>"
    assert parse(odp(slide), "a.odp").text == "Name: Ant; Size: small"


def test_comments_footers_and_hidden_slides(parse, shown) -> None:
    styles = '<style:style style:name="dp1" style:family="drawing-page"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    slide = annotation("Ann", "Really?") + box("Foot", None, 'presentation:class="footer"') + box("Body.")
    document = parse(odp(f'<draw:page draw:style-name="dp1">{slide}</draw:page>', styles=styles), "a.odp")
    assert shown(document) == [("paragraph", "Body."), ("furniture", "Foot"), ("note", "Comment by Ann: Really?")]
    assert all(block.attrs["hidden"] for block in document.blocks)
    assert document.warnings == ("The text includes what is hidden in the show: slide 1.",)


def test_what_the_master_shows_is_left_out(parse) -> None:
    page = f"<style:master-page>{box('ACME')}</style:master-page>"
    master = (
        f"<office:document-styles {SPACES}><office:master-styles>{page}</office:master-styles></office:document-styles>"
    )
    assert parse(odp(box("Body."), styles_part=master), "a.odp").text == "Body."


def test_comments_in_a_title_and_in_notes_are_kept(parse, shown) -> None:
    slide = title(p("Goal" + annotation("Bob", "Which?"))) + notes(p("Say." + annotation("Cy", "No.")))
    assert shown(parse(odp(slide), "a.odp")) == [
        ("heading", "Goal"), ("note", "Comment by Bob: Which?"), ("note", "Say."), ("note", "Comment by Cy: No."),
    ]  # fmt: skip


def test_limits_hold(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="100,000 slides; at most 5,000"):
        parse(odp(*["<draw:page/>"] * 100_000), "a.odp")
    with pytest.raises(DocumentWithoutText, match="no slides"):
        parse(odp(), "a.odp")
    with pytest.raises(DocumentWithoutText):
        parse(odp("", ""), "a.odp")


def test_groups_in_groups_are_read(parse) -> None:
    assert parse(odp("<draw:g>" * 200 + box("deep") + "</draw:g>" * 200), "a.odp").text == "deep"
