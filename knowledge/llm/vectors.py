"""Embeddings and rerank scores of hosted models. Synchronous: their callers run in worker threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from knowledge.errors import LanguageModelError, ModelUnavailable
from knowledge.llm.boot import litellm
from knowledge.llm.faults import fault_from
from knowledge.llm.retry import next_delay
from knowledge.llm.types import ModelSettings, Usage, estimate_tokens, key_for

logger = logging.getLogger(__name__)

T = TypeVar("T")


def embed(settings: ModelSettings, texts: Sequence[str]) -> tuple[list[list[float]], Usage]:
    """Return one vector per text, in order, as the model gave them (length not normalised).

    :raises LanguageModelError: as for ``stream``; also when the answer is not a list of vectors.
    """

    def call() -> tuple[list[list[float]], Usage]:
        response = litellm().embedding(input=list(texts), encoding_format="float", **_arguments(settings))
        return _vectors(response.data), _usage(response, texts)

    return _with_retries(settings, call)


def rerank(settings: ModelSettings, query: str, documents: Sequence[str], top_n: int) -> list[tuple[int, float]]:
    """Return ``(index into documents, score)``, best first, at most ``top_n``.

    :raises LanguageModelError: as for ``stream``; also when the answer names unknown documents.
    """

    def call() -> list[tuple[int, float]]:
        response = litellm().rerank(
            query=query, documents=list(documents), top_n=top_n, return_documents=False, **_arguments(settings)
        )
        scored = [(int(row["index"]), float(row["relevance_score"])) for row in response.results or ()]
        if any(not 0 <= index < len(documents) for index, _ in scored):
            raise ModelUnavailable("The reranking model answered for documents it was not given.")
        return sorted(scored, key=lambda pair: -pair[1])[:top_n]

    return _with_retries(settings, call)


def _arguments(settings: ModelSettings) -> dict[str, Any]:
    return {
        "model": settings.model,
        "api_base": settings.api_base,
        "api_key": key_for(settings),
        "timeout": settings.deadlines.total,
        "num_retries": 0,
        "max_retries": 0,
        **settings.extra,
    }


def _with_retries(settings: ModelSettings, call: Callable[[], T]) -> T:
    ends = time.monotonic() + settings.deadlines.total
    attempt = 0
    while True:
        attempt += 1
        try:
            return call()
        except LanguageModelError:
            raise
        except Exception as exc:  # the boundary to LiteLLM: providers raise whatever they like
            fault = fault_from(exc, began=False)
            delay = next_delay(fault, attempt=attempt, budget=ends - time.monotonic())
            logger.warning("model %s failed: %s, attempt %d", settings.model, fault.error.code, attempt)
            if delay is None:
                raise fault.error from exc
        time.sleep(delay)


def _vectors(data: Sequence[Any]) -> list[list[float]]:
    rows = [row if isinstance(row, Mapping) else row.model_dump() for row in data]
    return [list(row["embedding"]) for row in sorted(rows, key=lambda row: row.get("index", 0))]


def _usage(response: Any, texts: Sequence[str]) -> Usage:
    reported = getattr(getattr(response, "usage", None), "prompt_tokens", None)
    tokens = reported or sum(estimate_tokens(text) for text in texts)
    return Usage(prompt_tokens=tokens, completion_tokens=0, estimated=not reported)
