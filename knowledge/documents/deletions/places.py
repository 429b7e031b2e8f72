"""Where the text of a document can lie. Every app that keeps some names its places here when it is ready.

A deletion counts each place before and after, and its report is loud about whatever must be gone and is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Found", "Place", "Rule", "Subject", "add_purger", "purger", "purgers", "register", "registered"]


class Rule(StrEnum):
    """What a deletion means for a place."""

    GONE = "gone"  # it must be empty afterwards
    KEPT = "kept"  # what answers quoted stays until it is erased; then it must be empty
    FADES = "fades"  # it empties itself in a time that its note tells
    WORDLESS = "wordless"  # it names the document and holds no words of it
    LEARNT = "learnt"  # it was made from its words and cannot forget them; its note says what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a deleted document was known by: ids alone."""

    tenant: str
    knowledge_base: str
    document: str
    versions: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()  # of the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How many things of a document a place holds, and what a reader should know of it."""

    count: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place by its key, the name people read, and how its things are counted.

    ``remove`` takes them away in the transaction that deletes the document's row, where nothing else does; what is kept
    by rule, in that which erases it.
    """

    key: str
    name: str
    rule: Rule
    count: Callable[[Subject], Found]
    remove: Callable[[Subject], None] | None = None


_places: dict[str, Place] = {}
_purgers: dict[str, Callable[[], bool]] = {}


def register(place: Place) -> None:
    """Add a place; the same key again replaces it."""
    _places[place.key] = place


def registered() -> list[Place]:
    """Return the places in the order they were named."""
    return list(_places.values())


def add_purger(name: str, purge: Callable[[], bool]) -> None:
    """Name an engine whose files keep what was deleted until it is told to rewrite them.

    ``deletion.request_purge`` with that name as its space asks for it; ``purge`` returns whether it is done.
    """
    _purgers[name] = purge


def purger(name: str) -> Callable[[], bool] | None:
    return _purgers.get(name)


def purgers() -> list[str]:
    return list(_purgers)
