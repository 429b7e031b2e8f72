"""What retrieval asks of others, and what it can be told.

The database answers ``LiveRows`` and ``Statistics``: the index is derived, so nothing is returned
that is not a live row, and the word statistics are those of the scope, equal on every store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from knowledge.embedding.base import Embedder
from knowledge.reranking.base import Reranker
from knowledge.stores.base import Store
from knowledge.types import Scope

__all__ = [
    "DEFAULT",
    "CorpusStatistics",
    "Embedders",
    "Generations",
    "Languages",
    "LiveRows",
    "PassageRow",
    "RetrievalParts",
    "RetrievalProfile",
    "Spaces",
    "Statistics",
    "Texts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRow:
    """A live chunk as the database knows it."""

    key: str
    document: str
    version_id: str
    version: int
    generation: str
    ordinal: int
    knowledge_base: str
    title: str
    heading_path: tuple[str, ...]
    page_first: int | None
    page_last: int | None
    start: int
    end: int
    tokens: int
    written: datetime | None = None  # when the version was made


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusStatistics:
    """Word statistics over all live chunks of one scope; lengths in index terms."""

    chunks: int
    average_length: float
    document_frequency: Mapping[str, int]  # chunks that hold the term; terms in none may be left out


class LiveRows(Protocol):
    def passages(self, keys: Collection[str], *, scope: Scope) -> dict[str, PassageRow]:
        """Return the rows that are live and inside the scope; others are left out."""
        ...


class Statistics(Protocol):
    def for_terms(self, terms: Collection[str], *, scope: Scope) -> CorpusStatistics:
        """Return the statistics of the scope, with the frequency of these terms."""
        ...


Spaces: TypeAlias = Collection[tuple[str, Collection[str]]]
"""``(space, generation ids)`` for each embedding space."""

Generations: TypeAlias = Callable[[Scope], Spaces]
"""The live index generations of a scope."""

Embedders: TypeAlias = Callable[[str], Embedder]
"""The embedder of a space.

:raises EmbeddingFailed: its model is not set up here any more.
"""

Languages: TypeAlias = Callable[[Scope], Collection[str]]
"""The languages (ISO 639) in which documents of a scope were analysed."""

Texts: TypeAlias = Callable[[str], str]
"""Canonical text of a version by its id; called only to read the gap between two neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalParts:
    embedder: Embedder
    """Of every space, unless ``embedders`` says otherwise."""
    store: Store
    live: LiveRows
    statistics: Statistics
    generations: Generations
    reranker: Reranker | None = None
    embedders: Embedders | None = None
    languages: Languages | None = None  # None: English
    texts: Texts | None = None  # None: neighbours are merged only where they touch or overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalProfile:
    """How to search. Never changed by a stage; defaults measured in docs/decisions."""

    candidates: int = 100  # from each search, per space
    keyword_weight: float = 0.5
    k1: float = 1.2
    b: float = 0.75
    # Follow-ups: weights of the previous user turn and the previous answer beside the last turn (1.0).
    # Keywords: a term keeps its largest weight; vectors: weighted sum, normalised.
    previous_turn_weight: float = 0.5
    previous_answer_weight: float = 0.25
    answer_terms: int = 8  # of highest idf
    # Fused score below which a passage is not returned. Of 1,200 answered questions none had its
    # answer below .13; it keeps noise out, no more: refusing cannot rest on retrieval scores.
    floor: float = 0.12
    rerank: int = 50  # of the best live candidates; 0 leaves the order of the search
    rerank_weight: float | None = None  # beside the fused score (1.0); None: the reranker's own
    neighbour_gap: int = 80  # characters between two chunks of a version that may be merged
    merged_characters: int = 1_350  # 1.5 times the chunkers' target of 900
    # Assembly (docs/decisions/0012-assembly.md).
    least_chance: float = 0.05  # of an answer, below which nothing is returned; kept every answered question measured
    per_document: int = 0  # passages of one document before those of others; 0: no limit, which no set did better with


DEFAULT = RetrievalProfile()
