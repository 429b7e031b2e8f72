"""System checks: a misconfiguration is one readable sentence at start, not a trace at the first upload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from knowledge import wiring
from knowledge.chunking.plugins import UnknownChunker, chunker_of

MOST_SECONDS = 60
"""Nobody waits longer than that for a better order."""


@register("footnote_start")
def knowledge_configuration(app_configs: Sequence[Any] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the choices that are made by name."""
    found: list[CheckMessage] = []
    if settings.STORE not in ("lance", "weaviate"):
        found.append(Error(f"STORE must be lance or weaviate, not {settings.STORE!r}.", id="knowledge.E001"))
    if settings.EMBED_BACKEND not in ("auto", "onnxruntime", "openvino"):
        found.append(
            Error(
                f"EMBED_BACKEND must be auto, onnxruntime or openvino, not {settings.EMBED_BACKEND!r}.",
                id="knowledge.E002",
            )
        )
    if settings.EMBED_PRECISION not in ("exact", "fast"):
        found.append(
            Error(f"EMBED_PRECISION must be exact or fast, not {settings.EMBED_PRECISION!r}.", id="knowledge.E003")
        )
    if settings.OCR not in ("auto", "off", "1"):
        found.append(Error(f"OCR must be auto or off, not {settings.OCR!r}.", id="knowledge.E004"))
    try:
        chunker_of(settings.CHUNKER)
    except UnknownChunker as error:
        found.append(Error(f"CHUNKER cannot be used. {error}", id="knowledge.E006"))
    return found + [Error(message, id="knowledge.E005") for message in _reranking()]


def _reranking() -> Iterator[str]:
    config = wiring.knowledge_settings()
    if config.reranker not in ("auto", *wiring.RERANKERS):
        yield f"RERANKER must be auto or one of {', '.join(wiring.RERANKERS)}, not {config.reranker!r}."
        return
    if config.reranker == "hosted" and not config.rerank_model:
        yield "RERANKER=hosted needs RERANK_MODEL, a LiteLLM model name."
    if config.reranker == "late" and config.embedding_model:
        yield "RERANKER=late needs the local embedding model: a hosted one (EMBEDDING_MODEL) has no token vectors."
    by_itself = config.reranker == "auto" and config.rerank_model_dir and not config.rerank_model
    folder = Path(config.rerank_model_dir)
    if (config.reranker == "cross_encoder" or by_itself) and not all(
        (folder / name).is_file() for name in ("model.onnx", "tokenizer.json")
    ):
        yield "RERANK_MODEL_DIR must name a folder that holds model.onnx and tokenizer.json."
    if not 0 < config.rerank_timeout <= MOST_SECONDS:
        yield f"RERANK_TIMEOUT must be above 0 and at most {MOST_SECONDS} seconds, not {config.rerank_timeout:g}."
