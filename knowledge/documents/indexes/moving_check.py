"""Asks two stores the same questions: a copy must find the same passages."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from knowledge.documents.access import scope_of, visible_knowledge_bases
from knowledge.documents.models import Chunk, KnowledgeBase
from knowledge.documents.searching import retrieval_parts
from knowledge.documents.selectors import version_text
from knowledge.retrieval.pipeline import retrieve
from knowledge.stores.base import Store
from knowledge.tenants.access import system_actor
from knowledge.tenants.models import Tenant
from knowledge.types import Query, Scope

__all__ = ["Agreement", "ask_both", "questions_in", "sample"]

DEPTH = 10
"""Passages of each answer that are compared."""

SENTENCE = re.compile(r"[^.!?\n]{25,300}[.!?\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How alike the answers of the two stores are."""

    asked: int
    first: float  # share of questions with the same best passage
    overlap: float  # mean share of the source's passages that the target returned too
    worst: str = ""  # the question with the least overlap


def questions_in(path: Path) -> list[str]:
    """Read questions from JSON lines: ``text``, as the labelled sets have it, or ``question``.

    :raises ValueError: a line has neither.
    """
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [str(row.get("text") or row.get("question") or "") if isinstance(row, dict) else "" for row in rows]
    if not found or not all(found):
        raise ValueError("Every line must be an object with a text or a question.")
    return found


def sample(tenant: Tenant, *, count: int, seed: int = 7) -> list[str]:
    """Return sentences of live passages, from all of the tenant's knowledge bases; the same ones at every call."""
    bases = list(visible_knowledge_bases(actor=system_actor(tenant)).filter(live_generation__isnull=False))
    return [sentence for base in bases for sentence in _sentences(base, -(-count // len(bases)), seed)]


def _sentences(base: KnowledgeBase, count: int, seed: int) -> Iterator[str]:
    live = Chunk.objects.filter(generation=base.live_generation, version__in=base.documents.values("current_version"))
    keys = sorted(live.values_list("pk", flat=True))
    chosen = random.Random(seed).sample(keys, min(count, len(keys)))  # noqa: S311 - a sample, not a secret
    for chunk in Chunk.objects.filter(pk__in=chosen).select_related("version__document").order_by("pk"):
        text = version_text(chunk.version)[chunk.start : chunk.end]
        found = SENTENCE.search(text)
        yield " ".join((found.group() if found else text[:300]).split())


def ask_both(tenant: Tenant, questions: Sequence[str], *, source: Store, target: Store) -> Agreement:
    """Ask through the pipeline that answers questions, over all of the tenant's knowledge bases."""
    actor = system_actor(tenant)
    scope = scope_of(actor=actor, bases=visible_knowledge_bases(actor=actor))
    first = 0
    shares: list[tuple[float, str]] = []
    for question in questions:
        one, other = (_found(question, scope, store) for store in (source, target))
        first += one[:1] == other[:1]
        shares.append((len({*one} & {*other}) / len(one) if one else float(not other), question))
    if not shares:
        return Agreement(asked=0, first=1.0, overlap=1.0)
    worst = min(shares)
    return Agreement(
        asked=len(shares), first=first / len(shares), overlap=sum(share for share, _ in shares) / len(shares),
        worst=worst[1] if worst[0] < 1 else "",
    )  # fmt: skip


def _found(question: str, scope: Scope, store: Store) -> list[str]:
    parts = replace(retrieval_parts(), store=store)
    return [passage.key for passage in retrieve(Query(text=question, limit=DEPTH), scope=scope, parts=parts).passages]
