"""The few directions in which the token states of the stock embedding model differ most.

A projection onto them makes token vectors a third as long. It was fitted once, on the product's own
documentation: ``python -m knowledge.reranking.projection FILE...`` writes ``minilm_tokens.npy`` anew
(``(384, DIMENSIONS)`` float16, orthonormal columns). Files written with another one cannot be compared,
so ``NAME`` changes with it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from knowledge.embedding.base import TokenEmbedder
from knowledge.types import Vector

__all__ = ["DIMENSIONS", "NAME", "fit", "projection"]

NAME = "minilm-1"
DIMENSIONS = 128
_FILE = Path(__file__).with_name("minilm_tokens.npy")


@cache
def projection() -> Vector:
    """Return the committed projection, ``(384, DIMENSIONS)`` float32."""
    matrix: Vector = np.load(_FILE, allow_pickle=False).astype(np.float32)
    return matrix


def fit(texts: Sequence[str], *, embedder: TokenEmbedder, dimensions: int = DIMENSIONS) -> Vector:
    """Return the leading right singular vectors of the texts' unit token states, not centred, as columns."""
    total: Vector | None = None
    for at in range(0, len(texts), 32):
        _, tokens = embedder.embed_with_tokens(texts[at : at + 32])
        states = np.concatenate([found.states for found in tokens])
        unit = states / np.linalg.norm(states, axis=1, keepdims=True)
        total = unit.T @ unit if total is None else total + unit.T @ unit
    if total is None:
        raise ValueError("there is no text to fit the projection on")
    values, vectors = np.linalg.eigh(total.astype(np.float64))
    leading: Vector = vectors[:, np.argsort(-values)[:dimensions]].astype(np.float32)
    return leading


def _paragraphs(path: Path) -> list[str]:
    return [part.strip() for part in path.read_text(encoding="utf-8").split("\n\n") if len(part.strip()) > 80]


if __name__ == "__main__":
    from knowledge.embedding import LocalEmbedder

    found = [text for name in sys.argv[1:] for text in _paragraphs(Path(name))]
    np.save(_FILE, fit(found, embedder=LocalEmbedder()).astype(np.float16))
    print(f"{_FILE.name}: {DIMENSIONS} directions from {len(found)} paragraphs")
