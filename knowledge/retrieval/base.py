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
from knowledge.retrieval.calibration import Curve
from knowledge.stores.base import Store
from knowledge.types import Scope

__all__ = [
    "DEFAULT",
    "CorpusStatistics",
    "Curves",
    "Embedders",
    "Generations",
    "Languages",
    "LiveRows",
    "NearTerms",
    "PassageRow",
    "Replaced",
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

Curves: TypeAlias = Callable[[Scope], Mapping[str, Curve]]
"""How the chance of an answer reads on knowledge bases of a scope that were calibrated, by their ids."""

NearTerms: TypeAlias = Callable[[str, int, int, Scope], Mapping[str, int]]
"""First letter, least and greatest length, scope -> index terms of the scope like that, with their frequencies."""

Replaced: TypeAlias = Callable[[Collection[str], Scope], bool]
"""Whether one of some versions was replaced by a later one that is live, or the index by another one."""

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
    near_terms: NearTerms | None = None  # None: of two slips in one word nothing is made
    curves: Curves | None = None  # None: one scale for all
    replaced: Replaced | None = None  # None: versions are not replaced while a search is under way
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
    # Queries (docs/retrieval.md): what is done to a question before it is searched.
    condense: bool = True  # follow-ups are searched as the language model wrote them anew, where there is one
    standalone_weight: float = 0.5  # of that, beside the last turn (1.0) and the turns before
    expand: bool = False  # other wordings, or terms of the best passages where there is no language model
    decompose: bool = False  # the questions it consists of are searched each for itself
    wording_weight: float = 0.5  # of all other wordings together, beside the question (1.0)
    feedback_weight: float = 0.25  # of a term of the best passages, beside one of the question (1.0)
    spelling: bool = True  # words that no document has are taken for the nearest that one has
    # Fused score below which a passage is not returned. Of 1,200 answered questions none had its
    # answer below .13; it keeps noise out, no more: refusing cannot rest on retrieval scores.
    floor: float = 0.12
    rerank: int = 50  # of the best live candidates; 0 leaves the order of the search
    rerank_weight: float | None = None  # beside the fused score (1.0); None: the reranker's own
    neighbour_gap: int = 80  # characters between two chunks of a version that may be merged
    merged_characters: int = 1_350  # 1.5 times the chunkers' target of 900
    neighbours: int = 0  # characters a passage may grow to with its neighbours under the same headings; 0: none
    # Assembly (docs/decisions/0012-assembly.md).
    least_chance: float = 0.05  # of an answer, below which nothing is returned; kept every answered question measured
    per_document: int = 0  # passages of one document before those of others; 0: no limit, which no set did better with


DEFAULT = RetrievalProfile()
