"""Sentences that several sources say."""

from __future__ import annotations

from knowledge.sources.base import Problem

__all__ = ["megabytes", "nothing_left", "too_many", "too_many_problems"]


def megabytes(size: int) -> str:
    return f"{size / (1024 * 1024):,.1f} MB".replace(".0 MB", " MB")


def too_many(limit: int) -> Problem:
    """Say that a listing was cut short."""
    message = (
        f"There are more than {limit:,} documents; the rest is left out, and none is withdrawn. Narrow the source."
    )
    return Problem(key="", message=message)


def too_many_problems(limit: int) -> Problem:
    """Say that a listing of which too much cannot be read was cut short."""
    message = (
        f"More than {limit:,} of its documents cannot be read; the rest is left out, and none is withdrawn. "
        "Narrow the source."
    )
    return Problem(key="", message=message)


def nothing_left(what: str, documents: int) -> Problem:
    """Say that a source which offered documents offers none now, which is more often a fault than meant."""
    message = (
        f"{what}, though {documents:,} documents came from it. None is withdrawn; if that is meant, delete the source."
    )
    return Problem(key="", message=message)
