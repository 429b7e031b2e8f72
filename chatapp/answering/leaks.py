"""Hosted models' own citation markup where it leaks into the text: what it looks like, and when it is over.

Anthropic: ``<cite index="1-2">`` and ``</cite>``. Cohere: ``<co>``, ``<co: 0,1>``, ``</co: 0:[1]>``. OpenAI: a name
such as ``cite`` between U+E200 and U+E202, what it names, and U+E201. Their words stay, the markup goes.
"""

from __future__ import annotations

__all__ = ["LONGEST_TAG", "RUN_START", "HostedRun", "is_leaked_tag"]

LONGEST_TAG = 200
"""Characters that are dropped at most for one tag or run that is never closed."""

RUN_START = "\ue200"
_RUN_NEXT = "\ue202"
_RUN_END = "\ue201"
_RUN_NAMES = ("cite", "filecite", "navlist")  # they stand alone as well, without what they name
_LONGEST_NAME = 16

_TAGS = frozenset({"cite", "co", "citation", "antml:cite"})


def is_leaked_tag(held: str, c: str) -> bool:
    """Tell whether ``held``, from its ``<`` on, is the name of such a tag, now that ``c`` follows; empty at the end."""
    name = held.removeprefix("<").removeprefix("/").lower()
    if name in _TAGS:
        return c in "> \t\n/"
    number = name.removeprefix("co:").rstrip(":")
    return name.startswith("co:") and c in "> ,[" and (not number or number.isdigit())


class HostedRun:
    """What follows U+E200, until it is known to be markup and over, or to be none."""

    def __init__(self) -> None:
        self._read = ""
        self._dropped = 0
        self._named = False

    @property
    def held(self) -> int:
        """Characters that may still be text."""
        return 0 if self._named else len(self._read)

    def take(self, c: str) -> str | None:
        """Take the next character; None while it goes on, else the text to read instead of it, ``c`` included."""
        if self._named:
            self._dropped += 1
            if c == "\n":
                return c
            return "" if c == _RUN_END or self._dropped > LONGEST_TAG else None
        if c == _RUN_END:
            return self._read
        if c == _RUN_NEXT and self._read:
            self._named = True
            return None
        self._read += c
        self._named = self._read in _RUN_NAMES
        if self._named or (len(self._read) <= _LONGEST_NAME and (("a" <= c <= "z") or c == "_")):
            return None
        return self._read

    def rest(self) -> str:
        """Return what was text after all, at the end of the output."""
        return "" if self._named else self._read
