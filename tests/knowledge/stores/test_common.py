from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from knowledge.errors import StoreError
from knowledge.stores.common import batches, checked_id, checked_ids, checked_records, checked_space
from knowledge.types import IndexRecord, Scope

Make = Callable[..., IndexRecord]
GOOD = "0b5a1c1e-1111-4222-8333-abcdefabcdef"


def test_canonical_uuid_passes() -> None:
    assert checked_id(GOOD) == GOOD
    assert checked_ids([GOOD, GOOD]) == [GOOD]


@pytest.mark.parametrize("bad", ["", GOOD.upper(), f"{GOOD}\n", f"{GOOD}'", GOOD[:-1], GOOD.replace("-", ""), None, 7])
def test_anything_else_is_refused(bad: str) -> None:
    with pytest.raises(StoreError):
        checked_id(bad)


@pytest.mark.parametrize("bad", ["", "a b", "../x", "A", "x" * 65, "a'b", "a\n"])
def test_space_is_a_plain_name(bad: str) -> None:
    assert checked_space("minilm_384_0a1b2c3d") == "minilm_384_0a1b2c3d"
    with pytest.raises(StoreError):
        checked_space(bad)


@pytest.mark.parametrize("field", ["key", "generation", "version", "document", "knowledge_base"])
def test_every_id_of_a_record_is_checked(make: Make, scope: Scope, field: str) -> None:
    wide = replace(scope, knowledge_bases=scope.knowledge_bases | {"x"})
    assert len(checked_records([make("fine")], scope=wide)) == 1
    with pytest.raises(StoreError):
        checked_records([make("fine", **{field: "x"})], scope=wide)


def test_matrix_instead_of_a_vector_is_refused(make: Make, scope: Scope) -> None:
    with pytest.raises(StoreError):
        checked_records([make("bad", vector=np.ones((2, 4), np.float32))], scope=scope)


def test_batches_keep_order_and_rest() -> None:
    assert list(batches([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(batches([], 2)) == []
