from __future__ import annotations

from typing import Any

import pytest

from chatapp.language_models.checks import model_addresses


def test_addresses_that_mean_something_are_taken(settings: Any) -> None:
    settings.MODEL_ADDRESSES = ["127.0.0.1:11434", "gpu.internal:8000", "10.1.0.0/16", "localhost"]
    assert model_addresses() == []


@pytest.mark.parametrize("entry", ["http://127.0.0.1:8000", "gpu.internal:99999", "*"])
def test_an_address_that_means_nothing_ends_the_start_in_a_sentence(entry: str, settings: Any) -> None:
    settings.MODEL_ADDRESSES = [entry]
    (message,) = model_addresses()
    assert message.msg.startswith("MODEL_ADDRESSES cannot be used.")
