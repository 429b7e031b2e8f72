"""A parsed document in, ranges to index out."""

from knowledge.chunking.base import Chunker, TokenCounter, search_text
from knowledge.chunking.structural import StructuralChunker

__all__ = ["Chunker", "StructuralChunker", "TokenCounter", "search_text"]
