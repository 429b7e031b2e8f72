"""Retrieval over what is live: the one way in for chat, the search endpoint, commands and evaluation."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from knowledge import wiring
from knowledge.documents import live, selectors
from knowledge.documents.filters import SearchFilters, narrowed
from knowledge.documents.indexes import token_files
from knowledge.documents.indexes.indexing import embedder_of
from knowledge.documents.models import IndexGeneration
from knowledge.documents.signals import searched
from knowledge.embedding.base import Embedder
from knowledge.errors import EmbeddingFailed
from knowledge.retrieval.base import DEFAULT, RetrievalParts, RetrievalProfile
from knowledge.retrieval.pipeline import retrieve
from knowledge.types import Query, RetrievalResult, Scope

AHEAD_CHARACTERS = 2_000
"""A longer question may be refused; the model would see only its beginning anyway."""


def retrieval_parts(instead: live.Instead | None = None) -> RetrievalParts:
    """Return everything the pipeline takes as arguments for one search.

    What costs time is built once a process; what is live is asked for anew.
    """
    index = live.LiveIndex(instead)
    parts: dict[str, Any] = wiring.once("retrieval", _build)
    if instead:
        parts = {**parts, "live": live.LiveRows(instead)}
    return RetrievalParts(
        **parts, statistics=index, generations=index.generations, replaced=index.outdated,
        languages=index.languages, near_terms=index.near_terms, curves=index.curves,
    )  # fmt: skip


def _build() -> dict[str, Any]:
    return {
        "embedder": wiring.embedder(),
        "embedders": _Embedders(),
        "store": wiring.store(),
        "live": live.LiveRows(),
        "texts": selectors.text_of_version,
        "reranker": wiring.reranker(stored=token_files.stored),
    }


class _Embedders:
    """The embedder of a space; what a space is made of never changes, so the database is asked once for each."""

    def __init__(self) -> None:
        self._found: dict[str, Embedder] = {}

    def __call__(self, space: str) -> Embedder:
        if space not in self._found:
            generation = IndexGeneration.objects.filter(space=space).first()
            if generation is None:
                raise EmbeddingFailed("The knowledge base was deleted a moment ago.")
            self._found[space] = embedder_of(generation)
        return self._found[space]


def search(
    query: Query,
    *,
    scope: Scope,
    filters: SearchFilters | None = None,
    profile: RetrievalProfile = DEFAULT,
    generations: live.Instead | None = None,
) -> RetrievalResult:
    """Run the retrieval pipeline over the live rows of the scope, of the documents that pass the filters.

    ``generations`` are searched in place of the live ones of their bases. That is to compare them: such searches are
    not counted among those that people wait for.
    """
    parts = retrieval_parts(generations)
    result = _search(query, scope=scope, parts=parts, filters=filters, profile=profile)
    if not generations:
        searched.send_robust(sender=None, timings=result.timings)  # who counts must not cost anybody the answer
    return result


def _search(
    query: Query, *, scope: Scope, parts: RetrievalParts, filters: SearchFilters | None, profile: RetrievalProfile
) -> RetrievalResult:
    scope = live.in_force(scope)
    if filters is None:
        return retrieve(query, scope=scope, parts=parts, profile=profile)
    started = time.perf_counter()
    scope = narrowed(scope, filters)
    spent = (time.perf_counter() - started) * 1_000
    result = retrieve(query, scope=scope, parts=parts, profile=profile)
    timings = {"filter": spent, **result.timings, "total": result.timings["total"] + spent}
    return replace(result, timings=timings)


def embed_ahead(text: str) -> None:
    """Begin with a query's vector while its rights are still being checked; the search finds it made.

    :raises KnowledgeError: the embedding model failed; the search will meet the same.
    """
    if len(text) <= AHEAD_CHARACTERS and text.strip():
        retrieval_parts().embedder.embed_query(text.strip())
