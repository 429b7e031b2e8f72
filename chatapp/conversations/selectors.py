"""Reads: conversations with their runs, in the public shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Prefetch

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.models import AnswerRun, AuditEntry, Citation, ContextPassage, Conversation
from knowledge.documents.selectors import slide_versions

EXCERPT = 220
"""Characters of the passage shown on each side of the cited words."""


def run_rows() -> Prefetch[str]:
    return Prefetch(
        "citations", queryset=Citation.objects.select_related("passage").order_by("sentence", "number", "id")
    )


def conversation_detail(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation with its messages in order, answers with their runs."""
    messages = conversation.messages.order_by("created").select_related("run")
    runs = AnswerRun.objects.filter(conversation=conversation).prefetch_related(run_rows(), "passages")
    by_answer = {run.answer_id: run for run in runs.select_related("question")}
    slides = _slides(by_answer.values())
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "origin": conversation.origin,
        "messages": [
            {
                "id": str(message.pk),
                "role": message.role,
                "text": message.text,
                "created": message.created,
                "run": run_detail(by_answer[message.pk], trace=False, slides=slides)
                if message.pk in by_answer
                else None,
            }
            for message in messages
        ],
    }


def _slides(runs: Iterable[AnswerRun]) -> frozenset[tuple[str, int]]:
    """Return which document versions the runs read are presentations, asked once for all of them."""
    return slide_versions({(str(p.document_ref), p.version) for run in runs for p in run.passages.all()})


def run_detail(
    run: AnswerRun, *, trace: bool = True, slides: Collection[tuple[str, int]] | None = None
) -> dict[str, Any]:
    """Return a run in the public shape; with ``trace`` also the prompt, raw output and anomalies."""
    if slides is None:
        slides = _slides([run])
    detail = {
        "id": str(run.pk),
        "conversation": str(run.conversation_id),
        "message": str(run.answer_id),
        "status": run.status,
        "question": run.question.text,
        "query": run.query,
        "notes": run.retrieval.get("notes", []),
        "model": run.model,
        "no_answer": run.no_answer,
        "passages": [
            passage_detail(p, slides=slides) | {"differs": run.retrieval.get("differences", {}).get(p.label, [])}
            for p in run.passages.all()
        ],
        "citations": [citation_detail(c, slides=slides) for c in run.citations.all()],
        "sentences": run.sentences,
        "timings": run.timings,
        "usage": run.usage,
        "error": {"code": run.error_code, "message": run.error_message} if run.error_code else None,
        "started": run.started,
        "finished": run.finished,
    }
    if trace:
        detail |= {
            "citation_mode": run.citation_mode,
            "prompt_version": run.prompt_version,
            "prompt": run.prompt,
            "raw_output": run.raw_output,
            "anomalies": run.anomalies,
            "answer": strip_sentinels(run.answer.text),
            "audit": AuditEntry.objects.filter(run_ref=run.pk).values("sequence", "previous", "digest").first(),
        }
    return detail


def _page_kind(passage: ContextPassage, slides: Collection[tuple[str, int]]) -> str:
    return "slide" if (str(passage.document_ref), passage.version) in slides else "page"


def passage_detail(passage: ContextPassage, *, slides: Collection[tuple[str, int]]) -> dict[str, Any]:
    return {
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
        "deleted": passage.document_id is None,
    }


def citation_detail(citation: Citation, *, slides: Collection[tuple[str, int]]) -> dict[str, Any]:
    """Return a citation with its excerpt already split: browsers count in other units than we do."""
    passage = citation.passage
    start, end = citation.start - passage.start, citation.end - passage.start
    return {
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
        "excerpt": {
            "before": _before(passage.text[:start]),
            "match": citation.quote,
            "after": _after(passage.text[end:]),
        },
    }


def _before(text: str) -> str:
    """The end of the text: from its last paragraph at most, begun at a word."""
    paragraph = text.rsplit("\n\n", 1)[-1].lstrip()
    return paragraph if len(paragraph) <= EXCERPT else "… " + paragraph[-EXCERPT:].split(" ", 1)[-1]


def _after(text: str) -> str:
    """The beginning of the text: to the end of its first paragraph at most, ended at a word."""
    paragraph = text.split("\n\n", 1)[0].rstrip()
    return paragraph if len(paragraph) <= EXCERPT else paragraph[:EXCERPT].rsplit(" ", 1)[0] + " …"
