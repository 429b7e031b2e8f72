"""What a reranker plug-in is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol


class Reranker(Protocol):
    """Judges texts against a query, one by one, more closely than the search did. Thread-safe."""

    name: ClassVar[str]

    def scores(self, query: str, texts: Sequence[str]) -> list[float] | None:
        """Return a score for each text in the order given, higher is better; None means no opinion.

        :raises KnowledgeError: the model behind it did not answer.
        """
        ...
