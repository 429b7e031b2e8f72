"""The words of a question as the index of the scope knows them.

A document is analysed in its own language, so in a scope of several languages one word of a question has several
index terms. They count as one: the first of them, its leader, stands for all, in the question, in the statistics
and in the records found. With one language every term is its own leader and nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from knowledge.analysis import terms, variants
from knowledge.languages import ENGLISH, STEMMERS, likely, stop_words
from knowledge.retrieval.base import CorpusStatistics
from knowledge.types import Hit

__all__ = ["Vocabulary"]

Count = Callable[[Sequence[str]], CorpusStatistics]


class Vocabulary:
    """Analyses the texts of one question and remembers which terms are the same word. Not for several threads."""

    def __init__(self, languages: Collection[str] = ()) -> None:
        """``languages`` are those of the scope; none means English. Those that cannot be stemmed are read alike."""
        known = {code if code in STEMMERS else ENGLISH for code in languages} or {ENGLISH}
        self.languages = tuple(sorted(known, key=lambda code: (code != ENGLISH, code)))
        self._leaders: dict[str, str] = {}

    def terms(self, text: str) -> list[str]:
        """Return the leader of each word of a text, in order and with repeats."""
        if len(self.languages) == 1:
            return terms(text, language=self.languages[0])
        spoken = likely(text, among=self.languages)
        without = stop_words(spoken) if spoken else frozenset[str]()
        return [self._lead(group) for group in variants(text, languages=self.languages, without=without)]

    def _lead(self, group: tuple[str, ...]) -> str:
        leader = next((self._leaders[term] for term in group if term in self._leaders), group[0])
        for term in group:
            self._leaders.setdefault(term, leader)
        return leader

    def searched(self, leaders: Iterable[str]) -> list[str]:
        """Return every term to look for, so that a record in any of the languages is found."""
        wanted = dict.fromkeys(leaders)
        return [*wanted, *(term for term, leader in self._leaders.items() if leader in wanted and term not in wanted)]

    def counted(self, count: Count) -> Count:
        """Return the same statistics by leader: a word is in as many chunks as its terms are together."""

        def by_leader(leaders: Sequence[str]) -> CorpusStatistics:
            found = count(self.searched(leaders))
            if not self._leaders:
                return found
            frequency: dict[str, int] = {}
            for term, number in found.document_frequency.items():
                leader = self._leaders.get(term, term)
                frequency[leader] = min(found.chunks, frequency.get(leader, 0) + number)
            return replace(found, document_frequency=frequency)

        return by_leader

    def read(self, hits: Mapping[str, Hit]) -> Mapping[str, Hit]:
        """Return the records with the leader in the place of each of its terms."""
        renamed = {term: leader for term, leader in self._leaders.items() if term != leader}
        if not renamed:
            return hits
        return {
            key: replace(hit, terms=" ".join(renamed.get(term, term) for term in hit.terms.split(" ")))
            for key, hit in hits.items()
        }

    def spread(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return what holds for leaders for all of their terms."""
        return {
            **values, **{term: values[leader] for term, leader in self._leaders.items() if leader in values},
        }  # fmt: skip
