"""What is recorded of an answer: its small facts as they are, its texts as salted SHA-256 (``sealing``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chatapp.answering import RETRIEVAL
from chatapp.conversations.models import AnswerRun, ContextPassage
from chatapp.conversations.sealing import TEXTS, Sealer, canonical, sha, source_part

__all__ = [
    "FIRST_FORMAT",
    "FORMAT",
    "as_text",
    "digest_of",
    "moment",
    "ordered_passages",
    "record_of",
    "recorded_runs",
    "sealed_sentences",
    "texts_of",
]

FORMAT = "footnote-answer-2"
FIRST_FORMAT = "footnote-answer-1"  # digests without salt


def record_of(run: AnswerRun, *, sequence: int, form: str = FORMAT) -> dict[str, Any]:
    """Return the facts of a run, its texts as salted SHA-256 of their UTF-8; in the first format without salt."""
    seal = Sealer(None if form == FIRST_FORMAT else run.salts)
    texts = texts_of(run)
    return {
        "format": form,
        "tenant": str(run.tenant_id),
        "sequence": sequence,
        "run": str(run.pk),
        "status": run.status,
        "started": moment(run.started),
        "finished": moment(run.finished),
        **{name: seal(name, as_text(texts[name])) for name in TEXTS},
        "model": run.model,
        # Older runs do not say it, and their records stay as they were.
        **({"answer_mode": run.answer_mode} if run.answer_mode != RETRIEVAL.name else {}),
        "knowledge_bases": run.knowledge_bases,
        "citation_mode": run.citation_mode,
        # Older runs do not say it, and their records stay as they were.
        **({"verification": run.verification} if run.verification else {}),
        "prompt_version": run.prompt_version,
        "no_answer": run.no_answer,
        "sentences": sealed_sentences(run.sentences, seal),
        "anomalies": run.anomalies,
        "usage": run.usage,
        "timings": run.timings,
        "error": run.error_code,
        "passages": [
            {
                "label": p.label, "key": str(p.key), "document": str(p.document_ref), "version": p.version,
                "title": seal(source_part(p.document_ref), p.title), "page": p.page, "start": p.start, "end": p.end,
                "text": seal(source_part(p.document_ref), p.text), "score": p.score, "scores": p.scores,
                "used": p.used,
            }
            for p in ordered_passages(run)
        ],
        "citations": [
            {
                "number": c.number, "label": c.passage.label, "sentence": c.sentence, "page": c.page, "start": c.start,
                "end": c.end, "quote": seal(source_part(c.passage.document_ref), c.quote), "score": c.score,
            }
            for c in run.ordered_citations()
        ],
    }  # fmt: skip


def texts_of(run: AnswerRun) -> dict[str, Any]:
    """Return what an export holds whole, by the names of ``TEXTS``."""
    return {
        "question": run.question.text, "answer": run.answer.text, "query": run.query, "prompt": run.prompt,
        "raw_output": run.raw_output, "retrieval": run.retrieval,
    }  # fmt: skip


def sealed_sentences(sentences: Sequence[Mapping[str, Any]], seal: Sealer) -> list[dict[str, Any]]:
    """Return sentences with their reasons as digests: those quote the answer."""
    return [{**each, "reasons": seal("sentences", canonical(each.get("reasons", [])))} for each in sentences]


def as_text(value: Any) -> str:
    """Return the characters that a digest is over."""
    return value if isinstance(value, str) else canonical(value)


def digest_of(previous: str, record: str) -> str:
    """Return the digest of an entry."""
    return sha(f"{previous}\n{record}")


def recorded_runs() -> Any:
    """Return answers with all that goes into their records."""
    return AnswerRun.objects.select_related("question", "answer").prefetch_related("passages", "citations__passage")


def ordered_passages(run: AnswerRun) -> list[ContextPassage]:
    """Return the passages of an answer in the order of its record."""
    return sorted(run.passages.all(), key=lambda passage: passage.label)


def moment(value: datetime | None) -> str:
    """Return a moment as records write it, in UTC."""
    return value.astimezone(UTC).isoformat() if value is not None else ""
