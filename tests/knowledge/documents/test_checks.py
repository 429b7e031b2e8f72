from __future__ import annotations

from typing import Any

import pytest

from knowledge.documents.checks import knowledge_configuration


def test_defaults_pass() -> None:
    assert knowledge_configuration() == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("STORE", "chroma", "knowledge.E001"),
        ("EMBED_BACKEND", "torch", "knowledge.E002"),
        ("EMBED_PRECISION", "half", "knowledge.E003"),
    ],
)
def test_unknown_choice_is_one_readable_sentence(settings: Any, name: str, value: str, code: str) -> None:
    setattr(settings, name, value)
    [error] = knowledge_configuration()
    assert error.id == code
    assert name in error.msg
    assert repr(value) in error.msg
