from __future__ import annotations

import pytest

from knowledge.errors import DocumentDamaged, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.csv import sniff_delimiter


def test_records_become_rows_with_their_headers(parse, shown) -> None:
    document = parse('Name,Note\nAnna,"says ""hi"", twice"\n\nBen,\n', "a.csv")
    assert shown(document) == [("table_row", 'Name: Anna; Note: says "hi", twice'), ("table_row", "Name: Ben")]
    assert [b.attrs["row"] for b in document.blocks] == [2, 3]
    assert document.text.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "delimiter"), [("a;b;c", ";"), ("a\tb", "\t"), ("a|b|c", "|"), ("a,b", ","), ("a", ",")]
)
def test_the_delimiter_is_sniffed(line: str, delimiter: str) -> None:
    assert sniff_delimiter(f"{line}\n{line}\n") == delimiter


def test_commas_inside_quotes_do_not_mislead_the_sniffer() -> None:
    assert sniff_delimiter('"a, b, c";1\n"d, e, f";2\n') == ";"


def test_a_line_break_in_a_quoted_cell_stays_in_its_record(parse, shown) -> None:
    assert shown(parse('a,b\n"x\ny",2\n', "a.csv")) == [("table_row", "a: x y; b: 2")]


def test_a_single_record_is_data(parse) -> None:
    assert parse("only,one", "a.csv").text == "only; one"


def test_more_cells_than_headers_are_kept(parse) -> None:
    assert parse("a\n1,2,3\n", "a.csv").text == "a: 1; 2; 3"


def test_an_unclosed_quote_names_its_line(parse) -> None:
    with pytest.raises(DocumentDamaged, match="line 3 is never closed"):
        parse('a,b\n1,2\n"x,4\n5,6\n', "a.csv")
    with pytest.raises(DocumentTooLarge, match="line 1"):
        parse('"' + "a" * 5_000_000, "a.csv")


def test_too_many_columns_or_cells_are_refused(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="20,000 columns"):
        parse(",".join(["x"] * 20_000), "a.csv")
    with pytest.raises(DocumentTooLarge, match="10 cells"):
        parse("a,b\n" * 10, "a.csv", cells=10)


def test_empty_records_alone_are_no_text(parse) -> None:
    with pytest.raises(DocumentWithoutText):
        parse(",,\n , \n", "a.csv")


def test_formulas_are_text(parse) -> None:
    assert parse('a,b\n"=HYPERLINK(""http://a.test"")",2\n', "a.csv").text == 'a: =HYPERLINK("http://a.test"); b: 2'
