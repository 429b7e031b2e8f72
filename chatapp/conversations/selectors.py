"""Reads: conversations with their runs, in the public shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.models import AnswerRun, AuditEntry, Citation, ContextPassage, Conversation
from chatapp.conversations.shown import Shown, shown_of, shown_runs
from knowledge.documents.selectors import slide_versions
from knowledge.tenants.access import Actor

EXCERPT = 220
"""Characters of the passage shown on each side of the cited words."""

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
    slides = _slides(by_answer.values())
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
                "run": run_detail(run, actor=actor, trace=False, slides=slides, shown=shown[run.pk])
                if run is not None
                else None,
            }
            for message in messages
            for run in [by_answer.get(message.pk)]
        ],
    }


def _slides(runs: Iterable[AnswerRun]) -> frozenset[tuple[str, int]]:
    """Return which document versions the runs read are presentations, asked once for all of them."""
    return slide_versions({(str(p.document_ref), p.version) for run in runs for p in run.passages.all()})


def run_detail(
    run: AnswerRun, *, actor: Actor, trace: bool = True, slides: Collection[tuple[str, int]] | None = None,
    shown: Shown | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return a run in the public shape as the actor may read it; with ``trace`` also prompt, raw output, anomalies.

    ``slides`` and ``shown`` save asking where the caller knows them already.
    """
    prefetch_related_objects([run], run_rows(), "passages")
    slides = _slides([run]) if slides is None else slides
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
        "model": run.model,
        "no_answer": run.no_answer,
        "passages": [
            passage_detail(p, shown=shown, slides=slides) | {"differs": differing.get(p.label, [])}
            for p in _passages(run)
        ],
        "citations": [citation_detail(c, shown=shown, slides=slides) for c in run.ordered_citations()],
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
            "answer": strip_sentinels(shown.text),
            "audit": AuditEntry.objects.filter(run_ref=run.pk).values("sequence", "previous", "digest").first(),
        }
    return detail


def _passages(run: AnswerRun) -> list[ContextPassage]:
    """Return the passages as they were given, in their order; no database keeps one by itself."""
    return sorted(run.passages.all(), key=lambda passage: passage.pk)


def _page_kind(passage: ContextPassage, slides: Collection[tuple[str, int]]) -> str:
    return "slide" if (str(passage.document_ref), passage.version) in slides else "page"


def passage_detail(
    passage: ContextPassage, *, shown: Shown, slides: Collection[tuple[str, int]]
) -> dict[str, Any]:  # fmt: skip
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
        "score": passage.score,
        "scores": passage.scores,
        "used": passage.used,
        "standing": shown.standings[passage.pk].public(),
    }
    return {**detail, **NOTHING, "text": ""} if shown.forbidden(passage) else detail


def citation_detail(
    citation: Citation, *, shown: Shown, slides: Collection[tuple[str, int]]
) -> dict[str, Any]:  # fmt: skip
    """Return a citation with its excerpt already split: browsers count in other units than we do."""
    passage = citation.passage
    start, end = citation.start - passage.start, citation.end - passage.start
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
        "excerpt": {
            "before": _before(passage.text[:start]),
            "match": citation.quote,
            "after": _after(passage.text[end:]),
        },
    }
    empty = {"quote": "", "boxes": [], "excerpt": {"before": "", "match": "", "after": ""}}
    return {**detail, **NOTHING, **empty} if shown.forbidden(passage) else detail


def _before(text: str) -> str:
    """The end of the text: from its last paragraph at most, begun at a word."""
    paragraph = text.rsplit("\n\n", 1)[-1].lstrip()
    return paragraph if len(paragraph) <= EXCERPT else "… " + paragraph[-EXCERPT:].split(" ", 1)[-1]


def _after(text: str) -> str:
    """The beginning of the text: to the end of its first paragraph at most, ended at a word."""
    paragraph = text.split("\n\n", 1)[0].rstrip()
    return paragraph if len(paragraph) <= EXCERPT else paragraph[:EXCERPT].rsplit(" ", 1)[0] + " …"
