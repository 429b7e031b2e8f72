"""Which parts of the extra ``train`` are installed here, found out without importing any of them."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["are_here"]


def are_here(*parts: str) -> bool:
    return all(find_spec(part) is not None for part in parts)
