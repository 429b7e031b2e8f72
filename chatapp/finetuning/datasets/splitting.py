"""Which rows are held out: whole documents, drawn by a seed, so that no row is tested on what another one taught."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence

__all__ = ["HELD_OUT", "grouped", "split_of"]

HELD_OUT = 0.15
"""Share of the groups that are held out, about."""


def grouped(rows: Sequence[Iterable[str]]) -> list[str]:
    """Return the group of each row: rows that share one of their documents, at whatever distance, share the group.

    ``rows`` are the documents of each row, of which there is at least one. A group is named for its first document.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    firsts = []
    for documents in rows:
        names = sorted(documents)
        firsts.append(names[0])
        for name in names:
            one, other = sorted((root(names[0]), root(name)))
            parent[other] = one
    return [root(name) for name in firsts]


def split_of(groups: Iterable[str], *, seed: int, share: float = HELD_OUT) -> Mapping[str, str]:
    """Return ``train`` or ``eval`` for each group, by a digest: a group that comes later moves no other one.

    Of two groups or more at least one is held out, and at least one is not.
    """
    places = {group: _place(group, seed) for group in set(groups)}
    held = {group for group, place in places.items() if place < share}
    order = sorted(places, key=lambda group: (places[group], group))
    if len(order) > 1:
        held = held or {order[0]}
        held -= {order[-1]} if len(held) == len(order) else set[Hashable]()
    return {group: "eval" if group in held else "train" for group in places}


def _place(group: str, seed: int) -> float:
    """Return a number of 0..1 that is the same for the same group and seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64
