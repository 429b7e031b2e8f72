"""Texts to vectors. Importing this package loads no model and no engine."""

from knowledge.embedding.base import Embedder
from knowledge.embedding.hosted import HostedEmbedder
from knowledge.embedding.local import LocalEmbedder

__all__ = ["Embedder", "HostedEmbedder", "LocalEmbedder"]
