"""A corpus for tests of one store."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import numpy as np
import pytest

from knowledge.types import IndexRecord, Scope

TENANT, BASE, GENERATION, DOCUMENT, VERSION = (str(uuid4()) for _ in range(5))

Make = Callable[..., IndexRecord]


@pytest.fixture
def scope() -> Scope:
    return Scope(tenant=TENANT, knowledge_bases=frozenset({BASE}))


@pytest.fixture
def generations() -> list[str]:
    return [GENERATION]


@pytest.fixture
def make() -> Make:
    """Return a maker of records of one document, with random vectors of 8 dimensions."""
    rng = np.random.default_rng(11)

    def record(text: str, **values: object) -> IndexRecord:
        vector = rng.normal(size=8).astype(np.float32)
        fields: dict[str, object] = {
            "key": str(uuid4()), "knowledge_base": BASE, "generation": GENERATION, "document": DOCUMENT,
            "version": VERSION, "ordinal": 0, "text": text, "terms": text.lower(),
            "vector": vector / np.float32(np.linalg.norm(vector)),
        }  # fmt: skip
        return IndexRecord(**{**fields, **values})  # type: ignore[arg-type]

    return record
