"""What this room tells the rest of the product when the app is ready."""

from __future__ import annotations

from chatapp.finetuning.registry import staleness, tasks

__all__ = ["connect", "tasks"]


def connect() -> None:
    """Name where deleted documents live on: in weights."""
    staleness.register_place()
