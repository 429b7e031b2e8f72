"""The trace of an answer in the public shape: everything that is kept of it, as far as its reader may see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import prefetch_related_objects

from chatapp.conversations import selectors
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.seeing import SourceState, states_of
from knowledge.documents.models import KnowledgeBase
from knowledge.tenants.access import Actor

__all__ = ["is_withheld", "trace_detail"]

CLOSED_TITLE = "A source that you may no longer open"


def is_withheld(run: AnswerRun, *, actor: Actor) -> bool:
    """Tell whether the answer was given a passage of a source that the reader may no longer open."""
    given = {str(passage.document_ref) for passage in run.passages.all()}
    return "closed" in states_of(given, actor=actor).values()


def trace_detail(run: AnswerRun, *, actor: Actor) -> dict[str, Any]:
    """Return the trace of a run.

    ``withheld`` says that a passage is of a source the reader may no longer open: then there are no prompt and no raw
    output, which hold the passages' texts, and of those sources no texts and titles. Each passage, citation and
    candidate has the ``state`` of its source: open, deleted or closed.
    """
    prefetch_related_objects([run], selectors.run_rows(), "passages")
    detail = selectors.run_detail(run)
    search = run.retrieval.get("search") or None
    candidates = [row for name in ("considered", "related") for row in (search or {}).get(name, ())]
    refs = {row["document"] for row in (*detail["passages"], *candidates) if "document" in row}
    states = states_of(refs, actor=actor)
    withheld = any(states[passage["document"]] == "closed" for passage in detail["passages"])
    detail |= {
        "assistant": run.assistant.slug if run.assistant else None,
        "knowledge_bases": _bases(run, actor=actor),
        "settings": run.retrieval.get("settings", {}),
        "limit": run.retrieval.get("limit"),
        "token_budget": run.retrieval.get("token_budget"),
        "turns": run.retrieval.get("turns", []),
        "rewritten": run.retrieval.get("rewritten"),
        "search": search and {**search, **dict(_candidates(search, states))},
        "withheld": withheld,
    }
    if withheld:
        detail |= {"prompt": [], "raw_output": ""}
    tokens = run.retrieval.get("tokens", {})
    for passage in detail["passages"]:
        passage |= {"tokens": tokens.get(passage["label"]), **_seen(passage, states, text="")}
    for citation in detail["citations"]:
        nothing = {"before": "", "match": "", "after": ""}
        citation |= _seen(citation, states, quote="", boxes=[], excerpt=nothing)
    return detail


def _seen(row: Mapping[str, Any], states: Mapping[str, SourceState], **closed: Any) -> dict[str, Any]:
    """Return the state of a row's source and, where that is closed, what stands in place of its words."""
    state = states[row["document"]]
    return {"state": state} | ({"title": CLOSED_TITLE, "heading_path": [], **closed} if state == "closed" else {})


def _bases(run: AnswerRun, *, actor: Actor) -> list[dict[str, str]]:
    """Return the knowledge bases that were searched; one that is gone has no name any more."""
    rows = KnowledgeBase.objects.filter(pk__in=run.knowledge_bases, tenant_id=actor.tenant_id, deleting=False)
    names = {str(pk): name for pk, name in rows.values_list("pk", "name")}
    return [{"id": pk, "name": names.get(pk, "")} for pk in run.knowledge_bases]


def _candidates(search: Mapping[str, Any], states: Mapping[str, SourceState]) -> Iterator[tuple[str, list[Any]]]:
    for name in ("considered", "related"):
        rows = search.get(name, ())
        yield name, [{**row, **_seen(row, states, heading="")} if "document" in row else row for row in rows]
