"""A second, closer look at the best candidates."""

from knowledge.reranking.base import Reranker
from knowledge.reranking.none import NoReranker

__all__ = ["NoReranker", "Reranker"]
