"""Any embedding model that LiteLLM can reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from knowledge import llm
from knowledge.embedding.vectors import QueryCache, unit_rows
from knowledge.types import EmbeddingSpec, Vector

_PROBE = "dimension"


class HostedEmbedder:
    """Sends texts in batches bounded by count and by tokens, and distrusts what comes back.

    ``dimension`` None is learnt by one call at the first need. ``query_prefix`` and ``passage_prefix``
    are put before the text for models trained with them (for example "query: ").
    """

    def __init__(
        self,
        model: str,
        api_base: str | None = None,
        api_key: str | None = None,
        *,
        dimension: int | None = None,
        max_tokens: int = 512,
        batch_texts: int = 64,
        batch_tokens: int = 8192,
        timeout: float = 60.0,
        query_prefix: str = "",
        passage_prefix: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = llm.ModelSettings(
            model=model,
            api_base=api_base,
            api_key=api_key,
            deadlines=llm.Deadlines(total=timeout),
            extra=extra or {},
        )
        self._dimension = dimension
        self._max_tokens = max_tokens
        self._batch_texts, self._batch_tokens = batch_texts, batch_tokens
        self._query_prefix, self._passage_prefix = query_prefix, passage_prefix
        self._queries: QueryCache[Vector] = QueryCache()

    @property
    def spec(self) -> EmbeddingSpec:
        return EmbeddingSpec(
            model=self._settings.model,
            dimension=self._known_dimension(),
            model_hash="remote",
            precision="remote",
            max_tokens=self._max_tokens,
        )

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """Return ``(len(texts), dimension)`` float32, rows L2-normalised.

        :raises EmbeddingFailed: what came back is not usable.
        :raises LanguageModelError: the model did not answer; busy and unavailable are worth a retry.
        """
        prefixed = [self._passage_prefix + text for text in texts]
        parts = [self._call(batch) for batch in self._batches(prefixed)]
        return np.concatenate(parts) if parts else np.zeros((0, self._known_dimension()), dtype=np.float32)

    def embed_query(self, text: str) -> Vector:
        """Return ``(dimension,)`` float32, L2-normalised and read-only; the last 256 are remembered."""
        return self._queries.get(text, self._query)

    def _query(self, text: str) -> Vector:
        vector: Vector = self._call([self._query_prefix + text])[0]
        vector.flags.writeable = False
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """About four bytes each: the model's own tokenizer is out of reach."""
        return [llm.estimate_tokens(text) for text in texts]

    def _known_dimension(self) -> int:
        if self._dimension is None:
            self._call([_PROBE])
        assert self._dimension is not None
        return self._dimension

    def _call(self, texts: Sequence[str]) -> Vector:
        # An empty text is an error for most providers; a space is not.
        raw, _ = llm.embed(self._settings, [text or " " for text in texts])
        vectors = unit_rows(raw, rows=len(texts), dimension=self._dimension)
        self._dimension = vectors.shape[1]
        return vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        tokens = 0
        for text, size in zip(texts, self.count_tokens(texts), strict=True):
            if batch and (len(batch) >= self._batch_texts or tokens + size > self._batch_tokens):
                yield batch
                batch, tokens = [], 0
            batch.append(text)
            tokens += size
        if batch:
            yield batch
