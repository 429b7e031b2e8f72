"""What a reranker plug-in is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from knowledge.analysis import terms as analyse
from knowledge.chunking.base import search_text
from knowledge.types import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankQuery:
    """A question as the search saw it."""

    text: str  # the last turn
    previous: str = ""  # the user turn before it
    answer: str = ""  # the answer given to that
    terms: Mapping[str, float] = field(default_factory=dict)
    """Index term -> its share of the best keyword score there can be; they add up to 1."""
    words: tuple[str, ...] = ()  # the terms of the last turn, where they are known already
    languages: tuple[str, ...] = ("en",)  # of the documents searched
    idf: Mapping[str, float] = field(default_factory=dict)  # of the same terms, in the scope searched
    vector: Vector | None = None  # of the weighted turns

    def in_order(self) -> list[str]:
        """Return the terms of the last turn, in order and with repeats."""
        return list(self.words) or analyse(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankCandidate:
    """A live passage as the search found it, best first in every list of them."""

    key: str
    tenant: str
    document: str
    version_id: str
    generation: str
    ordinal: int
    title: str
    heading_path: tuple[str, ...]
    text: str
    terms: str  # analysed title, headings and text, space separated
    keyword: float  # 0..1
    cosine: float
    fused: float  # 0..1


LAST_CHARACTERS, PREVIOUS_CHARACTERS = 2_000, 500
"""More of a question is not given to a model: they read some 512 tokens of question and passage together."""


def query_text(query: RerankQuery) -> str:
    """Return the last turn, below the one before it where there is one."""
    last, previous = query.text[:LAST_CHARACTERS], query.previous[:PREVIOUS_CHARACTERS]
    return f"{previous}\n{last}" if previous else last


def passage_text(candidate: RerankCandidate) -> str:
    """Return a passage below its title and headings, as it was embedded."""
    return search_text(title=candidate.title, heading_path=candidate.heading_path, text=candidate.text)


class Reranker(Protocol):
    """Judges passages against a question more closely than the search did. Thread-safe."""

    name: ClassVar[str]
    weight: ClassVar[float]
    """What a score counts beside the fused score of the search (1.0), unless the profile says otherwise."""

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return a score of about 0..1 for each candidate in the order given; None means no opinion.

        :raises KnowledgeError: the model behind it did not answer; the order of the search then stands.
        """
        ...
