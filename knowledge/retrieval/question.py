"""A question as one scope understands it: its turns, its vectors, its words and what they count there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from knowledge.embedding.base import has_tokens
from knowledge.languages import likely
from knowledge.reranking.base import RerankQuery
from knowledge.retrieval.base import CorpusStatistics, RetrievalParts, RetrievalProfile, Spaces
from knowledge.retrieval.keyword import idf, term_shares
from knowledge.retrieval.query import Turns, weigh_terms
from knowledge.retrieval.spaces import Embedding, SpaceVectors, embed_in_spaces, models_of
from knowledge.retrieval.spelling import Correction, Lookup, corrections, replaced, suspects
from knowledge.retrieval.words import Vocabulary
from knowledge.types import Scope

__all__ = ["Question", "embed", "misspelt", "respelt", "weigh"]


LANGUAGES = 2
"""In how many languages a misspelt word is looked up where the question's own is not sure."""
MOST_MISSPELT = 3
"""Words of one question that are looked up."""
TERMS = 500
"""Terms whose frequencies are looked up at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    turns: Turns
    spaces: Spaces  # those of the scope
    embedding: Embedding
    words: Vocabulary
    weights: Mapping[str, float]  # term -> what the turns make it count
    statistics: CorpusStatistics

    @property
    def vectors(self) -> SpaceVectors:
        """The question in each space; waits where they are still being made."""
        return self.embedding()

    @property
    def searched(self) -> list[str]:
        """What its terms are called in the index, in all languages of the scope."""
        return self.words.searched(self.weights)

    def idf(self) -> dict[str, float]:
        return {term: idf(term, self.statistics) for term in self.weights}

    def judged(self) -> RerankQuery:
        """Return the question for a reranker."""
        return RerankQuery(
            text=self.turns.last, previous=self.turns.previous, answer=self.turns.answer, vector=self.vectors.judged,
            terms=term_shares(self.weights, self.statistics), words=tuple(self.words.terms(self.turns.last)),
            languages=self.words.languages, idf=self.words.spread(self.idf()),
        )  # fmt: skip


def embed(turns: Turns, *, scope: Scope, parts: RetrievalParts, profile: RetrievalProfile) -> tuple[Spaces, Embedding]:
    """Return the spaces of the scope and the question in each of them.

    Where an engine is asked, the question is embedded beside its keyword search, which needs no vector: 8 of 78 ms at
    300,000 chunks. A search in memory is over before a thread has begun.
    """
    spaces = parts.generations(scope)
    models = models_of([space for space, _ in spaces], embedders=parts.embedders or (lambda space: parts.embedder))
    beside = not all(parts.store.in_memory(space=space, scope=scope) for space in models)
    return spaces, Embedding(partial(embed_in_spaces, turns, models=models, profile=profile), beside=beside)


def weigh(
    turns: Turns, *, embedded: tuple[Spaces, Embedding], scope: Scope, parts: RetrievalParts,
    profile: RetrievalProfile,
) -> Question:  # fmt: skip
    """Look the words of an embedded question up in the scope.

    :raises EmbeddingFailed, LanguageModelError: no embedding model could be asked, and there is no word to search for.
    """
    spaces, embedding = embedded
    words = Vocabulary(parts.languages(scope) if parts.languages else ())
    counted = words.counted(lambda terms: parts.statistics.for_terms(terms, scope=scope))
    weights, statistics = weigh_terms(turns, statistics=counted, profile=profile, analyse=words.terms)
    if not weights and embedding().failures and not embedding().vectors:
        raise embedding().failures[0]
    return Question(
        turns=turns, spaces=spaces, embedding=embedding, words=words, weights=weights, statistics=statistics
    )  # fmt: skip


def misspelt(
    question: Question, *, scope: Scope, parts: RetrievalParts, profile: RetrievalProfile
) -> tuple[Correction, ...]:  # fmt: skip
    """Return what was meant by words of the question that no document of the scope has."""
    if not profile.spelling or not question.statistics.chunks:
        return ()
    text = question.turns.last
    spoken = likely(text, among=question.words.languages)
    languages = (spoken,) if spoken else question.words.languages[:LANGUAGES]
    # Terms of any language of the scope: the question's own need not be the one that knows the word.
    frequency, terms = question.statistics.document_frequency, question.words.terms
    words = [
        word for word in suspects(text, languages=languages) if not any(frequency.get(term) for term in terms(word))
    ][:MOST_MISSPELT]  # fmt: skip
    if not words:
        return ()

    def known(terms: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for at in range(0, len(terms), TERMS):
            found.update(parts.statistics.for_terms(terms[at : at + TERMS], scope=scope).document_frequency)
        return found

    near = parts.near_terms
    lookup = Lookup(
        known=known, near=(lambda letter, least, most: near(letter, least, most, scope)) if near else None,
        pieces=parts.embedder.count_tokens if has_tokens(parts.embedder) else None,
    )  # fmt: skip
    return corrections(words, lookup=lookup, languages=languages)


def respelt(turns: Turns, found: Sequence[Correction]) -> Turns:
    return replace(turns, last=replaced(turns.last, found))
