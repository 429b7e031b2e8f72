"""How much is run: a part that shows the same in less time, or with ``TESTS=full`` all of it."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("TESTS") == "full"


def of(part: T, whole: T) -> T:
    return whole if FULL else part


STORES = of(["lance"], ["lance", "weaviate"])
"""For whole products whose test costs much and shows what hardly depends on the store."""
