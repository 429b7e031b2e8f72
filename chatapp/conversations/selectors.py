"""Reads: conversations with their runs, in the public shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from django.db.models import Prefetch, prefetch_related_objects

from chatapp.answering import mode_of
from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.excerpts import NO_WORDS, cited_excerpt, read_excerpt
from chatapp.conversations.models import AnswerRun, AuditEntry, Citation, ContextPassage, Conversation
from chatapp.conversations.outputs import shown_output
from chatapp.conversations.shown import Shown, shown_of, shown_runs
from knowledge.documents.selectors import media_types
from knowledge.parsing.formats import MARKDOWN, SLIDES
from knowledge.tenants.access import Actor

Versions: TypeAlias = Collection[tuple[str, int]]
"""Versions of documents: ``(document, number)``."""

NOTHING: dict[str, Any] = {
    "document": "", "version": None, "title": "", "heading_path": [], "page": None, "start": None, "end": None,
}  # fmt: skip
"""Takes the place of what would say something about a source that the reader may no longer see."""


def run_rows() -> Prefetch[str]:
    return Prefetch("citations", queryset=Citation.objects.select_related("passage__snapshot"))


def conversation_detail(conversation: Conversation, *, actor: Actor) -> dict[str, Any]:
    """Return a conversation with its messages in order, answers with their runs, as the actor may read them."""
    messages = conversation.messages.order_by("created").select_related("run")
    runs = AnswerRun.objects.filter(conversation=conversation).prefetch_related(run_rows(), "passages")
    # The largest columns; they are of the trace.
    rows = runs.select_related("question", "answer").defer("prompt", "raw_output", "events")
    by_answer = {run.answer_id: run for run in rows}
    kinds = kinds_of(by_answer.values())
    shown = shown_runs(by_answer.values(), actor=actor)
    texts = {run.answer_id: shown[run.pk].text for run in by_answer.values()}
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "origin": conversation.origin,
        "messages": [
            {
                "id": str(message.pk),
                "role": message.role,
                "text": texts.get(message.pk, message.text),
                "created": message.created,
                "run": run_detail(run, actor=actor, trace=False, kinds=kinds, shown=shown[run.pk])
                if run is not None
                else None,
            }
            for message in messages
            for run in [by_answer.get(message.pk)]
        ],
    }


class Kinds(NamedTuple):
    """Which of the versions that were read are presentations, and which are Markdown."""

    slides: Versions
    markdown: Versions


def kinds_of(runs: Iterable[AnswerRun]) -> Kinds:
    """Return the kinds of what the runs read, asked once for all of them."""
    found = media_types({(str(p.document_ref), p.version) for run in runs for p in run.passages.all()})
    return Kinds(
        slides={version for version, media in found.items() if media in SLIDES},
        markdown={version for version, media in found.items() if media == MARKDOWN},
    )


def run_detail(
    run: AnswerRun, *, actor: Actor, trace: bool = True, kinds: Kinds | None = None, shown: Shown | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return a run in the public shape as the actor may read it; with ``trace`` also prompt, raw output, anomalies.

    ``kinds`` and ``shown`` save asking where the caller knows them already.
    """
    prefetch_related_objects([run], run_rows(), "passages")
    slides, markdown = kinds_of([run]) if kinds is None else kinds
    shown = shown_of(run, actor=actor) if shown is None else shown
    # These quote passages side by side.
    differing = run.retrieval.get("differences", {}) if shown.whole else {}
    detail = {
        "id": str(run.pk),
        "conversation": str(run.conversation_id),
        "message": str(run.answer_id),
        "status": run.status,
        "question": run.question.text,
        "query": shown.query,
        "notes": run.retrieval.get("notes", []) if shown.whole else [],  # these name words that documents have
        "answer_mode": run.answer_mode,
        "label": mode_of(run.answer_mode).label,
        "structured": bool(run.output_schema),
        "output": shown_output(run.output_schema, shown.text),
        "model": run.model,
        "answered_by": run.answered_by,
        "in_place_of": run.in_place_of,
        "no_answer": run.no_answer,
        "passages": [
            passage_detail(p, shown=shown, slides=slides, markdown=markdown) | {"differs": differing.get(p.label, [])}
            for p in _passages(run)
        ],
        "citations": [
            citation_detail(c, shown=shown, slides=slides, markdown=markdown) for c in run.ordered_citations()
        ],
        "related": [asdict(each) for each in shown.related],
        "sentences": shown.sentences,
        "timings": run.timings,
        "usage": run.usage,
        "error": {"code": run.error_code, "message": run.error_message} if run.error_code else None,
        "erased": run.erased,
        "withheld": not shown.whole,
        "started": run.started,
        "finished": run.finished,
    }
    if trace:
        detail |= {
            "citation_mode": run.citation_mode,
            "verification": run.verification,
            "prompt_version": run.prompt_version,
            "prompt": run.prompt if shown.whole else None,
            "raw_output": run.raw_output if shown.whole else None,
            "anomalies": run.anomalies,
            "output_schema": run.output_schema or None,
            "answer": strip_sentinels(shown.text),
            "audit": AuditEntry.objects.filter(run_ref=run.pk).values("sequence", "previous", "digest").first(),
        }
    return detail


def _passages(run: AnswerRun) -> list[ContextPassage]:
    """Return the passages as they were given, in their order; no database keeps one by itself."""
    return sorted(run.passages.all(), key=lambda passage: passage.pk)


def _is_one(passage: ContextPassage, versions: Versions) -> bool:
    return (str(passage.document_ref), passage.version) in versions


def _page_kind(passage: ContextPassage, slides: Versions) -> str:
    return "slide" if _is_one(passage, slides) else "page"


def passage_detail(passage: ContextPassage, *, shown: Shown, slides: Versions, markdown: Versions) -> dict[str, Any]:
    """Return a passage with where its source stands; of a forbidden one no more than that it was read."""
    detail = {
        "label": passage.label,
        "key": str(passage.key),
        "document": str(passage.document_ref),
        "version": passage.version,
        "title": passage.title,
        "heading_path": passage.heading_path,
        "page": passage.page,
        "page_kind": _page_kind(passage, slides),
        "start": passage.start,
        "end": passage.end,
        "text": passage.text,
        "excerpt": read_excerpt(passage.text, markdown=_is_one(passage, markdown)),
        "score": passage.score,
        "scores": passage.scores,
        "used": passage.used,
        "standing": shown.standings[passage.pk].public(),
    }
    return {**detail, **NOTHING, "text": "", "excerpt": NO_WORDS} if shown.forbidden(passage) else detail


def citation_detail(citation: Citation, *, shown: Shown, slides: Versions, markdown: Versions) -> dict[str, Any]:
    """Return a citation with its excerpt."""
    passage = citation.passage
    place = citation.start - passage.start, citation.end - passage.start
    detail = {
        "number": citation.number,
        "passage": str(passage.key),
        "document": str(passage.document_ref),
        "version": passage.version,
        "title": passage.title,
        "heading_path": passage.heading_path,
        "page": citation.page,
        "page_kind": _page_kind(passage, slides),
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "boxes": citation.boxes,
        "sentence": citation.sentence,
        "score": citation.score,
        "standing": shown.standings[passage.pk].public(),
        "excerpt": cited_excerpt(passage.text, place, quote=citation.quote, markdown=_is_one(passage, markdown)),
    }
    empty = {"quote": "", "boxes": [], "excerpt": NO_WORDS}
    return {**detail, **NOTHING, **empty} if shown.forbidden(passage) else detail
