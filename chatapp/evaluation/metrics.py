"""How well a ranking found what it was to find: figures of one question, and of questions without an answer.

Relevance is by gold span, not by passage: a passage is relevant when it hits a gold span
(``labelled.is_hit``), and each gold span counts once, by the first passage that hits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2, sqrt

import numpy as np
import numpy.typing as npt

from chatapp.evaluation.labelled import Span, is_hit

MEASURES = (
    "hit@1", "hit@5", "hit@10", "hit@20", "recall@1", "recall@5", "recall@10", "recall@20", "precision@5", "MRR@10",
    "nDCG@10", "coverage@5", "coverage@10", "coverage@4500c",
)  # fmt: skip
"""What ``score`` returns, in this order."""

DEPTH = 20
"""Passages looked at."""

CHARACTERS = 4_500
"""Characters of passages looked at where chunkers are compared: large passages reach them sooner."""

KEPT = (0.99, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Points of the curve of refusals: shares of the answerable questions that keep their answer."""

Hits = npt.NDArray[np.bool_]
"""``(passages, gold spans)``: which passage, best first, hits which span."""


def hits_of(passages: Sequence[Span], gold: Sequence[Span]) -> Hits:
    """Apply the hit rule to every pair."""
    found = [[is_hit(passage, span) for span in gold] for passage in passages]
    return np.array(found, dtype=np.bool_).reshape(len(passages), len(gold))


def score(hits: Hits, passages: Sequence[Span], gold: Sequence[Span]) -> dict[str, float]:
    """Return every measure of one answerable question, 0..1 each. ``gold`` is not empty.

    With ``first(g)`` the rank (from 1) of the first passage that hits span ``g``:

    * hit@k: 1 when some ``first(g) <= k`` (success at k).
    * recall@k: share of the spans with ``first(g) <= k``.
    * precision@5: passages among the first five that hit any span, divided by five, also where fewer came.
    * MRR@10: ``1 / min first(g)`` where that is at most 10, else 0 (Voorhees 1999, The TREC-8 QA track report).
    * nDCG@10: see ``ndcg``.
    * coverage@k: see ``coverage``; coverage@4500c: within the first 4,500 characters, so that sizes compare.
    """
    first = first_hits(hits)
    found = {f"hit@{k}": float((first <= k).any()) for k in (1, 5, 10, 20)}
    found |= {f"recall@{k}": float((first <= k).mean()) for k in (1, 5, 10, 20)}
    found["precision@5"] = float(hits[:5].any(axis=1).sum()) / 5
    best = first.min()
    found["MRR@10"] = 1 / float(best) if best <= 10 else 0.0
    found["nDCG@10"] = ndcg(first, depth=10)
    found |= {f"coverage@{k}": coverage(passages[:k], gold) for k in (5, 10)}
    found[f"coverage@{CHARACTERS}c"] = coverage(within(passages, characters=CHARACTERS), gold)
    return found


def first_hits(hits: Hits) -> npt.NDArray[np.float64]:
    """Return the rank from 1 of the first passage that hits each span, infinite where none does."""
    if not len(hits):
        return np.full(hits.shape[1], np.inf)
    return np.where(hits.any(axis=0), hits.argmax(axis=0) + 1.0, np.inf)


def ndcg(first: npt.NDArray[np.float64], *, depth: int) -> float:
    """Return the normalised discounted cumulated gain, with gains of 0 and 1.

    ``DCG = sum over ranks r <= depth of gain(r) / log2(r + 1)``, divided by the DCG of the best order
    (Järvelin and Kekäläinen 2002, in the form of trec_eval). A passage gains 1 when it is the first to hit
    some span, however many it hits at once: the best order has one passage for each of these, and one
    for each span that nothing hit.
    """
    ranks = np.unique(first[np.isfinite(first)])
    relevant = len(ranks) + int(np.isinf(first).sum())
    best = sum(1 / log2(rank + 1) for rank in range(1, min(relevant, depth) + 1))
    return sum(1 / log2(rank + 1) for rank in ranks.tolist() if rank <= depth) / best if best else 0.0


def coverage(passages: Iterable[Span], gold: Iterable[Span]) -> float:
    """Return the share of the gold characters that lie inside the passages, each counted once.

    Token recall in the words of Smith and Troynikov 2024 (Evaluating Chunking Strategies for Retrieval),
    counted in characters.
    """
    wanted, held = _unions(gold), _unions(passages)
    total = sum(end - start for ranges in wanted.values() for start, end in ranges)
    inside = sum(
        max(0, min(end, stop) - max(start, begin))
        for document, ranges in wanted.items()
        for start, end in ranges
        for begin, stop in held.get(document, ())
    )
    return inside / total if total else 0.0


def within(passages: Iterable[Span], *, characters: int) -> list[Span]:
    """Return the first passages that hold so many characters together, the last of them cut."""
    found: list[Span] = []
    for span in passages:
        if characters <= 0:
            break
        found.append(Span(span.document, span.start, min(span.end, span.start + characters)))
        characters -= span.end - span.start
    return found


def _unions(spans: Iterable[Span]) -> Mapping[str, Sequence[tuple[int, int]]]:
    """Return the disjoint ranges that the spans cover, by document."""
    merged: dict[str, list[tuple[int, int]]] = {}
    for span in sorted(spans, key=lambda s: (s.document, s.start, s.end)):
        ranges = merged.setdefault(span.document, [])
        if ranges and span.start <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], span.end))
        else:
            ranges.append((span.start, span.end))
    return merged


# --- questions without an answer ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """How well the score of the best passage tells questions that have an answer from those that have none."""

    unanswerable: int
    auroc: float
    low: float  # 95 % interval
    high: float
    refused: Mapping[str, float]
    """Share of the unanswerable that are refused, by the share of the answerable that keep their answer."""


def no_answer(answerable: Sequence[float], unanswerable: Sequence[float]) -> NoAnswer | None:
    """Judge the top scores of both kinds of questions (0 where nothing was found); None where a kind is missing."""
    if not answerable or not unanswerable:
        return None
    area, error = auroc(answerable, unanswerable)
    return NoAnswer(
        unanswerable=len(unanswerable), auroc=area, low=max(0.0, area - 1.96 * error),
        high=min(1.0, area + 1.96 * error),
        refused={f"{kept:g}": refusals(answerable, unanswerable, kept=kept) for kept in KEPT},
    )  # fmt: skip


def auroc(positive: Sequence[float], negative: Sequence[float]) -> tuple[float, float]:
    """Return the area under the ROC curve and its standard error.

    The area is the chance that a positive scores above a negative, ties counting half (the Mann-Whitney
    statistic; Hanley and McNeil 1982); its error is that of DeLong et al. 1988.
    """
    wins = _share_below(positive, negative)
    losses = 1 - _share_below(negative, positive)
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (wins, losses) if len(part) > 1)
    return float(wins.mean()), sqrt(variance)


def _share_below(values: Sequence[float], others: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return for each value the share of the others below it, equal ones counting half."""
    ordered = np.sort(np.asarray(others, dtype=np.float64))
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * len(ordered))


def refusals(answerable: Sequence[float], unanswerable: Sequence[float], *, kept: float) -> float:
    """Return the share of unanswerable questions below the highest threshold that keeps so many answerable ones."""
    ordered = np.sort(np.asarray(answerable, dtype=np.float64))
    threshold = ordered[min(len(ordered) - 1, int(np.floor((1 - kept) * len(ordered) + 1e-9)))]
    return float((np.asarray(unanswerable) < threshold).mean())
