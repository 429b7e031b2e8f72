from __future__ import annotations

import pytest

from knowledge.parsing.numerals import Numerals, numeral


@pytest.mark.parametrize(
    ("number", "kind", "written"),
    [
        (12, Numerals.DECIMAL, "12"),
        (1, Numerals.LOWER_LETTER, "a"),
        (26, Numerals.UPPER_LETTER, "Z"),
        (28, Numerals.LOWER_LETTER, "bb"),
        (1994, Numerals.UPPER_ROMAN, "MCMXCIV"),
        (4, Numerals.LOWER_ROMAN, "iv"),
        (0, Numerals.UPPER_ROMAN, "0"),
        (0, Numerals.LOWER_LETTER, "0"),
        (4000, Numerals.LOWER_ROMAN, "4000"),
        (999_999, Numerals.UPPER_LETTER, "999999"),
    ],
)
def test_numbers_are_written_as_people_write_them(number: int, kind: Numerals, written: str) -> None:
    assert numeral(number, kind) == written
