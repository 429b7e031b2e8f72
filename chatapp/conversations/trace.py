"""The trace of an answer in the public shape: everything that is kept of it, as far as its reader may see it."""

from __future__ import annotations

from typing import Any

from chatapp.conversations import selectors
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.seeing import closed_documents
from knowledge.documents.models import KnowledgeBase
from knowledge.tenants.access import Actor

__all__ = ["closed_of", "trace_detail"]

CLOSED_TITLE = "A source that you may no longer open"


def closed_of(run: AnswerRun, *, actor: Actor) -> frozenset[str]:
    """Return the documents that the answer was given or its search looked at, and that are closed to this reader."""
    search = run.retrieval.get("search", {})
    refs = {str(passage.document_ref) for passage in run.passages.all()}
    refs |= {
        row["document"] for row in (*search.get("considered", ()), *search.get("related", ())) if "document" in row
    }
    return closed_documents(refs, actor=actor)


def trace_detail(run: AnswerRun, *, actor: Actor) -> dict[str, Any]:
    """Return the trace of a run.

    ``withheld`` says that a passage is of a source the reader may no longer open: then there are no prompt and no raw
    output, which hold the passages' texts, and of those sources no texts and titles.
    """
    closed = closed_of(run, actor=actor)
    detail = selectors.run_detail(run)
    given = {passage["document"] for passage in detail["passages"]}
    withheld = bool(closed & given)
    detail |= {
        "assistant": run.assistant.slug if run.assistant else None,
        "knowledge_bases": _bases(run, actor=actor),
        "settings": run.retrieval.get("settings", {}),
        "limit": run.retrieval.get("limit"),
        "token_budget": run.retrieval.get("token_budget"),
        "turns": run.retrieval.get("turns", []),
        "rewritten": run.retrieval.get("rewritten"),
        "search": _search(run.retrieval.get("search"), closed),
        "withheld": withheld,
    }
    if withheld:
        detail |= {"prompt": [], "raw_output": ""}
    for passage in detail["passages"]:
        if passage["document"] in closed:
            passage |= {"title": CLOSED_TITLE, "heading_path": [], "text": ""}
    for citation in detail["citations"]:
        if citation["document"] in closed:
            empty = {"before": "", "match": "", "after": ""}
            citation |= {"title": CLOSED_TITLE, "heading_path": [], "quote": "", "boxes": [], "excerpt": empty}
    return detail


def _bases(run: AnswerRun, *, actor: Actor) -> list[dict[str, str]]:
    """Return the knowledge bases that were searched; one that is gone has no name any more."""
    rows = KnowledgeBase.objects.filter(pk__in=run.knowledge_bases, tenant_id=actor.tenant_id, deleting=False)
    names = {str(pk): name for pk, name in rows.values_list("pk", "name")}
    return [{"id": pk, "name": names.get(pk, "")} for pk in run.knowledge_bases]


def _search(search: dict[str, Any] | None, closed: frozenset[str]) -> dict[str, Any] | None:
    if not search:
        return None
    shown = {
        name: [{**row, "title": CLOSED_TITLE, "heading": ""} if row.get("document") in closed else row for row in rows]
        for name in ("considered", "related")
        for rows in [search.get(name, [])]
    }
    return {**search, **shown}
