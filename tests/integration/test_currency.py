"""Documents change, and indexes are switched, while questions are asked: answers follow, and none is of what is gone."""

from __future__ import annotations

from typing import Any

import pytest
from amount import STORES

from chatapp.operations.bench import currency

pytestmark = [pytest.mark.timeout(600)]


@pytest.mark.parametrize("product", STORES, indirect=True)
def test_answers_follow_every_change_and_cite_nothing_that_is_gone(product: Any) -> None:
    found = currency.measure(product.client, documents=24, changes=8, questions=60, say=lambda _: None)
    assert (found.stale, found.gone, found.inexact, found.empty, found.failed) == (0, 0, 0, 0, 0), found
    assert found.questions >= 60
    assert found.slowest < currency.LIMIT_SECONDS
