from __future__ import annotations

from pathlib import Path
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
        ("RERANKER", "best", "knowledge.E005"),
        ("CHUNKER", "semantic", "knowledge.E006"),
    ],
)
def test_unknown_choice_is_one_readable_sentence(settings: Any, name: str, value: str, code: str) -> None:
    setattr(settings, name, value)
    [error] = knowledge_configuration()
    assert error.id == code
    assert name in error.msg
    assert repr(value) in error.msg


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"RERANKER": "hosted"}, "needs RERANK_MODEL"),
        ({"RERANKER": "late", "EMBEDDING_MODEL": "openai/some-model"}, "needs the local embedding model"),
        ({"RERANKER": "cross_encoder"}, "model.onnx and tokenizer.json"),
        ({"RERANK_MODEL_DIR": "/nowhere"}, "model.onnx and tokenizer.json"),
        ({"RERANK_TIMEOUT": 0.0}, "above 0"),
        ({"RERANK_TIMEOUT": float("nan")}, "above 0"),
        ({"RERANK_TIMEOUT": 600.0}, "at most 60"),
    ],
)
def test_reranker_that_cannot_work_is_one_readable_sentence(settings: Any, chosen: dict[str, Any], words: str) -> None:
    for setting, value in chosen.items():
        setattr(settings, setting, value)
    [error] = knowledge_configuration()
    assert error.id == "knowledge.E005"
    assert words in error.msg


def test_reranker_that_is_set_up_passes(settings: Any, tmp_path: Path) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).touch()
    settings.RERANK_MODEL_DIR = str(tmp_path)
    assert knowledge_configuration() == []
    settings.RERANKER, settings.RERANK_MODEL = "hosted", "cohere/rank"
    assert knowledge_configuration() == []
