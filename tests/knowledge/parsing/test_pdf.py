from __future__ import annotations

from typing import Any

import pytest

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.pdf import name_pages
from knowledge.types import BlockKind

LEFT = [f"Left column line {n} tells the story of the" for n in range(8)]
RIGHT = [f"right column line {n} which goes on with the" for n in range(8)]


def lines(texts: list[str], x: float = 72, top: float = 700, size: float = 12, step: float = 14) -> list[Any]:
    return [(x, top - n * step, size, text) for n, text in enumerate(texts)]


def test_wrapped_lines_become_one_paragraph_and_gaps_part_paragraphs(parse, make_pdf, shown) -> None:
    page = lines(["The first paragraph goes over two full lines of this", "page and ends here."])
    page += lines(["The second paragraph follows after a wider gap on", "this page."], top=650)
    assert shown(parse(make_pdf([page]), "a.pdf")) == [
        ("paragraph", "The first paragraph goes over two full lines of this page and ends here."),
        ("paragraph", "The second paragraph follows after a wider gap on this page."),
    ]


def test_two_columns_are_read_one_after_the_other(parse, make_pdf) -> None:
    title = [(72, 740, 20, "A title that spans both of the columns")]
    text = parse(make_pdf([title + lines(LEFT, x=60) + lines(RIGHT, x=330)]), "a.pdf").text
    assert text.index("A title") < text.index(LEFT[0]) < text.index(LEFT[7]) < text.index(RIGHT[0])


def test_a_table_is_read_by_rows(parse, make_pdf, shown) -> None:
    page = []
    for row, cells in enumerate([("Code", "Place", "Count")] + [(f"SKU-{n}", "Hall", str(n * 7)) for n in range(7)]):
        page += [(72 + 150 * column, 700 - 16 * row, 10, cell) for column, cell in enumerate(cells)]
    rows = shown(parse(make_pdf([page]), "a.pdf"))
    assert rows[0] == ("table_row", "Code\tPlace\tCount")
    assert rows[3] == ("table_row", "SKU-2\tHall\t14")


def test_large_and_bold_lines_are_headings(parse, make_pdf, shown) -> None:
    page = [(72, 740, 20, "Annual report"), (72, 700, 14, "Overview")]
    page += lines(["Body text that is long enough to be what most of the", "characters are set in."], top=680)
    page += [(72, 630, 12, "B:Bold heading")]
    page += lines(["More body text stands below the bold heading here."], top=612)
    document = parse(make_pdf([page]), "a.pdf")
    headings = [(b.level, t) for b, (_, t) in zip(document.blocks, shown(document), strict=True) if b.level]
    assert headings == [(1, "Annual report"), (2, "Overview"), (3, "Bold heading")]
    assert document.blocks[-1].heading_path == ("Annual report", "Overview", "Bold heading")
    assert document.title == "Annual report"


def test_repeated_headers_and_page_numbers_are_furniture(parse, make_pdf, shown) -> None:
    pages = []
    for n in range(1, 5):
        body = lines([f"The clause called {'abcd'[n - 1] * 3} begins here and fills a line."])
        pages.append([(72, 760, 9, "ACME Confidential"), *body, (300, 40, 9, f"Page {n + 6} of 10")])
    document = parse(make_pdf(pages), "a.pdf")
    assert [t for _, t in shown(document, BlockKind.FURNITURE)] == [
        t for n in range(1, 5) for t in ("ACME Confidential", f"Page {n + 6} of 10")
    ]
    assert len(shown(document, BlockKind.PARAGRAPH)) == 4


def test_rows_that_differ_by_more_than_the_page_number_stay(parse, make_pdf, shown) -> None:
    pages = [
        [(72, 760, 12, f"Invoice {n * 37} for order {n * n}"), *lines([f"Text {'abcdef'[n]}."])] for n in range(1, 6)
    ]
    assert not shown(parse(make_pdf(pages), "a.pdf"), BlockKind.FURNITURE)


def test_a_sentence_goes_on_over_a_page_border_without_furniture_in_it(parse, make_pdf) -> None:
    first = [*lines(["The sentence starts on the first page and it is only"], top=120), (300, 40, 9, "1")]
    second = [*lines(["continued on the second page.", "Another sentence."]), (300, 40, 9, "2")]
    document = parse(make_pdf([first, second]), "a.pdf")
    block = next(b for b in document.blocks if b.page_first != b.page_last)
    assert document.text[block.start : block.end].startswith(
        "The sentence starts on the first page and it is only continued on the second page."
    )
    page = document.pages[1]
    assert document.text[page.start :].startswith("continued on")
    assert document.pages[0].end == page.start


def test_a_sentence_goes_on_over_an_empty_page(parse, make_pdf) -> None:
    pages = [lines(["It begins on the first page and"]), [], lines(["goes on after an empty one."])]
    document = parse(make_pdf(pages), "a.pdf")
    assert document.text == "It begins on the first page and goes on after an empty one."
    first, empty, last = document.pages
    assert first.end == empty.start == empty.end == last.start == document.text.index("goes on")


def test_list_items_are_told_by_their_bullets(parse, make_pdf, shown) -> None:
    page = lines(["\x95 first item", "\x95 second item", "3. third item"])
    page = [(x, y, size, text.replace("\x95", "•")) for x, y, size, text in page]
    assert [kind for kind, _ in shown(parse(make_pdf([page]), "a.pdf"))] == ["list_item"] * 3


