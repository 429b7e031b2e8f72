"""Which paths a source takes: patterns like those of ignore files."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from knowledge.parsing.formats import BY_EXTENSION
from knowledge.sources.base import Option

__all__ = ["PATTERN_OPTIONS", "Patterns", "is_readable"]

PATTERN_OPTIONS: Final = (
    Option(
        name="include",
        label="Only these",
        kind="lines",
        help="One pattern a line, such as *.pdf or handbook/**. Empty: everything in a format that is read.",
    ),
    Option(name="exclude", label="Not these", kind="lines", help="One pattern a line, such as drafts/** or *.log."),
)


class Patterns:
    """Includes and excludes over relative paths with slashes.

    ``*`` and ``?`` match within one name, ``**`` any folders; a pattern without a slash is met by a file of that
    name in any folder, and one that a folder meets takes all below it.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = [_compiled(pattern) for pattern in include]
        self._exclude = [_compiled(pattern) for pattern in exclude]

    def takes(self, path: str) -> bool:
        names = path.split("/")
        if self._include and not any(_meets(pattern, names) for pattern in self._include):
            return False
        return not any(_meets(pattern, names) for pattern in self._exclude)


def is_readable(path: str) -> bool:
    """Whether the extension is one of a format that is read."""
    known = BY_EXTENSION.get(PurePosixPath(path).suffix.lower())
    return known is not None and bool(known.parser)


_ANY_FOLDERS: Final = None
_Pattern = list[re.Pattern[str] | None]


def _compiled(pattern: str) -> _Pattern:
    inner = pattern.strip().lstrip("/")
    names = [name for name in inner.split("/") if name]
    floating = ["**"] if "/" not in inner.rstrip("/") and not pattern.startswith("/") else []
    return [_ANY_FOLDERS if name == "**" else re.compile(fnmatch.translate(name)) for name in (*floating, *names)]


def _meets(pattern: _Pattern, names: Sequence[str]) -> bool:
    """Whether the pattern matches the path or a folder above it: states are how many names were used up."""
    ends = {0}
    for part in pattern:
        if part is _ANY_FOLDERS:
            ends = set(range(min(ends), len(names) + 1)) if ends else ends
        else:
            ends = {end + 1 for end in ends if end < len(names) and part.match(names[end])}
    return bool(ends)
