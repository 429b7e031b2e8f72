"""Hints at personal data in rows. They are shown to who reviews, and block nothing: a clinic's opening hours hold a
telephone number too, and what is a name no pattern knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Hint", "hints", "luhn"]

MOST = 10
"""Hints named of one row."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that looks personal: what it looks like, and its words."""

    kind: str
    words: str


def luhn(digits: str) -> bool:
    """Tell whether the last of some digits is their check digit (ISO/IEC 7812-1)."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_card(words: str) -> bool:
    digits = re.sub(r"\D", "", words)
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn(digits)


def _is_iban(words: str) -> bool:
    """ISO 13616: moved to the end and written as numbers, the first four signs make the whole 1 modulo 97."""
    signs = words.replace(" ", "").upper()
    return 15 <= len(signs) <= 34 and int("".join(str(int(c, 36)) for c in signs[4:] + signs[:4])) % 97 == 1


def _is_phone(words: str) -> bool:
    return 8 <= len(re.sub(r"\D", "", words)) <= 15


def _is_german_tax_number(words: str) -> bool:
    """ISO 7064 MOD 11,10 over ten digits, as the tax number of a person in Germany has it."""
    digits = [int(c) for c in words if c.isdigit()]
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return len(digits) == 11 and digits[0] != 0 and (11 - product) % 10 == digits[10]


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("e-mail address", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63})+"), lambda _: True),
    ("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b"), _is_iban),
    ("payment card", re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])"), _is_card),
    ("social security number", re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b"), lambda _: True),
    ("national insurance number", re.compile(r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"), lambda _: True),
    ("tax number", re.compile(r"(?<![\d.])\d{2} ?\d{3} ?\d{3} ?\d{3}(?![\d.])"), _is_german_tax_number),
    # A plus, or a leading zero or bracket with signs between: mere numbers are no telephone.
    ("telephone number", re.compile(
        r"(?<!\w)(?<!\d )(?:\+\d{1,3}|\(?0\d{1,5}\)?(?=[ /-]))(?:[ /().-]{0,3}\d){5,13}(?!\w)"), _is_phone),
)  # fmt: skip


def hints(text: str) -> list[Hint]:
    """Return what looks personal in a text, each once, in the order of the kinds."""
    return list(dict.fromkeys(_found(text)))[:MOST]


def _found(text: str) -> Iterator[Hint]:
    taken: list[tuple[int, int]] = []
    for kind, pattern, real in _KINDS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if real(match.group()) and not any(start < b and a < end for a, b in taken):
                taken.append((start, end))
                yield Hint(kind, match.group())
