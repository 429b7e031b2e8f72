"""The form of a source, made from what its plug-in says can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from knowledge.errors import SourceMisconfigured
from knowledge.sources.base import Option
from knowledge.syncing import kinds
from knowledge.syncing.models import DAY, Source
from knowledge.syncing.secrets import secret_names, secrets_after

UNITS = {
    "": ("By hand only", 0),
    "minutes": ("Every … minutes", 1),
    "hours": ("Every … hours", 60),
    "days": ("Every … days", DAY),
}
HOURS = range(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One setting as the template draws it."""

    option: Option
    value: Any
    is_set: bool = False  # a secret that is stored

    @property
    def id(self) -> str:
        return f"option-{self.option.name}"

    @property
    def name(self) -> str:
        return f"option.{self.option.name}"


class SourceForm:
    """What was typed in, or what is stored, or the defaults; nothing is checked here but numbers of the schedule."""

    def __init__(self, kind: str, *, source: Source | None = None, data: QueryDict | None = None) -> None:
        """:raises SourceMisconfigured: there is no such kind."""
        self.kind, self.source, self._data = kind, source, data
        self._options = kinds.options_of(kind)
        self._set = set(secret_names(source)) if source else set()

    @property
    def fields(self) -> list[FormField]:
        return [
            FormField(option=option, value=self._value(option), is_set=option.name in self._set)
            for option in self._options
        ]

    @property
    def name(self) -> str:
        stored = self.source.name if self.source else ""
        return self._data.get("name", "") if self._data is not None else stored

    @property
    def schedule(self) -> dict[str, Any]:
        """The three parts of the schedule: a number, its unit, and the hour."""
        if self._data is not None:
            return {name: self._data.get(name, "") for name in ("every", "unit", "at_hour")}
        interval = self.source.interval if self.source else 0
        unit = next((name for name in ("days", "hours", "minutes") if interval and interval % UNITS[name][1] == 0), "")
        hour = self.source.at_hour if self.source else None
        every = interval // UNITS[unit][1] if unit else 1
        return {"every": every, "unit": unit, "at_hour": "" if hour is None else str(hour)}

    def given(self) -> dict[str, Any]:
        """Return what was typed in, as the services take it. A secret left empty is the stored one.

        :raises SourceMisconfigured: the schedule is no number.
        """
        assert self._data is not None
        options = {o.name: self._typed(o) for o in self._options if o.kind != "secret"}
        forget = set(self._data.getlist("forget"))
        typed = {o.name: self._data.get(f"option.{o.name}", "") for o in self._options if o.kind == "secret"}
        secrets = {name: value for name, value in typed.items() if value or name in forget}
        hour = self._data.get("at_hour", "")
        return {
            "name": self._data.get("name", ""), "options": options, "secrets": secrets, "interval": self._interval(),
            "at_hour": int(hour) if hour.isascii() and hour.isdecimal() else None,
        }  # fmt: skip

    def secrets_to_try(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return the secrets as they would be after saving what ``given`` returned.

        :raises SourceMisconfigured: a stored one would go to another server.
        """
        if self.source is None:
            return {name: value for name, value in given["secrets"].items() if value}
        return secrets_after(self.source, options=given["options"], given=given["secrets"])

    def _interval(self) -> int:
        assert self._data is not None
        minutes = UNITS.get(self._data.get("unit", ""), UNITS[""])[1]
        every = self._data.get("every", "").strip()
        if not minutes:
            return 0
        if not (every.isascii() and every.isdecimal() and int(every[:6]) > 0 and len(every) < 6):
            raise SourceMisconfigured("“How many” must be a whole number of at least 1.")
        return int(every) * minutes

    def _typed(self, option: Option) -> Any:
        assert self._data is not None
        value = self._data.get(f"option.{option.name}", "")
        return value == "on" if option.kind == "switch" else value

    def _value(self, option: Option) -> Any:
        if option.kind == "secret":
            return ""
        if self._data is not None:
            return self._typed(option)
        stored = self.source.options.get(option.name, option.default) if self.source else option.default
        return "\n".join(stored) if isinstance(stored, list | tuple) else stored
