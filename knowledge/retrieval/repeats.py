"""Which passages are returned of those that say the same, and which of them differ in what matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from knowledge.retrieval.copies import COPIED, Comparison, Likeness, compare
from knowledge.types import Passage, Variant

__all__ = ["Chosen", "inside", "marked", "repoint"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Chosen:
    """The passages chosen so far, best first, no two of them saying the same."""

    budget: int | None = None  # tokens of all of them
    passages: list[Passage] = field(default_factory=list)

    @property
    def spare(self) -> int | None:
        """Tokens left."""
        return None if self.budget is None else self.budget - sum(p.tokens for p in self.passages)

    def repeated_by(self, passage: Passage) -> tuple[str, str]:
        """Return ``(key of the better passage that says this, key that was replaced)``, both empty for a new one.

        A copy in a document of a newer version takes the place of the older one. The passage that stays knows
        the keys of the others.
        """
        for place, other in enumerate(self.passages):
            if inside(passage, other):
                return other.key, ""
            if _overlap(passage, other):
                continue
            found = compare(other.text, passage.text)
            if found.likeness is not Likeness.COPY:
                continue
            fits = self.spare is None or passage.tokens - other.tokens <= self.spare
            if fits and _newer(passage, other) and found.first_in_second >= COPIED:
                newest = replace(passage, score=other.score, copies=(*other.copies, other.key))
                self.passages[place] = newest
                return newest.key, other.key
            if found.second_in_first >= COPIED:
                self.passages[place] = replace(other, copies=(*other.copies, passage.key))
                return other.key, ""
        return "", ""


def marked(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages, each with its variants among them."""
    variants: dict[str, list[Variant]] = {}
    for place, two in enumerate(passages):
        for one in passages[:place]:
            found = None if _overlap(one, two) else compare(one.text, two.text)
            if found is not None and found.likeness is Likeness.VARIANT:
                variants.setdefault(one.key, []).append(_variant(two, found))
                variants.setdefault(two.key, []).append(_variant(one, found, turned=True))
    return [replace(p, variants=tuple(variants[p.key])) if p.key in variants else p for p in passages]


def repoint(merged: Sequence[Passage], *, chosen: Iterable[Passage]) -> list[Passage]:
    """Let variants and copies of passages that were joined lead to what holds them now."""
    parts = {one.key: [two for two in chosen if inside(two, one)] for one in merged}
    holder = {part.key: key for key, found in parts.items() for part in found}
    moved = []
    for passage in merged:
        variants = {
            holder.get(v.key, v.key): replace(v, key=holder.get(v.key, v.key))
            for part in parts[passage.key]
            for v in part.variants
        }
        variants.pop(passage.key, None)
        copies = tuple(dict.fromkeys(key for part in parts[passage.key] for key in part.copies))
        moved.append(replace(passage, variants=tuple(variants.values()), copies=copies))
    return moved


def inside(passage: Passage, other: Passage) -> bool:
    """Tell whether a passage is a range of the other one."""
    return passage.version_id == other.version_id and other.start <= passage.start and passage.end <= other.end


def _overlap(one: Passage, two: Passage) -> bool:
    """Tell whether they share words that stand in the document once."""
    return one.version_id == two.version_id and one.start < two.end and two.start < one.end


def _newer(one: Passage, two: Passage) -> bool:
    return one.document != two.document and (one.written or _LONG_AGO) > (two.written or _LONG_AGO)


def _variant(of: Passage, found: Comparison, *, turned: bool = False) -> Variant:
    pairs = tuple((theirs, mine) for mine, theirs in found.differences) if turned else found.differences
    return Variant(key=of.key, differences=pairs)
