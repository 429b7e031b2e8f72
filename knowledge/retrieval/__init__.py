"""From a question to passages. ``pipeline.retrieve`` is the one way in."""

from __future__ import annotations

from knowledge.retrieval.base import (
    DEFAULT,
    CorpusStatistics,
    LiveRows,
    PassageRow,
    RetrievalParts,
    RetrievalProfile,
    Statistics,
)
from knowledge.retrieval.pipeline import retrieve

__all__ = [
    "DEFAULT",
    "CorpusStatistics",
    "LiveRows",
    "PassageRow",
    "RetrievalParts",
    "RetrievalProfile",
    "Statistics",
    "retrieve",
]
