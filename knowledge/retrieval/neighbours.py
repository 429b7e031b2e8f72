"""Join neighbouring passages, so that a prompt reads as the document does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from knowledge.retrieval.base import RetrievalProfile, Texts
from knowledge.types import Passage

__all__ = ["merge_neighbours"]


def merge_neighbours(
    chosen: Sequence[Passage], *, profile: RetrievalProfile, texts: Texts | None, budget: int | None = None
) -> list[Passage]:
    """Join passages of one version that (nearly) touch, each into the better ranked one.

    The text between two of them counts for the token budget as well.
    """
    spare = None if budget is None else budget - sum(p.tokens for p in chosen)
    merged: list[Passage] = []
    for passage in chosen:
        joined: Passage | None = passage
        while joined is not None:
            passage = joined
            joined = None
            for index, other in enumerate(merged):
                joined = _join(other, passage, profile=profile, texts=texts, spare=spare)
                if joined is not None:
                    spare = None if spare is None else spare + other.tokens + passage.tokens - joined.tokens
                    del merged[index]
                    break
        merged.append(passage)
    return sorted(merged, key=lambda p: -p.score)


def _join(
    one: Passage, two: Passage, *, profile: RetrievalProfile, texts: Texts | None, spare: int | None
) -> Passage | None:
    """Return the passage over both, or None where they are not neighbours or would grow too long."""
    first, second = (one, two) if (one.start, one.end) <= (two.start, two.end) else (two, one)
    end = max(first.end, second.end)
    gap = second.start - first.end
    if one.version_id != two.version_id or gap > profile.neighbour_gap or end - first.start > profile.merged_characters:
        return None
    between = (max(0, gap) + 3) // 4  # tokens, about
    if spare is not None and between > max(0, spare):
        return None
    if gap <= 0:
        text = first.text + second.text[-gap:]
    elif texts is not None:
        text = first.text + texts(one.version_id)[first.end : second.start] + second.text
    else:
        return None
    if len(text) != end - first.start:  # the canonical text read is not the one indexed
        return None
    best = one if one.score >= two.score else two
    return replace(
        best, start=first.start, end=end, text=text, tokens=first.tokens + second.tokens + between,
        heading_path=_common(first.heading_path, second.heading_path),
        page_first=first.page_first, page_last=second.page_last if second.page_last is not None else first.page_last,
    )  # fmt: skip


def _common(one: tuple[str, ...], two: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        length += 1
    return one[:length]
