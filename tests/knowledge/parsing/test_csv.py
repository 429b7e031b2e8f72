from __future__ import annotations

import pytest
from office import of_format, unmet

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


def test_values_know_their_place_and_column(parse) -> None:
    document = parse("Name,Age,Town\nAnna,,Rome\nBen,3,\n", "a.csv")
    row = document.blocks[0]
    assert [document.text[a:b] for a, b in row.attrs["cells"]] == ["Anna", "Rome"]
    assert (row.attrs["row"], row.attrs["columns"]) == (2, ["A", "C"])


def test_title_lines_stand_above_the_names(parse, shown) -> None:
    assert shown(parse("Stanley Cups,,\nall years,,\nTeam,Town,Cups\nBlues,STL,1\n", "a.csv")) == [
        ("caption", "Stanley Cups"), ("caption", "all years"), ("table_row", "Team: Blues; Town: STL; Cups: 1"),
    ]  # fmt: skip
    assert shown(parse("only,\none,\n", "a.csv")) == [("table_row", "only"), ("table_row", "one")]


def test_a_title_without_delimiters_neither_names_columns_nor_hides_the_delimiter(parse, shown) -> None:
    assert shown(parse("Sales of 2024\n\nRegion;Q1;Q2\nNord;1,5;2\nSüd;3;4,75\n", "a.csv")) == [
        ("caption", "Sales of 2024"),
        ("table_row", "Region: Nord; Q1: 1,5; Q2: 2"), ("table_row", "Region: Süd; Q1: 3; Q2: 4,75"),
    ]  # fmt: skip
    assert parse("Sales, all\na;b;c\n1;2;3\n4;5;6\n", "a.csv").text.endswith("\na: 4; b: 5; c: 6")
    assert parse("Note\nwait; then go\nstop\nturn\n", "a.csv").text == "Note: wait; then go\nNote: stop\nNote: turn"
    assert parse("Note\nhello, world\nbye\n", "a.csv").text == "Note: hello; world\nNote: bye"


@pytest.mark.parametrize("first", ["Bob,42,3.5", "1,2,3", "x,-7,y", "Ann,5 %,ok", 'Ann,"1.234,50",ok', "Ann,12,19"])
def test_a_first_record_of_values_is_a_record_of_its_own(parse, first: str) -> None:
    document = parse(f"{first}\nAnn,4,5\n", "a.csv")
    assert [block.attrs["row"] for block in document.blocks] == [1, 2]
    assert document.text.endswith("\nAnn; 4; 5")


@pytest.mark.parametrize("first", ["Month,1,2", ",0,1", "2023,2024,2025", "Region,2023,2024", "a,03.05.2024,1.2.3"])
def test_numbers_that_count_name_columns(parse, first: str) -> None:
    name = first.split(",")[1]
    assert f"; {name}: 4; " in parse(f"{first}\nAnn,4,5\n", "a.csv").text


def test_the_name_of_an_empty_column_is_not_lost(parse, shown) -> None:
    assert shown(parse("Name,Fax\nAnna,\nBen,\n", "a.csv")) == [
        ("table_row", "Name; Fax"), ("table_row", "Name: Anna"), ("table_row", "Name: Ben"),
    ]  # fmt: skip


def test_a_first_record_of_long_texts_names_nothing(parse) -> None:
    long = "x" * 2_000
    assert parse(f"{long},b\n1,2\n", "a.csv").text == f"{long}; b\n1; 2"


def test_repeated_names_cannot_outgrow_the_text_limit(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="1 MB"):
        parse(f"{'n' * 900},b\n" + "1,2\n" * 3_000, "a.csv", inflated_bytes=1024 * 1024)


@pytest.mark.parametrize("expected", of_format("csv"))
def test_real_tables(parse, expected) -> None:
    assert unmet(parse(expected.data, expected.file.name), expected.row) == []
