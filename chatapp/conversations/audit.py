"""The chain of what answers were when they ended: append, check, export.

A record holds the small facts of a run as they are and its texts as SHA-256, so that a text that must be erased can go
and the record stays true. Its digest is over the digest before it and the record's characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.models import AnswerRun, AuditEntry, Citation, ContextPassage
from knowledge.tenants.models import Tenant

__all__ = ["Finding", "append", "check", "checked_export", "digest_of", "export", "record_of"]

FORMAT = "footnote-answer-1"
BATCH = 200
TEXTS = ("question", "answer", "query", "prompt", "raw_output", "retrieval")
"""What an export holds whole and a record as a digest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an auditor should know, in a sentence; ``broken`` where it should not be so."""

    broken: bool
    words: str


def append(run_pk: UUID) -> AuditEntry:
    """Add the entry of a run that has just ended; inside the transaction that ended it."""
    run = _runs().get(pk=run_pk)
    # One after the other within a tenant: each entry is over the one before.
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=run.tenant_id)
    last = AuditEntry.objects.filter(tenant_id=run.tenant_id).order_by("-sequence").first()
    previous = last.digest if last else ""
    sequence = last.sequence + 1 if last else 1
    record = canonical(record_of(run, sequence=sequence))
    return AuditEntry.objects.create(
        tenant_id=run.tenant_id, sequence=sequence, run_ref=run.pk, record=record,
        previous=previous, digest=digest_of(previous, record),
    )  # fmt: skip


def record_of(run: AnswerRun, *, sequence: int) -> dict[str, Any]:
    """Return the facts of a run, its texts as SHA-256 of their UTF-8."""
    return {
        "format": FORMAT,
        "tenant": str(run.tenant_id),
        "sequence": sequence,
        "run": str(run.pk),
        "status": run.status,
        "started": _time(run.started),
        "finished": _time(run.finished),
        "question": _sha(run.question.text),
        "answer": _sha(run.answer.text),
        "query": _sha(run.query),
        "model": run.model,
        "knowledge_bases": run.knowledge_bases,
        "retrieval": _sha(canonical(run.retrieval)),
        "citation_mode": run.citation_mode,
        "prompt_version": run.prompt_version,
        "prompt": _sha(canonical(run.prompt)),
        "raw_output": _sha(run.raw_output),
        "no_answer": run.no_answer,
        "sentences": _hashed(run.sentences),
        "anomalies": run.anomalies,
        "usage": run.usage,
        "timings": run.timings,
        "error": run.error_code,
        "passages": [
            {
                "label": p.label, "key": str(p.key), "document": str(p.document_ref), "version": p.version,
                "title": _sha(p.title), "page": p.page, "start": p.start, "end": p.end, "text": _sha(p.text),
                "score": p.score, "scores": p.scores, "used": p.used,
            }
            for p in _passages(run)
        ],
        "citations": [
            {
                "number": c.number, "label": c.passage.label, "sentence": c.sentence, "page": c.page, "start": c.start,
                "end": c.end, "quote": _sha(c.quote), "score": c.score,
            }
            for c in _citations(run)
        ],
    }  # fmt: skip


def check(tenant: Tenant) -> Iterator[Finding]:
    """Go through the chain of a tenant, and compare every answer that is still there with its entry."""
    previous, expected = "", 1
    entries = AuditEntry.objects.filter(tenant=tenant).order_by("sequence")
    for batch in _batches(entries.iterator(chunk_size=BATCH)):
        runs = {run.pk: run for run in _runs().filter(pk__in=[entry.run_ref for entry in batch])}
        for entry in batch:
            if entry.sequence != expected:
                yield Finding(True, f"Entries {expected} to {entry.sequence - 1} are missing.")
            elif entry.previous != previous:
                yield Finding(True, f"Entry {entry.sequence} does not follow from the one before it.")
            if entry.digest != digest_of(entry.previous, entry.record):
                yield Finding(True, f"Entry {entry.sequence} was changed.")
            previous, expected = entry.digest, entry.sequence + 1
            yield from _compared(entry, runs.get(entry.run_ref))
    # Every run says by which mode it was checked, since there is a chain.
    ended = AnswerRun.objects.filter(tenant=tenant).exclude(status=AnswerRun.Status.RUNNING).exclude(citation_mode="")
    recorded = AuditEntry.objects.filter(tenant=tenant).values("run_ref")
    for pk in ended.exclude(pk__in=recorded).values_list("pk", flat=True):
        yield Finding(True, f"The answer {pk} has no entry.")


def _compared(entry: AuditEntry, run: AnswerRun | None) -> Iterator[Finding]:
    try:
        kept = json.loads(entry.record)
        named = kept["run"], kept["tenant"], kept["sequence"]
    except (KeyError, TypeError, ValueError):
        return  # told about already: the digest does not fit
    if named != (str(entry.run_ref), str(entry.tenant_id), entry.sequence):
        yield Finding(True, f"Entry {entry.sequence} names another answer than its record does.")
        return
    if run is None:
        yield Finding(False, f"The answer {entry.run_ref} of entry {entry.sequence} was deleted.")
        return
    for name in differing(kept, json.loads(canonical(record_of(run, sequence=entry.sequence)))):
        yield Finding(True, f"The answer {entry.run_ref} of entry {entry.sequence}: {name} is not as it was recorded.")


def differing(kept: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words which parts of two records differ."""
    names = []
    for name in sorted(kept.keys() | now.keys()):
        one, two = kept.get(name), now.get(name)
        if one == two:
            continue
        if (
            name in ("passages", "citations")
            and isinstance(one, list)
            and isinstance(two, list)
            and len(one) == len(two)
        ):
            kind = name[:-1]
            names += [f"{kind} {a.get('label', at)}" for at, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
        else:
            names.append(name.replace("_", " "))
    return names


def export(run: AnswerRun) -> dict[str, Any]:
    """Return everything that is kept of an answer with its entry: who has it can check it without the database.

    :raises AuditEntry.DoesNotExist: the answer ended before there was a chain, or has not ended.
    """
    run = _runs().get(pk=run.pk)
    entry = AuditEntry.objects.get(run_ref=run.pk)
    return {
        "format": FORMAT,
        "entry": {
            "sequence": entry.sequence, "previous": entry.previous, "digest": entry.digest, "record": entry.record,
            "created": _time(entry.created),
        },
        "texts": {
            "question": run.question.text, "answer": run.answer.text, "query": run.query, "prompt": run.prompt,
            "raw_output": run.raw_output, "retrieval": run.retrieval,
        },
        "passages": [
            {
                "label": p.label, "title": p.title, "document": str(p.document_ref), "version": p.version,
                "page": p.page, "start": p.start, "end": p.end, "text": p.text,
            }
            for p in _passages(run)
        ],
        "citations": [
            {"number": c.number, "label": c.passage.label, "sentence": c.sentence, "quote": c.quote}
            for c in _citations(run)
        ],
        "sentences": run.sentences,
        "readable": strip_sentinels(run.answer.text),
    }  # fmt: skip


def checked_export(data: Any) -> list[Finding]:
    """Compare an exported answer with its own digest: every text must be the one that was recorded."""
    try:
        entry, texts = data["entry"], data["texts"]
        record = json.loads(entry["record"])
        broken = [] if digest_of(entry["previous"], entry["record"]) == entry["digest"] else ["the digest"]
        broken += ["the sequence"] if entry["sequence"] != record["sequence"] else []
        broken += [name for name in TEXTS if record[name] != _sha(_as_text(texts[name]))]
        broken += ["the readable text"] if data["readable"] != strip_sentinels(texts["answer"]) else []
        for kind, hashed, same in (
            ("passages", ("text", "title"), ("label", "document", "version", "page", "start", "end")),
            ("citations", ("quote",), ("number", "label", "sentence")),
        ):
            for kept, shown in zip(record[kind], data[kind], strict=True):
                fits = all(kept[name] == _sha(shown[name]) for name in hashed)
                if not fits or any(kept[name] != shown[name] for name in same):
                    broken.append(f"{kind[:-1]} {kept['label']}")
        # Files of earlier releases have no sentences.
        if "sentences" in data and _hashed(data["sentences"]) != record["sentences"]:
            broken.append("the verdicts of sentences")
    except (AttributeError, KeyError, TypeError, ValueError):
        return [Finding(True, "This is no exported answer.")]
    return [
        Finding(True, f"{name[:1].upper()}{name[1:]} is not as it was recorded.".replace("_", " ")) for name in broken
    ]


def _hashed(sentences: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return sentences with their reasons as digests: those quote the answer."""
    return [{**each, "reasons": _sha(canonical(each.get("reasons", [])))} for each in sentences]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def digest_of(previous: str, record: str) -> str:
    """Return the digest of an entry."""
    return _sha(f"{previous}\n{record}")


def canonical(value: Any) -> str:
    """Return JSON that is the same for the same value, however it was stored."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _runs() -> Any:
    return AnswerRun.objects.select_related("question", "answer").prefetch_related("passages", "citations__passage")


def _passages(run: AnswerRun) -> list[ContextPassage]:
    return sorted(run.passages.all(), key=lambda passage: passage.label)


def _citations(run: AnswerRun) -> list[Citation]:
    return sorted(run.citations.all(), key=lambda citation: (citation.sentence, citation.number, citation.pk))


def _batches(entries: Iterator[AuditEntry]) -> Iterator[Sequence[AuditEntry]]:
    batch: list[AuditEntry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _sha(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _time(value: datetime | None) -> str:
    return value.astimezone(UTC).isoformat() if value is not None else ""
