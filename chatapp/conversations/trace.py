"""The trace of an answer in the public shape: everything that is kept of it, as far as its reader may see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from chatapp.conversations import selectors
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.seeing import Seen, seen_of
from knowledge.documents.models import KnowledgeBase
from knowledge.tenants.access import Actor

__all__ = ["trace_detail"]


def trace_detail(run: AnswerRun, *, actor: Actor) -> dict[str, Any]:
    """Return the trace of a run.

    ``withheld`` says that a passage is of a source the reader may no longer open: then there are neither prompt nor raw
    output nor the search, which hold words of it. Each passage and citation has the ``standing`` of its source, each
    candidate of the search its ``state``: open, deleted or closed.
    """
    detail = selectors.run_detail(run, actor=actor)
    search = None if detail["withheld"] else run.retrieval.get("search") or None
    candidates = [row for name in ("considered", "related") for row in (search or {}).get(name, ())]
    seen = seen_of({row["document"] for row in candidates if "document" in row}, actor=actor)
    tokens = run.retrieval.get("tokens", {})
    for passage in detail["passages"]:
        passage["tokens"] = tokens.get(passage["label"])
    return detail | {
        "assistant": run.assistant.slug if run.assistant else None,
        "knowledge_bases": _bases(run, actor=actor),
        "settings": run.retrieval.get("settings", {}),
        "limit": run.retrieval.get("limit"),
        "token_budget": run.retrieval.get("token_budget"),
        "turns": [] if detail["withheld"] else run.retrieval.get("turns", []),
        "rewritten": None if detail["withheld"] else run.retrieval.get("rewritten"),
        "search": search and {**search, **dict(_candidates(search, seen))},
    }


def _bases(run: AnswerRun, *, actor: Actor) -> list[dict[str, str]]:
    """Return the knowledge bases that were searched; one that is gone has no name any more."""
    rows = KnowledgeBase.objects.filter(pk__in=run.knowledge_bases, tenant_id=actor.tenant_id, deleting=False)
    names = {str(pk): name for pk, name in rows.values_list("pk", "name")}
    return [{"id": pk, "name": names.get(pk, "")} for pk in run.knowledge_bases]


def _candidates(search: Mapping[str, Any], seen: Mapping[str, Seen]) -> Iterator[tuple[str, list[Any]]]:
    for name in ("considered", "related"):
        rows = search.get(name, ())
        yield name, [{**row, **asdict(seen[row["document"]])} if "document" in row else row for row in rows]
