"""Retrieval over what is live: the one way in for chat, the search endpoint, commands and evaluation."""

from __future__ import annotations

from knowledge import wiring
from knowledge.documents import selectors, token_files
from knowledge.retrieval.base import DEFAULT, RetrievalParts, RetrievalProfile
from knowledge.retrieval.pipeline import retrieve
from knowledge.types import Query, RetrievalResult, Scope

AHEAD_CHARACTERS = 2_000
"""A longer question may be refused; the model would see only its beginning anyway."""


def retrieval_parts() -> RetrievalParts:
    """Return everything the pipeline takes as arguments, built once a process."""
    parts: RetrievalParts = wiring.once("retrieval", _build)
    return parts


def _build() -> RetrievalParts:
    return RetrievalParts(
        embedder=wiring.embedder(),
        store=wiring.store(),
        live=selectors.LiveRows(),
        statistics=selectors.Statistics(),
        generations=selectors.live_generations,
        texts=selectors.text_of_version,
        reranker=wiring.reranker(stored=token_files.stored),
    )


def search(query: Query, *, scope: Scope, profile: RetrievalProfile = DEFAULT) -> RetrievalResult:
    """Run the retrieval pipeline over the live rows of the scope."""
    return retrieve(query, scope=scope, parts=retrieval_parts(), profile=profile)


def embed_ahead(text: str) -> None:
    """Begin with a query's vector while its rights are still being checked; the search finds it made.

    :raises KnowledgeError: the embedding model failed; the search will meet the same.
    """
    if len(text) <= AHEAD_CHARACTERS and text.strip():
        retrieval_parts().embedder.embed_query(text.strip())
