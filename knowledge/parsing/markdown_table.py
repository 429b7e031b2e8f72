"""Pipe tables, found line by line: markdown-it's table rule takes gigabytes on wide tables."""

from __future__ import annotations


def split_cells(line: str) -> list[str]:
    """The cells of one table line; an escaped pipe stays in its cell."""
    body = line.strip()
    body = body.removeprefix("|")
    if body.endswith("|") and not body.endswith("\\|"):
        body = body[:-1]
    return [cell.replace("\0", "|").strip() for cell in body.replace("\\|", "\0").split("|")]


def is_delimiter_row(line: str, *, header: str) -> bool:
    """Whether this line of dashes, colons and pipes makes the line before it a table header."""
    stripped = line.strip()
    if not stripped or "|" not in stripped + header or set(stripped) - set("|:- \t") or "-" not in stripped:
        return False
    cells = split_cells(stripped)
    if any(set(cell[1:-1]) - {"-"} or not cell.strip(":") for cell in cells):
        return False
    return len(cells) == len(split_cells(header))
