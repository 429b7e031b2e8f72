"""A second, closer look at the best candidates."""

from knowledge.reranking.base import RerankCandidate, Reranker, RerankQuery
from knowledge.reranking.late import LateInteraction
from knowledge.reranking.none import NoReranker

__all__ = ["LateInteraction", "NoReranker", "RerankCandidate", "RerankQuery", "Reranker"]
