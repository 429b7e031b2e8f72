"""robots.txt by RFC 9309, with the crawl delay that many files state."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Self

__all__ = ["Robots"]

_AGENT: Final = "footnote"
_LONGEST = 512 * 1024
_MOST_STARS = 20


@dataclass(slots=True)
class _Group:
    rules: list[tuple[str, bool]] = field(default_factory=list)  # pattern, allowed
    delay: float = 0


@dataclass(frozen=True, slots=True)
class Robots:
    """What one host lets this product read. The longest pattern decides; of two that are equal, the one that allows."""

    rules: tuple[tuple[str, bool], ...] = ()
    delay: float = 0  # seconds

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a file: the groups that name this product, or else those for everyone."""
        groups = _groups(text[:_LONGEST])
        chosen = groups.get(_AGENT) or groups.get("*") or _Group()
        return cls(tuple(chosen.rules), chosen.delay)

    def allows(self, path: str) -> bool:
        """Whether a path with its query may be read."""
        best, allowed = -1, True
        for pattern, allows in self.rules:
            if len(pattern) >= best and _matches(pattern, path):
                allowed = allows or (len(pattern) == best and allowed)
                best = len(pattern)
        return allowed


def _groups(text: str) -> dict[str, _Group]:
    """Groups by agent in lower case; several of one agent are one."""
    groups: dict[str, _Group] = {}
    current: list[_Group] = []
    naming = False
    for line in text.replace("\ufeff", "").splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            agent = re.split(r"[/\s]", value.lower(), maxsplit=1)[0]
            current = [*(current if naming else []), groups.setdefault(agent, _Group())]
            naming = True
        elif name in ("allow", "disallow", "crawl-delay"):
            naming = False
            for group in current:
                _add(group, name, value)
    return groups


def _add(group: _Group, name: str, value: str) -> None:
    if name == "crawl-delay":
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value):
            group.delay = float(value)
    elif value and value.count("*") <= _MOST_STARS:
        group.rules.append((value, name == "allow"))


def _matches(pattern: str, path: str) -> bool:
    """Whether the pattern meets the beginning of the path, ``*`` being anything and ``$`` at its end the end."""
    whole = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    position = len(first)
    for index, part in enumerate(others):
        if whole and index == len(others) - 1:
            return len(path) - len(part) >= position and path.endswith(part)
        found = path.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return not whole or position == len(path)