def test_every_visible_character_has_a_box_inside_the_page(parse, make_pdf) -> None:
    document = parse(make_pdf([lines(LEFT), lines(RIGHT)]), "a.pdf")
    assert document.boxes is not None
    assert len(document.boxes.page) == len(document.boxes.xyxy) == len(document.text)
    for index, character in enumerate(document.text):
        page = int(document.boxes.page[index])
        if character.isspace():
            assert page == 0
            continue
        x0, y0, x1, y1 = document.boxes.xyxy[index].tolist()
        assert page in (1, 2)
        assert 0 <= x0 < x1 <= 612
        assert 0 <= y0 <= y1 <= 792


def test_page_geometry_is_kept(parse, make_pdf) -> None:
    data = make_pdf([lines(["Turned page"])], page_entries=b"/Rotate 90/CropBox[10 20 600 700]")
    page = parse(data, "a.pdf").pages[0]
    assert (page.number, page.rotation, page.view_box) == (1, 90, (10.0, 20.0, 600.0, 700.0))
    assert (page.width, page.height) == (680.0, 590.0)


@pytest.mark.parametrize(("matrix", "down"), [("0 1 -1 0", (14, 0)), ("0 -1 1 0", (-14, 0)), ("-1 0 0 -1", (0, 14))])
def test_turned_text_is_read_in_its_own_direction(parse, make_pdf, matrix: str, down: tuple[int, int]) -> None:
    shows = ""
    for n, text in enumerate(["First turned line of the page", "second turned line of it."]):
        shows += f"BT /F1 12 Tf {matrix} {300 + n * down[0]} {400 + n * down[1]} Tm ({text}) Tj ET\n"
    document = parse(make_pdf([[]], raw=shows.encode()), "a.pdf")
    assert document.text == "First turned line of the page second turned line of it."


def test_a_page_without_text_is_named_in_a_warning(parse, make_pdf) -> None:
    document = parse(make_pdf([lines(["text"]), [], [], lines(["more"])]), "a.pdf")
    assert document.warnings == ("Pages 2-3 have no text layer and cannot be searched or cited.",)
    assert [p.number for p in document.pages] == [1, 2, 3, 4]


def test_no_text_on_any_page_is_an_error(parse, make_pdf) -> None:
    with pytest.raises(DocumentWithoutText, match="None of the 2 pages has a text layer"):
        parse(make_pdf([[], []]), "a.pdf")
    with pytest.raises(DocumentWithoutText, match="The page has no text layer"):
        parse(make_pdf([[]]), "a.pdf")


def test_a_broken_encoding_is_named_in_a_warning(parse, objects_to_pdf) -> None:
    cmap = b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
    cmap += b"1 beginbfrange <41> <5A> <E041> endbfrange endcmap"
    content = b"BT /F1 12 Tf 72 700 Td (" + b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 2 + b") Tj ET"
    data = objects_to_pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap),
        ]
    )
    assert parse(data, "a.pdf").warnings == ("Page 1 uses a broken text encoding; words there may be wrong.",)


def test_a_password_is_asked_for(parse, make_pdf) -> None:
    key = b"<28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A>"
    trailer = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O%s/U%s>>/ID[<00><00>]" % (key, key)
    with pytest.raises(DocumentEncrypted, match="password"):
        parse(make_pdf([lines(["secret"])], trailer=trailer), "a.pdf")


def test_damaged_files_say_so(parse, make_pdf, objects_to_pdf) -> None:
    whole = make_pdf([lines(["text"])])
    catalog = b"<</Type/Catalog/Pages 2 0 R>>"
    cyclic = [catalog, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"]
    none = [catalog, b"<</Type/Pages/Kids[]/Count 0>>"]
    deep = [b"<</Type/Catalog/Pages 2 0 R/X " + b"[" * 20_000 + b"]" * 20_000 + b">>", none[1]]
    for data in (whole[:120], b"%PDF-1.7\n", objects_to_pdf(cyclic), objects_to_pdf(none), objects_to_pdf(deep)):
        with pytest.raises((DocumentDamaged, DocumentWithoutText)):
            parse(data, "a.pdf")


def test_too_many_pages_are_refused_quickly(parse, objects_to_pdf) -> None:
    kids = b"3 0 R " * 200_000
    pages = b"<</Type/Pages/Kids[%s]/Count 200000>>" % kids
    data = objects_to_pdf([b"<</Type/Catalog/Pages 2 0 R>>", pages, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 1 1]>>"])
    with pytest.raises(DocumentTooLarge, match="5,000"):
        parse(data, "a.pdf")


def test_same_bytes_give_the_same_text(parse, make_pdf) -> None:
    data = make_pdf([lines(LEFT, x=60) + lines(RIGHT, x=330)])
    first, second = parse(data, "a.pdf"), parse(data, "b.pdf")
    assert first.text == second.text
    assert first.blocks == second.blocks


def test_made_up_titles_are_not_taken(parse, make_pdf, objects_to_pdf) -> None:
    data = make_pdf([lines(["Some text of the page."])])
    assert parse(data, "a.pdf").title is None


def test_pages_are_named_in_ranges() -> None:
    assert name_pages([3]) == "Page 3"
    assert name_pages([1, 4, 5, 6, 9]) == "Pages 1, 4-6 and 9"
    assert name_pages(list(range(1, 60, 2))).startswith("30 pages (1, 3,")
