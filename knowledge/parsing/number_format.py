"""Number formats of spreadsheets, where what people see is certain; any other number comes exact.

Source: ECMA-376 part 1, 18.8.30 and 18.8.31. Formats whose look depends on the reader's country
(the short date 14) come in the international order, 2024-03-05.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from knowledge.parsing.date_format import date_format, is_date

_BUILT_IN: Final = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "#,##0", 6: "#,##0", 7: "#,##0.00", 8: "#,##0.00",
    9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd hh:mm", 37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 41: "#,##0;(#,##0)", 42: "#,##0;(#,##0)",
    43: "#,##0.00;(#,##0.00)", 44: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"), **dict.fromkeys((32, 33, 34, 35), "h:mm:ss"),
}  # fmt: skip
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<symbol>[^\]-]*)(?:-[^\]]*)?\]|(?P<bracket>\[[^\]]*\])'
    r"|_.|\*.|(?P<digits>[#0?][#0?,]*(?:\.[#0?]*)?,*|\.[#0?]+)(?P<exponent>[eE][+-]0+)?|(?P<percent>%)|(?P<other>.)",
    re.DOTALL,
)
_COLORS = re.compile(r"\[(?:black|blue|cyan|green|magenta|red|white|yellow|color ?\d+)\]", re.IGNORECASE)
_PLAIN = frozenset(" -+()/:!^&'~{}<>=$€£¥.,")
_EXACT: Final = Decimal(10) ** 15


def format_code(number: int) -> str:
    """The code of a built-in format."""
    return _BUILT_IN.get(number, "General")


def exact(value: str) -> str:
    """A number in the shortest form that keeps Excel's 15 digits: "0.3", "1234567", "1.5E+30"."""
    if value.isdecimal() and len(value) < 16 and (value[0] != "0" or value == "0"):
        return value
    try:
        number = float(value)
        text = format(number, ".15g")
    except ValueError:
        return value
    if "e" not in text:
        return "0" if text == "-0" else text
    if 1e-9 <= abs(number) < 1e15:
        return format(Decimal(text), "f")
    return text.upper()


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How the numbers of one style are shown."""

    show: Callable[[str], str]  # from the stored number; never fails
    is_date: bool = False


GENERAL: Final = NumberFormat(exact)


def number_format(code: str, *, date1904: bool) -> NumberFormat:
    """Compile a format code; one that is not certain shows exact numbers."""
    if len(code) > 255 or code.lower() in ("general", "@", ""):
        return GENERAL
    sections = _sections(_COLORS.sub("", code))
    if is_date(sections[0]):
        shown = date_format(sections[0], date1904=date1904)
        return NumberFormat(lambda value: shown(value) or exact(value), is_date=True)
    compiled = [_section(section) for section in sections[:3]]
    if any(section is None for section in compiled):
        return GENERAL
    positive, *others = [section for section in compiled if section is not None]
    return NumberFormat(_by_sign(positive, others[0] if others else None, others[1] if len(others) > 1 else None))


def _sections(code: str) -> list[str]:
    """Cut at semicolons that are neither quoted nor escaped."""
    sections = [""]
    for match in re.finditer(r'"[^"]*"|\\.|.', code, re.DOTALL):
        if match[0] == ";":
            sections.append("")
        else:
            sections[-1] += match[0]
    return sections


@dataclass(frozen=True, slots=True)
class _Section:
    before: str
    after: str
    digits: str = ""  # "" shows the literals alone
    percent: int = 0
    scientific: int = -1  # digits after the point

    def number(self, value: Decimal) -> str:
        """Show a number that is not negative."""
        if not self.digits:
            return self.before + self.after
        if self.scientific >= 0:
            return f"{self.before}{float(value):.{self.scientific}E}{self.after}"
        return f"{self.before}{_digits(value, self.digits, self.percent)}{self.after}"


def _section(code: str) -> _Section | None:
    """Compile one section; None where it is not certain what people see."""
    sides, digits, percent, scientific = ["", ""], "", 0, -1
    for match in _TOKEN.finditer(code):
        if match["bracket"] is not None:
            return None  # a condition
        if match["digits"] is not None:
            if digits:
                return None  # fractions, phone numbers
            digits = match["digits"]
            if exponent := match["exponent"]:
                if not re.fullmatch(r"0(\.0+)?", digits) or exponent[1:] != "+00":
                    return None
                scientific = max(len(digits) - 2, 0)
            continue
        literal = match["quoted"] or match["escaped"] or match["symbol"] or ""
        if match["percent"]:
            percent, literal = percent + 1, "%"
        elif (other := match["other"]) is not None:
            if other not in _PLAIN:
                return None
            literal = other
        sides[bool(digits)] += literal
    if digits and "?" in digits and "/" in sides[1]:
        return None
    return _Section(sides[0].lstrip(), sides[1].rstrip(), digits, percent, scientific)


def _digits(value: Decimal, pattern: str, percent: int) -> str:
    whole, _, places = pattern.partition(".")
    scale = len(pattern) - len(pattern.rstrip(","))
    whole, places = whole.rstrip(","), places.rstrip(",")
    value = value.scaleb(2 * percent - 3 * scale)
    rounded = value.quantize(Decimal(1).scaleb(-len(places)), ROUND_HALF_UP)
    text = format(rounded, f"{',' if ',' in whole else ''}.{len(places)}f")
    integer, _, decimals = text.partition(".")
    least = places.rfind("0") + 1
    decimals = decimals[:least] + decimals[least:].rstrip("0")
    zeros = whole.count("0")
    if integer == "0" and not zeros:
        integer = ""
    if len(integer) < zeros:
        integer = integer.rjust(zeros, "0")
    return f"{integer}.{decimals}" if decimals or ("." in pattern and not places) else integer


def _by_sign(positive: _Section, negative: _Section | None, zero: _Section | None) -> Callable[[str], str]:
    def show(value: str) -> str:
        try:
            number = Decimal(format(float(value), ".15g"))
            if not abs(number) < _EXACT:
                return exact(value)
            if number == 0 and zero is not None:
                text = zero.number(number)
            elif number < 0 and negative is not None:
                text = negative.number(-number)
            else:
                text = positive.number(abs(number))
                text = f"-{text}" if number < 0 and any(c in "123456789" for c in text) else text
        except (ValueError, InvalidOperation):
            return exact(value)
        return text.strip() or exact(value)

    return show
