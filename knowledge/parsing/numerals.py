"""Numbers of list items as they are written: 3, c, C, iii, III."""

from __future__ import annotations

from enum import Enum

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MAX_ROMAN = 3999
_MAX_LETTERS = 26 * 20


class Numerals(Enum):
    DECIMAL = "decimal"
    LOWER_LETTER = "lower letter"
    UPPER_LETTER = "upper letter"
    LOWER_ROMAN = "lower roman"
    UPPER_ROMAN = "upper roman"


def numeral(number: int, kind: Numerals) -> str:
    """Write ``number``; one that the kind cannot write is written in digits."""
    if kind in (Numerals.LOWER_LETTER, Numerals.UPPER_LETTER) and 0 < number <= _MAX_LETTERS:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)  # z is followed by aa, bb
        return letters if kind is Numerals.LOWER_LETTER else letters.upper()
    if kind in (Numerals.LOWER_ROMAN, Numerals.UPPER_ROMAN) and 0 < number <= _MAX_ROMAN:
        roman = _roman(number)
        return roman if kind is Numerals.LOWER_ROMAN else roman.upper()
    return str(number)


def _roman(number: int) -> str:
    parts = []
    for value, sign in _ROMAN:
        times, number = divmod(number, value)
        parts.append(sign * times)
    return "".join(parts)
