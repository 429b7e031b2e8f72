"""What people see in a cell; the expected strings are what Excel shows."""

from __future__ import annotations

import pytest

from knowledge.parsing.number_format import GENERAL, exact, format_code, number_format


def shown(code: str, value: str, *, date1904: bool = False) -> str:
    return number_format(code, date1904=date1904).show(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"), ("42", "42"), ("-7", "-7"), ("1.0", "1"), ("0.1", "0.1"), ("0.30000000000000004", "0.3"),
        ("1234567.891", "1234567.891"), ("1E-05", "0.00001"), ("1.5e-7", "0.00000015"), ("123456789012345", "123456789012345"),
        ("12345678901234567890", "1.23456789012346E+19"), ("1e-30", "1E-30"), ("-0", "0"), ("007", "7"), ("n/a", "n/a"), ("", ""),
    ],
)  # fmt: skip
def test_a_number_without_a_format_is_short_and_exact(value: str, text: str) -> None:
    assert exact(value) == text


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("0", "2.5", "3"), ("0.00", "2.005", "2.01"), ("#,##0", "1234567", "1,234,567"), ("#,##0.00", "-1234.5", "-1,234.50"),
        ("0%", "0.125", "13%"), ("0.00%", "0.1234", "12.34%"), ("0.0#", "1.239", "1.24"), ("0.0#", "1.2", "1.2"),
        ("00000", "1234", "01234"), ("#,##0.000", "0.5", "0.500"), ("#.##", "0.5", ".5"), ("0.", "5", "5."),
        ("$#,##0.00", "5", "$5.00"), ("[$€-407]#,##0.00", "-5.5", "-€5.50"), ('#,##0.00\\ "€"', "1234.5", "1,234.50 €"),
        ("[$CHF] #,##0", "99.6", "CHF 100"), ('0 "pcs"', "7", "7 pcs"), ('#,##0,"k"', "1234567", "1,235k"),
        ("#,##0.00_);[Red](#,##0.00)", "-3", "(3.00)"), ("#,##0_);(#,##0)", "3", "3"), ("0;-0;\"none\"", "0", "none"),
        ('_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)', "-1234.5", "$(1,234.50)"),
        ('_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-;_-@_-', "0", "-"), ('"yes";"yes";"no"', "0", "no"),
        ("0.00E+00", "12345.678", "1.23E+04"), ("0", "-0.2", "0"), ("0.00", "1e14", "100000000000000.00"),
    ],
)  # fmt: skip
def test_numbers_are_shown_by_their_format(code: str, value: str, text: str) -> None:
    assert shown(code, value) == text


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("# ?/?", "1.5", "1.5"), ("000-0000", "5551234", "5551234"), ("[>100]0;0.0", "5", "5"), (";;;", "5", "5"), ("#", "0", "0"),
        ("0.00", "1e20", "1E+20"), ("0.00", "text", "text"), ("0" * 300, "1", "1"), ("@", "0.5", "0.5"), ("General", "5", "5"),
        ("yyyy-mm-dd", "-1", "-1"), ("yyyy-mm-dd", "99999999", "99999999"), ("yyyy", "x", "x"), ("0.00", "inf", "inf"),
        ("0.00", "nan", "nan"), ('General" m"', "5", "5"), ("[", "5", "5"), ('"', "5", "5"), ("\\", "5", "5"),
    ],
)  # fmt: skip
def test_what_is_not_certain_comes_exact(code: str, value: str, text: str) -> None:
    assert shown(code, value).lower() == text.lower()


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("yyyy-mm-dd", "45000", "2023-03-15"), ("d.m.yyyy h:mm", "45000.75", "15.3.2023 18:00"), ("dd/mm/yy", "45000", "15/03/23"),
        ("mmm-yy", "45000", "Mar-23"), ("dddd, mmmm d", "45000", "Wednesday, March 15"), ("ddd mmmmm", "45000", "Wed M"),
        ("h:mm AM/PM", "0.5", "12:00 PM"), ("h:mm AM/PM", "0.02", "12:28 AM"), ("hh:mm:ss", "0.0105", "00:15:07"),
        ("mm:ss", "0.0105", "15:07"), ("[h]:mm", "1.5", "36:00"), ("[mm]:ss", "0.0105", "15:07"), ("[ss]", "0.001", "86"),
        ("mm:ss.0", "0.00012", "00:10.4"), ("yyyy-mm-dd hh:mm:ss", "45000.9999999", "2023-03-16 00:00:00"),
        ("m/d/yyyy", "1", "1/1/1900"), ("m/d/yyyy", "59", "2/28/1900"), ("m/d/yyyy", "60", "2/29/1900"), ("m/d/yyyy", "61", "3/1/1900"),
        ("dddd", "1", "Sunday"), ("d mmm yyyy", "2958465", "31 Dec 9999"), ('"on" yyyy', "45000", "on 2023"),
        ("[$-409]d mmm yyyy", "45000", "15 Mar 2023"), ("[$-407]dd.mm.yyyy", "45000", "15.03.2023"),
        ("[Red]yyyy", "45000", "2023"), ("yyyy\\-mm\\-dd;@", "45000", "2023-03-15"), ("d.m.yyyy h:mm:ss", "45000.00001", "15.3.2023 0:00:01"),
    ],
)  # fmt: skip
def test_dates_and_times_are_shown_by_their_format(code: str, value: str, text: str) -> None:
    known = number_format(code, date1904=False)
    assert known.is_date
    assert known.show(value) == text


@pytest.mark.parametrize(("code", "text"), [
    ("[$-407]d. mmm yyyy", "2023-03-15"), ("[$-F800]dddd, mmmm dd, yyyy", "2023-03-15"), ("[$-F400]h:mm:ss AM/PM", "12:00:00"),
    ("[$-411]ddd h:mm", "2023-03-15 12:00:00"),
])  # fmt: skip
def test_names_of_months_in_another_language_become_numbers(code: str, text: str) -> None:
    assert shown(code, "45000.5") == text


def test_the_1904_system_counts_from_another_day() -> None:
    assert shown("yyyy-mm-dd", "0", date1904=True) == "1904-01-01"
    assert shown("yyyy-mm-dd", "43538", date1904=True) == shown("yyyy-mm-dd", "45000")


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [(0, "0.5", "0.5"), (3, "1234", "1,234"), (9, "0.5", "50%"), (14, "45000", "2023-03-15"), (22, "45000.5", "2023-03-15 12:00"),
     (45, "0.0105", "15:07"), (49, "7", "7"), (57, "45000", "2023-03-15"), (999, "7", "7"), (40, "-2", "(2.00)")],
)  # fmt: skip
def test_built_in_formats(number: int, value: str, text: str) -> None:
    assert shown(format_code(number), value) == text


@pytest.mark.parametrize(
    "code", ["0.00", "@", "#,##0;[Red]-#,##0", '"day" 0', "General", "0.0E+00", "\\d0", "[Magenta]0"]
)
def test_formats_of_numbers_are_not_taken_for_dates(code: str) -> None:
    assert not number_format(code, date1904=False).is_date
    assert number_format("General", date1904=False) is GENERAL
