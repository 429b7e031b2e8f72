"""A source of any kind over a private work folder, and listings taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from knowledge.sources.base import Item, Problem, Source, SourceContext, SourceLimits
from knowledge.sources.plugins import source_of


@dataclass
class Listing:
    items: list[Item]
    problems: list[Problem]
    complete: bool

    @property
    def keys(self) -> list[str]:
        return [item.key for item in self.items]

    @property
    def known(self) -> dict[str, str]:
        return {item.key: item.fingerprint for item in self.items}

    def __getitem__(self, key: str) -> Item:
        return next(item for item in self.items if item.key == key)


MakeSource = Callable[..., Source]
ListSource = Callable[..., Listing]


@pytest.fixture
def make_source(tmp_path: Path) -> MakeSource:
    """Call with a kind and its options; each call is a new instance over the same work folder, as each run has."""

    def make(
        kind: str,
        options: Mapping[str, Any],
        *,
        secrets: Mapping[str, str] | None = None,
        allow: tuple[str, ...] = ("127.0.0.1",),
        roots: tuple[Path, ...] = (),
        private: tuple[Path, ...] = (),
        limits: SourceLimits | None = None,
        run: str = "",
    ) -> Source:
        context = SourceContext(
            allow=allow, roots=roots, private=private, run=run, work=tmp_path / "work",
            limits=limits or SourceLimits(seconds=5),
        )  # fmt: skip
        return source_of(kind, options, secrets=secrets or {}, context=context)

    return make


@pytest.fixture
def listed() -> ListSource:
    """Exhaust a source, with the fingerprints of the run before."""

    def listing(source: Source, known: Mapping[str, str] | None = None) -> Listing:
        found = list(source.items(known or {}))
        return Listing(
            items=[one for one in found if isinstance(one, Item)],
            problems=[one for one in found if isinstance(one, Problem)],
            complete=source.complete,
        )

    return listing
