"""What a source plug-in is: a place that offers documents, listed and read again and again.

A plug-in keeps no rows. Whoever runs it remembers the fingerprint of every key and hands it in, so that what is
unchanged costs no reading, and withdraws the documents of absent keys only after a listing that was ``complete``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from knowledge.errors import SourceItemFailed, SourceMisconfigured

__all__ = [
    "LONGEST_KEY",
    "TEST_BYTES",
    "Fetched",
    "Item",
    "Option",
    "OptionKind",
    "Problem",
    "Source",
    "SourceContext",
    "SourceItemFailed",
    "SourceLimits",
    "SourceMisconfigured",
]

LONGEST_KEY = 2000
"""Characters of a key."""

OptionKind = Literal["text", "number", "switch", "secret", "lines"]


TEST_BYTES = 2 * 1024 * 1024
"""What a test of a connection reads at most: it runs while somebody waits, in the process that serves pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting of a source, as a form shows it."""

    name: str
    label: str
    help: str = ""
    kind: OptionKind = "text"
    required: bool = False
    default: str | int | bool | tuple[str, ...] = ""
    minimum: int | None = None  # of a number, inclusive
    maximum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing a source offers."""

    key: str  # stable within the source, at most LONGEST_KEY: relative path, canonical URL, object key, entry id
    filename: str  # with an extension the parsers know
    title: str = ""
    uri: str = ""  # where a person can open it; "" when nowhere
    fingerprint: str = (
        ""  # equal = unchanged (mtime_ns+size, ETag, git blob id...); "" = cannot be told without reading
    )
    modified: datetime | None = None  # with its time zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    item: Item  # with what was learned when fetching (fingerprint, title, filename)
    data: bytes | None = field(repr=False)  # None: unchanged after all (HTTP 304)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that could not be listed or read, in words; it never withdraws documents."""

    key: str  # "" when it is no single item
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """What one source may take of this machine."""

    item_bytes: int = 50 * 1024 * 1024  # of one file; the upload limit
    items: int = 20_000  # of one listing; a longer one is cut short and says so
    looked_at: int = 1_000_000  # things of a listing, taken or not
    problems: int = 1_000  # of one listing; a longer one is cut short, too
    listing_bytes: int = 50 * 1024 * 1024  # of one sitemap, feed or page of a listing, inflated
    repository_bytes: int = 2 * 1024 * 1024 * 1024  # of a clone
    seconds: int = 60  # for one request
    clone_seconds: int = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What the operator lets sources do, and the room of this one."""

    allow: tuple[str, ...] = ()  # internal hosts and networks that may be reached: see ``knowledge.egress``
    roots: tuple[Path, ...] = ()  # the folders below which folder sources and repositories on this machine may lie
    private: tuple[Path, ...] = ()  # the product's own folders: nothing in them or above them is ever read
    work: Path  # a private folder kept between runs, of this source alone; made when needed
    run: str = ""  # of what is read again after a stop, so that it goes on; "" where nothing is resumed
    limits: SourceLimits = SourceLimits()
    beat: Callable[[], None] = lambda: None  # called while a listing works and yields nothing; raises to end it


class Source(Protocol):
    """One source with its settings. An instance serves one run: ``items`` is exhausted once."""

    name: ClassVar[str]
    title: ClassVar[str]
    options: ClassVar[tuple[Option, ...]]
    complete: bool
    """After ``items`` is exhausted: whether the listing was whole, so that absent keys may be withdrawn."""

    def check(self) -> list[str]:
        """What is wrong with the settings, in sentences; empty when the source can be reached."""
        ...

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        """List what there is, each key once. ``known``: key -> last fingerprint."""
        ...

    def fetch(self, item: Item) -> Fetched:
        """Read one item that ``items`` of this instance, or of another with the same settings, yielded.

        :raises SourceItemFailed: it cannot be read; the message says why in a sentence.
        """
        ...
