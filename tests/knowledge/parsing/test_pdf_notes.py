from __future__ import annotations

from typing import Any

from knowledge.types import BlockKind


def body(x: float, count: int, top: float = 740, text: str = "A line of the column that goes on and on") -> list[Any]:
    return [(x, top - 14 * n, 10, f"{text} {'abcdefghijklmnopqrstuvwxyz'[n]}") for n in range(count)]


def raised(x: float, y: float, number: int, text: str) -> bytes:
    return b"BT %g %g Td 3 Ts /F1 5 Tf (%d) Tj 0 Ts /F1 7.5 Tf (%s) Tj ET\n" % (x, y, number, text.encode())


def test_footnotes_stand_after_both_columns(parse, make_pdf, shown) -> None:
    notes = raised(60, 80, 1, " See the first harbour rules,") + b"BT /F1 7.5 Tf 60 71 Td (printed last year.) Tj ET\n"
    notes += raised(60, 62, 2, " Measured at low tide.")
    document = parse(make_pdf([body(60, 20) + body(330, 20)], raw=notes), "a.pdf")
    assert shown(document, BlockKind.FOOTNOTE) == [
        ("footnote", "1 See the first harbour rules, printed last year."),
        ("footnote", "2 Measured at low tide."),
    ]
    last_body = max(b.start for b in document.blocks if b.kind is BlockKind.PARAGRAPH)
    assert last_body < document.text.index("1 See")


def test_a_footnote_does_not_part_a_sentence_that_goes_on_overleaf(parse, make_pdf, shown) -> None:
    first = [*body(72, 3, text="First paragraph of the page,"), (72, 690, 10, "it ends here.")]
    first += [(72, 640, 10, "The second paragraph is only")]
    first += [(72, 80, 7, "1 A note about the first paragraph.")]
    document = parse(make_pdf([first, [(72, 740, 10, "continued on the next page.")]]), "a.pdf")
    assert "The second paragraph is only continued on the next page." in document.text
    assert shown(document, BlockKind.FOOTNOTE) == [("footnote", "1 A note about the first paragraph.")]
    note = next(b for b in document.blocks if b.kind is BlockKind.FOOTNOTE)
    assert note.page_first == note.page_last == 1
    assert document.pages[0].start <= note.start < note.end <= document.pages[0].end


def test_small_text_that_is_no_note_stays(parse, make_pdf, shown) -> None:
    sources = [(72, 300 - 10 * n, 7, f"{n + 1}. A source in small print.") for n in range(4)]
    only_small = parse(make_pdf([body(72, 5), sources]), "a.pdf")
    assert not shown(only_small, BlockKind.FOOTNOTE)  # a page of sources
    legend = [*body(72, 5), (72, 80, 7, "All figures in metres.")]
    assert not shown(parse(make_pdf([legend]), "a.pdf"), BlockKind.FOOTNOTE)
    high = [
        (72, 780, 10, "A first line of full size that is long."),
        (72, 700, 7, "1 Small but at the top."),
        *body(72, 9, 600),
    ]
    assert not shown(parse(make_pdf([high]), "a.pdf"), BlockKind.FOOTNOTE)
    digits = [*body(72, 5), (72, 80, 7, "1 1 0.02 1"), (72, 60, 7, "1 0.04 0.06")]
    assert not shown(parse(make_pdf([digits]), "a.pdf"), BlockKind.FOOTNOTE)


def test_a_raised_number_stays_with_its_word(parse, make_pdf) -> None:
    show = b"BT /F1 10 Tf 72 700 Td (the mooring fee) Tj 4 Ts /F1 6 Tf (12) Tj 0 Ts /F1 10 Tf ( of the year) Tj ET"
    assert parse(make_pdf([body(72, 2)], raw=show), "a.pdf").text.endswith("the mooring fee12 of the year")
