"""Dates and times of spreadsheets: days counted from 1900 or 1904, shown by a format code."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

_MONTHS: Final = "January February March April May June July August September October November December".split()
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_LAST_DAY: Final = 2_958_465  # 9999-12-31
_DATE_SIGNS = re.compile(r"[ymdhs]|AM/PM", re.IGNORECASE)
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$-(?P<locale>[0-9A-Fa-f]+)\]|\[(?P<passed>h+|m+|s+)\]|\[[^\]]*\]|_.|\*.'
    r"|(?P<half>AM/PM|A/P)|(?P<part>y+|m+|d+|h+|s+)|\.(?P<fraction>0+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_ENGLISH: Final = 0x09  # the low byte of every English locale
_SYSTEM: Final = (0xF800, 0xF400)  # the long date and the time of the reader's system
_Parts = list[tuple[str, str]]


def is_date(code: str) -> bool:
    """Whether a section of a format code shows dates or times."""
    shown = _NOT_SHOWN.sub("", code)
    return bool(_DATE_SIGNS.search(shown)) and not re.search(r"[#?@]|general", shown, re.IGNORECASE)


def date_format(code: str, *, date1904: bool) -> Callable[[str], str | None]:
    """Return what shows a stored number; it gives None for one that is no date."""
    parts = _parts(code)
    places = max((len(text) for kind, text in parts if kind == "fraction"), default=0)
    counts_days = any(kind in ("y", "mo", "d") for kind, _ in parts)
    half = any(kind == "half" for kind, _ in parts)

    def show(value: str) -> str | None:
        try:
            serial = float(value)
        except ValueError:
            return None
        if not 0 <= serial <= _LAST_DAY:
            return None
        unit = 10 ** min(places, 3)
        ticks = round(serial * 86_400 * unit)
        day, ticks = divmod(ticks, 86_400 * unit)
        calendar = _calendar(day, date1904) if counts_days else (0, 0, 0, 0)
        if calendar is None:
            return None
        seconds, fraction = divmod(ticks, unit)
        return "".join(_shown(kind, text, calendar, day, seconds, fraction, half) for kind, text in parts).strip()

    return show


def _calendar(day: int, date1904: bool) -> tuple[int, int, int, int] | None:
    """Year, month, day, day of the week (0 is Monday). The 1900 system holds a 29 February 1900."""
    if date1904:
        day += 1462
    elif day == 60:
        return 1900, 2, 29, 2
    elif day == 0:
        return 1900, 1, 0, 5
    if day > _LAST_DAY:
        return None
    found = date(1899, 12, 30 if day > 60 else 31) + timedelta(days=day)
    return found.year, found.month, found.day, (day - 2) % 7


def _parts(code: str) -> _Parts:
    """Cut a code into kinds and texts; an unsure one becomes year, month and day."""
    parts: _Parts = []
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup
        if kind == "locale":
            locale = int(match["locale"][-4:], 16)
            named = re.search(r"m{3}|d{3}", _NOT_SHOWN.sub("", code), re.IGNORECASE)
            if locale in _SYSTEM or (named and locale & 0xFF not in (0, _ENGLISH)):
                return _international(code)
        elif kind == "part":
            sign = match["part"].lower()
            parts.append(("mo" if sign[0] == "m" else sign[0], sign))
        elif kind is not None:
            parts.append((kind, match[0] if kind == "half" else match[kind]))
    return _minutes(parts)


def _international(code: str) -> _Parts:
    shown = _NOT_SHOWN.sub("", code).lower()
    day: _Parts = [("y", "yyyy"), ("other", "-"), ("mo", "mm"), ("other", "-"), ("d", "dd")]
    time: _Parts = [("h", "hh"), ("other", ":"), ("mi", "mm"), ("other", ":"), ("s", "ss")]
    if not re.search("[hs]", shown):
        return day
    return [*day, ("other", " "), *time] if re.search("[yd]", shown) else time


def _minutes(parts: _Parts) -> _Parts:
    """An m after hours or before seconds means minutes."""
    clock = [at for at, (kind, _) in enumerate(parts) if kind in ("y", "mo", "d", "h", "s", "passed")]
    for place, at in enumerate(clock):
        kind, text = parts[at]
        if kind != "mo" or len(text) > 2:
            continue
        before = parts[clock[place - 1]] if place else ("", "")
        after = parts[clock[place + 1]] if place + 1 < len(clock) else ("", "")
        if before[0] == "h" or after[0] == "s" or (before[0] == "passed" and before[1][0] in "hH"):
            parts[at] = ("mi", text)
    return parts


def _shown(
    kind: str, text: str, calendar: tuple[int, int, int, int], day: int, seconds: int, fraction: int, half: bool
) -> str:
    year, month, month_day, week_day = calendar
    hour = seconds // 3600
    if kind == "passed":
        total = day * 86_400 + seconds
        return str(total // {"h": 3600, "m": 60, "s": 1}[text[0].lower()]).rjust(len(text), "0")
    if kind == "half":
        return (text[:2] if "M" in text.upper() else text[0]) if hour < 12 else text.partition("/")[2]
    if kind == "fraction":
        return "." + str(fraction).rjust(min(len(text), 3), "0")[: len(text)]
    if kind in ("mo", "d") and len(text) > 2:
        name = _MONTHS[month - 1] if kind == "mo" else _DAYS[week_day]
        return name if len(text) == 4 else name[: 1 if len(text) == 5 else 3]
    if kind == "y":
        return f"{year:04d}" if len(text) > 2 else f"{year % 100:02d}"
    values = {"mo": month, "d": month_day, "mi": seconds // 60 % 60, "s": seconds % 60}
    values["h"] = (hour % 12 or 12) if half else hour
    return str(values[kind]).rjust(min(len(text), 2), "0") if kind in values else text
