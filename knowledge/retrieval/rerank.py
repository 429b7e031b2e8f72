"""Let the reranker look at the best live passages; without its opinion the order of the search stands."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from knowledge.errors import KnowledgeError
from knowledge.reranking.base import RerankCandidate, Reranker, RerankQuery
from knowledge.retrieval.base import PassageRow, RetrievalProfile
from knowledge.types import Hit, Passage

__all__ = ["rerank"]

logger = logging.getLogger(__name__)


def rerank(
    passages: Sequence[Passage], *, query: RerankQuery, rows: Mapping[str, PassageRow], hits: Mapping[str, Hit],
    reranker: Reranker | None, profile: RetrievalProfile, tenant: str,
) -> tuple[list[Passage], str]:  # fmt: skip
    """Return the passages (best first by their fused score) in their new order, and what went wrong, in words.

    A new score is ``(fused + weight * opinion) / (1 + weight)``. Passages beyond ``profile.rerank`` follow
    below those that were looked at.
    """
    seen, rest = passages[: profile.rerank], passages[profile.rerank :]
    if reranker is None or not seen:
        return list(passages), ""
    weight = reranker.weight if profile.rerank_weight is None else profile.rerank_weight
    if weight <= 0:
        return list(passages), ""
    try:
        opinions = reranker.scores(query, [_candidate(passage, rows, hits, tenant) for passage in seen])
    except KnowledgeError as err:
        logger.warning("the reranker %s did not answer: %s", reranker.name, err)
        return list(passages), f"The order of the search stands: {err.message}"
    if opinions is None:
        return list(passages), ""
    judged = [
        replace(
            passage, score=(passage.score + weight * opinion) / (1 + weight),
            scores={**passage.scores, "rerank": opinion},
        )
        for passage, opinion in zip(seen, opinions, strict=True)
    ]  # fmt: skip
    judged.sort(key=lambda p: (-p.score, p.document, p.version, p.start, p.key))
    lowest = judged[-1].score
    return judged + [replace(passage, score=min(lowest, passage.score / (1 + weight))) for passage in rest], ""


def _candidate(
    passage: Passage, rows: Mapping[str, PassageRow], hits: Mapping[str, Hit], tenant: str
) -> RerankCandidate:
    row = rows[passage.key]
    return RerankCandidate(
        key=passage.key, tenant=tenant, document=passage.document, version_id=passage.version_id,
        generation=row.generation, ordinal=row.ordinal, title=passage.title, heading_path=passage.heading_path,
        text=passage.text, terms=hits[passage.key].terms, keyword=passage.scores["keyword"],
        cosine=passage.scores.get("vector", 0.0), fused=passage.scores["fused"],
    )  # fmt: skip
