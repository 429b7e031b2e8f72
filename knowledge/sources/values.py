"""The settings of one source, checked against its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knowledge.errors import SourceMisconfigured
from knowledge.sources.base import Option

__all__ = ["Values", "values_of"]

_LONGEST_TEXT = 2000
_MOST_LINES = 100

Value = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What was set, or the default, for every option; asked for by kind."""

    settings: Mapping[str, Value]
    secrets: Mapping[str, str] = field(repr=False)

    def text(self, name: str) -> str:
        return str(self.settings[name])

    def number(self, name: str) -> int:
        return int(self.settings[name])  # type: ignore[arg-type]

    def switch(self, name: str) -> bool:
        return bool(self.settings[name])

    def lines(self, name: str) -> tuple[str, ...]:
        value = self.settings[name]
        assert isinstance(value, tuple)
        return value

    def secret(self, name: str) -> str:
        return self.secrets.get(name, "")


def values_of(options: Sequence[Option], given: Mapping[str, Any], *, secrets: Mapping[str, str]) -> Values:
    """Check what was given.

    :raises SourceMisconfigured: an option is unknown, missing, or cannot have that value.
    """
    known = {option.name: option for option in options}
    for name in (*given, *secrets):
        if name not in known:
            raise SourceMisconfigured(f"There is no setting {name[:60]!r}; there are {', '.join(known)}.")
        if (known[name].kind == "secret") != (name in secrets):
            raise SourceMisconfigured(
                f"“{known[name].label}” is given in the wrong place: only secrets are kept as such."
            )
    settings: dict[str, Value] = {}
    kept: dict[str, str] = {}
    for option in options:
        if option.kind == "secret":
            kept[option.name] = secret = _text(option, secrets.get(option.name, ""))
            empty = not secret
        else:
            value = given.get(option.name)
            settings[option.name] = checked = option.default if value in (None, "") else _checked(option, value)
            empty = checked in ("", ())
        if option.required and empty:
            raise SourceMisconfigured(f"“{option.label}” is needed. Fill it in.")
        if option.kind == "lines" and empty:
            settings[option.name] = ()
    return Values(settings=settings, secrets=kept)


def _checked(option: Option, value: Any) -> Value:
    if option.kind == "number":
        return _number(option, value)
    if option.kind == "switch":
        return _switch(option, value)
    if option.kind == "lines":
        return _lines(option, value)
    return _text(option, value)


def _text(option: Option, value: Any) -> str:
    if not isinstance(value, str) or not value.strip().isprintable():
        raise SourceMisconfigured(f"“{option.label}” must be text in one line.")
    if len(value) > _LONGEST_TEXT:
        raise SourceMisconfigured(f"“{option.label}” is longer than {_LONGEST_TEXT:,} characters.")
    return value.strip()


def _number(option: Option, value: Any) -> int:
    low, high = option.minimum, option.maximum
    try:
        number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        least = f" of at least {low:,}" if low is not None else ""
        most = f" and at most {high:,}" if high is not None else ""
        raise SourceMisconfigured(f"“{option.label}” must be a whole number{least}{most}.")
    return number


def _switch(option: Option, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "on", "1", "false", "off", "0"):
        return value in ("true", "on", "1")
    raise SourceMisconfigured(f"“{option.label}” must be on or off.")


def _lines(option: Option, value: Any) -> tuple[str, ...]:
    lines = value.splitlines() if isinstance(value, str) else value
    if not isinstance(lines, list | tuple) or len(lines) > _MOST_LINES:
        raise SourceMisconfigured(f"“{option.label}” must be at most {_MOST_LINES} lines.")
    return tuple(text for line in lines if (text := _text(option, line)))
