"""The real office files beside the checkout (shared/data/office) and what must come out of each."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chatapp.operations.bench.office import Expected, at, expectations, folded, judged, unmet

__all__ = ["FOLDER", "Expected", "at", "folded", "judged", "of_format", "rows", "unmet"]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "office"


@cache
def rows() -> tuple[Expected, ...]:
    """Every row whose file is there; none without the data folder."""
    return expectations(FOLDER)


def of_format(*formats: str) -> list[Any]:
    """Parameters for ``pytest.mark.parametrize``: the rows of these formats, or one that is skipped with the reason."""
    found = [pytest.param(one, id=one.file.name) for one in rows() if one.row["format"] in formats]
    skipped = pytest.param(None, marks=pytest.mark.skip(reason=f"no office files at {FOLDER}"))
    return found or [skipped]
