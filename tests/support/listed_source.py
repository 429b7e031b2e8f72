"""A source whose items a test sets: a real plug-in without a disk or a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from knowledge.errors import SourceItemFailed
from knowledge.sources.base import Fetched, Item, Option, Problem, SourceContext
from knowledge.sources.values import Values


@dataclass
class Shelf:
    """What the source offers, and what was asked of it."""

    texts: dict[str, str] = field(default_factory=dict)
    prints: dict[str, str] = field(default_factory=dict)  # fingerprints where they are not the text's own
    broken: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True
    tells: bool = True  # whether it gives fingerprints
    fetched: list[str] = field(default_factory=list)
    known: list[Mapping[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    before_fetch: Callable[[str], None] = lambda key: None


class ListedSource:
    name: ClassVar[str] = "listed"
    title: ClassVar[str] = "Listed"
    options: ClassVar[tuple[Option, ...]] = (
        Option(name="shelf", label="Shelf", required=True, help="Which shelf."),
        Option(name="depth", label="Depth", kind="number", minimum=1, maximum=9, default=2),
        Option(name="deep", label="Deep", kind="switch", default=False),
        Option(name="include", label="Only these", kind="lines"),
        Option(name="token", label="Token", kind="secret", help="The key to the shelf."),
    )
    shelf: ClassVar[Shelf]

    def __init__(self, values: Values, *, context: SourceContext) -> None:
        self.complete = False
        self.shelf.values.append(values)

    def check(self) -> list[str]:
        return self.shelf.wrong

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        self.shelf.known.append(dict(known))
        yield from self.shelf.problems
        for key in list(self.shelf.texts):
            yield self._item(key)
        self.complete = self.shelf.complete

    def fetch(self, item: Item) -> Fetched:
        self.shelf.before_fetch(item.key)
        if item.key in self.shelf.broken:
            raise SourceItemFailed("The shelf is locked.")
        self.shelf.fetched.append(item.key)
        return Fetched(item=self._item(item.key), data=self.shelf.texts[item.key].encode())

    def _item(self, key: str) -> Item:
        own = self.shelf.prints.get(key, str(hash(self.shelf.texts[key])))
        return Item(key=key, filename=key.rpartition("/")[2], fingerprint=own if self.shelf.tells else "")


def install(monkeypatch: Any) -> Shelf:
    """Register the plug-in under ``listed`` with an empty shelf, and return that."""
    from knowledge.sources import plugins

    monkeypatch.setattr(plugins, "SOURCES", {**plugins.SOURCES, "listed": ListedSource})
    for module in ("knowledge.syncing.kinds",):
        monkeypatch.setattr(f"{module}.SOURCES", plugins.SOURCES)
    ListedSource.shelf = Shelf()
    return ListedSource.shelf
