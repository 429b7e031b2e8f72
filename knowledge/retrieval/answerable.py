"""How likely it is that what was found holds the answer.

A logistic model of three signals, fitted on one half of the questions of squad, longanswer and multiturn; its weights
were rounded with the other half in view (docs/decisions/0012-assembly.md). It knows nothing of the reranker, whose
scores differ from one to the next. It is one signal and no judge: it tells questions about other matters from those
the documents speak of, but a question that is nearly answered looks like one that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from knowledge.embedding.base import Embedder
from knowledge.errors import KnowledgeError
from knowledge.retrieval.spaces import REFERENCE, Scale, measure
from knowledge.types import Passage

__all__ = ["answerable", "scale_of"]

COSINE, KEYWORD, MARGIN, ALL = 5.0, 1.0, 1.0, -3.0
"""Weights of the best passage's cosine and keyword score and of its fused score above the next ones' mean; constant."""

KEYWORD_ALONE, ALONE = 3.0, -1.2
"""Weight and constant where the embedding model could not be asked."""

NEXT = 5

REFERENCE_MODEL = "all-MiniLM-L6-v2"


def answerable(ranked: Sequence[Passage], *, scale: Scale | None = None) -> float:
    """Return the chance, 0..1, that the answer is among these passages, best first; 0 without any.

    ``scale`` is that of the model their cosines are of, where they are not on the reference scale already.
    """
    if not ranked:
        return 0.0
    best, following = ranked[0], ranked[1 : 1 + NEXT]
    keyword = best.scores.get("keyword", 0.0)
    if "vector" not in best.scores:
        return _logistic(KEYWORD_ALONE * keyword + ALONE)
    cosine = best.scores["vector"]
    if scale is not None:
        cosine = scale.onto(REFERENCE, {"": cosine})[""]
    cosine = max(0.0, min(1.0, cosine))  # a scale that is stretched must not refuse what the words find
    margin = _fused(best) - sum(map(_fused, following)) / len(following) if following else 0.0
    return _logistic(COSINE * cosine + KEYWORD * keyword + MARGIN * margin + ALL)


def scale_of(embedder: Embedder | None) -> Scale | None:
    """Return the scale of a model other than the one the weights were fitted with; None where it is not known.

    A model by another server may fail here, on its first question: then its own cosines stand.
    """
    if embedder is None:
        return None
    try:
        return None if embedder.spec.model.endswith(REFERENCE_MODEL) else measure(embedder)
    except KnowledgeError:
        return None


def _fused(passage: Passage) -> float:
    return passage.scores.get("fused", passage.score)


def _logistic(value: float) -> float:
    return 1 / (1 + exp(-value))
