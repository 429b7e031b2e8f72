"""Kinds of ``manage.py evaluate`` that other apps bring: they measure what this one must not import."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

__all__ = ["Kind", "brought", "use_kind"]


class Kind(Protocol):
    """A module that measures something."""

    HELP: str

    def add_arguments(self, parser: ArgumentParser) -> None: ...

    def measure(self, *, out: Callable[[str], object], **options: Any) -> None:
        """Print figures, line by line.

        :raises KnowledgeError: there is nothing to measure.
        """
        ...


_paths: dict[str, str] = {}


def use_kind(name: str, path: str) -> None:
    """Let ``manage.py evaluate NAME`` run the module of that path, which is imported then."""
    _paths[name] = path


def brought() -> dict[str, Kind]:
    """Return the kinds by name."""
    return {name: cast("Kind", import_module(path)) for name, path in _paths.items()}
