"""The chain of what answers were when they ended: append, check, export.

A record holds the small facts of a run as they are and its texts as salted SHA-256 (``sealing``), so that a text that
must be erased can go and the record stays true. Its digest is over the digest before it and the record's characters.
An erasure has an entry of its own: without one, a text that is gone is a text that was changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.models import AnswerRun, AuditEntry, ContextPassage, Erasure
from chatapp.conversations.sealing import TEXTS, Sealer, canonical, new_salts, sha, source_part
from chatapp.conversations.shown import shown_of
from knowledge.tenants.access import Actor, system_actor
from knowledge.tenants.models import Tenant

__all__ = [
    "Finding",
    "append",
    "append_erasure",
    "canonical",
    "check",
    "checked_export",
    "digest_of",
    "erasures",
    "export",
    "missing_parts",
    "record_of",
]

FORMAT = "footnote-answer-2"
FIRST_FORMAT = "footnote-answer-1"  # digests without salt
ERASURE = "footnote-erasure-1"
BATCH = 200
NOT_PROVEN = "What is erased or withheld is empty here and not proven: only that it was sealed when the answer ended."


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an auditor should know, in a sentence; ``broken`` where it should not be so."""

    broken: bool
    words: str


def append(run_pk: UUID) -> AuditEntry:
    """Add the entry of a run that has just ended; inside the transaction that ended it."""
    run = _runs().get(pk=run_pk)
    run.salts = new_salts({passage.document_ref for passage in run.passages.all()})
    run.save(update_fields=["salts"])
    return _append(run.tenant_id, run.pk, lambda sequence: record_of(run, sequence=sequence))


def append_erasure(erasure: Erasure, parts: Mapping[UUID, Sequence[str]]) -> AuditEntry:
    """Add the entry of an erasure: which parts of which answers it took; inside its transaction."""
    facts = {
        "format": ERASURE,
        "tenant": str(erasure.tenant_id),
        "run": str(erasure.pk),
        "document": str(erasure.document_ref),
        "by": erasure.by,
        "reason": erasure.reason,
        "erased": _time(erasure.created),
        "parts": {str(run): sorted(names) for run, names in parts.items()},
    }
    return _append(erasure.tenant_id, erasure.pk, lambda sequence: {**facts, "sequence": sequence})


def _append(tenant_pk: UUID, ref: UUID, record_at: Callable[[int], dict[str, Any]]) -> AuditEntry:
    # One after the other within a tenant: each entry is over the one before.
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant_pk)
    last = AuditEntry.objects.filter(tenant_id=tenant_pk).order_by("-sequence").first()
    previous = last.digest if last else ""
    sequence = last.sequence + 1 if last else 1
    record = canonical(record_at(sequence))
    return AuditEntry.objects.create(
        tenant_id=tenant_pk, sequence=sequence, run_ref=ref, record=record,
        previous=previous, digest=digest_of(previous, record),
    )  # fmt: skip


def record_of(run: AnswerRun, *, sequence: int, form: str = FORMAT) -> dict[str, Any]:
    """Return the facts of a run, its texts as salted SHA-256 of their UTF-8; in the first format without salt."""
    seal = Sealer(None if form == FIRST_FORMAT else run.salts)
    texts = _texts(run)
    return {
        "format": form,
        "tenant": str(run.tenant_id),
        "sequence": sequence,
        "run": str(run.pk),
        "status": run.status,
        "started": _time(run.started),
        "finished": _time(run.finished),
        **{name: seal(name, _as_text(texts[name])) for name in TEXTS},
        "model": run.model,
        "knowledge_bases": run.knowledge_bases,
        "citation_mode": run.citation_mode,
        # Older runs do not say it, and their records stay as they were.
        **({"verification": run.verification} if run.verification else {}),
        "prompt_version": run.prompt_version,
        "no_answer": run.no_answer,
        "sentences": _sealed(run.sentences, seal),
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
            for p in _passages(run)
        ],
        "citations": [
            {
                "number": c.number, "label": c.passage.label, "sentence": c.sentence, "page": c.page, "start": c.start,
                "end": c.end, "quote": seal(source_part(c.passage.document_ref), c.quote), "score": c.score,
            }
            for c in run.ordered_citations()
        ],
    }  # fmt: skip


def _texts(run: AnswerRun) -> dict[str, Any]:
    return {
        "question": run.question.text, "answer": run.answer.text, "query": run.query, "prompt": run.prompt,
        "raw_output": run.raw_output, "retrieval": run.retrieval,
    }  # fmt: skip


def check(tenant: Tenant) -> Iterator[Finding]:
    """Go through the chain of a tenant, and compare every answer that is still there with its entry."""
    previous, expected = "", 1
    erased = erasures(tenant)
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
            yield from _compared(entry, runs.get(entry.run_ref), erased)
    # Every run says by which mode it was checked, since there is a chain.
    ended = AnswerRun.objects.filter(tenant=tenant).exclude(status=AnswerRun.Status.RUNNING).exclude(citation_mode="")
    recorded = AuditEntry.objects.filter(tenant=tenant).values("run_ref")
    for pk in ended.exclude(pk__in=recorded).values_list("pk", flat=True):
        yield Finding(True, f"The answer {pk} has no entry.")


def erasures(tenant: Tenant) -> dict[str, dict[str, str]]:
    """Return which parts of which answers were erased, and the day, as the entries of the chain say it."""
    found: dict[str, dict[str, str]] = {}
    refs = Erasure.objects.filter(tenant=tenant).values("pk")
    for entry in AuditEntry.objects.filter(tenant=tenant, run_ref__in=refs).order_by("sequence"):
        try:
            record = json.loads(entry.record)
            parts, day = dict(record["parts"]), str(record["erased"])[:10]
        except (KeyError, TypeError, ValueError):
            continue  # a changed entry excuses nothing
        for run, names in parts.items():
            for name in names:
                found.setdefault(run, {}).setdefault(name, day)
    return found


def _compared(
    entry: AuditEntry, run: AnswerRun | None, erased: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:  # fmt: skip
    try:
        kept = json.loads(entry.record)
        named = kept["run"], kept["tenant"], kept["sequence"]
    except (KeyError, TypeError, ValueError):
        return  # told about already: the digest does not fit
    if named != (str(entry.run_ref), str(entry.tenant_id), entry.sequence):
        yield Finding(True, f"Entry {entry.sequence} names another answer than its record does.")
        return
    if kept.get("format") == ERASURE:
        yield Finding(False, f"Entry {entry.sequence}: the words of the document {kept.get('document')} were erased.")
        return
    if run is None:
        yield Finding(False, f"The answer {entry.run_ref} of entry {entry.sequence} was deleted.")
        return
    parts = erased.get(str(run.pk), {})
    now = json.loads(canonical(record_of(run, sequence=entry.sequence, form=kept.get("format", FORMAT))))
    try:
        differences = differing(without(kept, parts), without(now, parts))
    except (AttributeError, KeyError, TypeError):
        differences = ["the record itself"]
    for name in differences:
        yield Finding(True, f"The answer {entry.run_ref} of entry {entry.sequence}: {name} is not as it was recorded.")
    if parts:
        day = max(parts.values())
        yield Finding(False, f"The answer {entry.run_ref} of entry {entry.sequence}: {told(parts)} erased on {day}.")


def told(parts: Collection[str]) -> str:
    """Return erased parts of a run in words."""
    texts = [name.replace("_", " ") for name in TEXTS if name in parts]
    sources = sum(part.startswith("source ") for part in parts)
    return ", ".join([*texts, *([f"{sources} source{'' if sources == 1 else 's'}"] if sources else [])])


def without(record: Mapping[str, Any], parts: Collection[str]) -> dict[str, Any]:
    """Return a record without what erased parts of it say: of sentences and sources the facts stay."""
    kept = {name: value for name, value in record.items() if name not in parts or name == "sentences"}
    if "sentences" in parts:
        # A sentence that was erased says so, and those behind it moved.
        moved = ("reasons", "start", "end", "left_out")
        kept["sentences"] = [{k: v for k, v in each.items() if k not in moved} for each in record["sentences"]]
    gone = {row["label"] for row in record["passages"] if source_part(row["document"]) in parts}
    for kind, words in (("passages", ("text", "title")), ("citations", ("quote",))):
        kept[kind] = [
            {k: v for k, v in row.items() if k not in words or row["label"] not in gone} for row in record[kind]
        ]
    return kept


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


def export(run: AnswerRun, *, actor: Actor | None = None) -> dict[str, Any]:
    """Return everything that is kept of an answer with its entry: who has it can check it without the database.

    What ``actor`` may not see is withheld, and named; without one, what nobody of the tenant may see. Parts that are
    withheld or erased are empty: what is left of them could be anything, as no digest fits it.

    :raises AuditEntry.DoesNotExist: the answer ended before there was a chain, or has not ended.
    """
    run = _runs().get(pk=run.pk)
    entry = AuditEntry.objects.get(run_ref=run.pk)
    shown = shown_of(run, actor=actor or system_actor(run.tenant))
    hidden = {source_part(p.document_ref) for p in run.passages.all() if shown.forbidden(p)}
    withheld = hidden | (set() if shown.whole else {"query", "prompt", "raw_output", "retrieval"})
    withheld |= {"answer", "sentences"} if shown.gone or shown.text != run.answer.text else set()
    erased = erasures(run.tenant).get(str(run.pk), {})
    missing = {*withheld, *erased}
    empty: dict[str, Any] = {**dict.fromkeys(TEXTS, ""), "prompt": [], "retrieval": {}}
    texts = {name: empty[name] if name in missing else text for name, text in _texts(run).items()}
    return {
        "format": json.loads(entry.record)["format"],
        "entry": {
            "sequence": entry.sequence, "previous": entry.previous, "digest": entry.digest, "record": entry.record,
            "created": _time(entry.created),
        },
        "salts": {part: salt for part, salt in run.salts.items() if part not in withheld},
        "erased": erased,
        "withheld": sorted(withheld),
        "texts": texts,
        "passages": [
            {
                "label": p.label, "title": "" if shown.forbidden(p) else p.title, "document": str(p.document_ref),
                "version": p.version, "page": p.page, "start": p.start, "end": p.end,
                "text": "" if shown.forbidden(p) else p.text, "standing": shown.standings[p.pk].state.value,
            }
            for p in _passages(run)
        ],
        "citations": [
            {
                "number": c.number, "label": c.passage.label, "sentence": c.sentence,
                "quote": "" if shown.forbidden(c.passage) else c.quote,
            }
            for c in run.ordered_citations()
        ],
        "sentences": [] if "sentences" in missing else run.sentences,
        "readable": strip_sentinels(texts["answer"]),
    }  # fmt: skip


def checked_export(data: Any) -> list[Finding]:
    """Compare an exported answer with its own digest: every text must be the one that was recorded, or be missing and
    named as erased or withheld.

    Whether an erasure was, only the chain of the database proves: a file can say so of itself.
    """
    try:
        record = json.loads(data["entry"]["record"])
        erased, withheld = dict(data.get("erased", {})), list(data.get("withheld", []))
        seal = Sealer(None if record["format"] == FIRST_FORMAT else dict(data["salts"]))
        broken = _unlike(data, record, _Against(seal, frozenset({*erased, *withheld})))
    except (AttributeError, KeyError, TypeError, ValueError):
        return [Finding(True, "This is no exported answer.")]
    gone = [Finding(False, words) for words in missing_parts(data)]
    return gone + [
        Finding(True, f"{name[:1].upper()}{name[1:]} is not as it was recorded.".replace("_", " ")) for name in broken
    ]


def missing_parts(data: Mapping[str, Any]) -> list[str]:
    """Say in sentences which parts of an exported answer are empty, and what that means."""
    erased, withheld = data.get("erased"), data.get("withheld")
    said = [f"Erased, as the file says: {told(erased)}."] if erased else []
    said += [f"Withheld from who made the file: {told(withheld)}."] if withheld else []
    return [*said, NOT_PROVEN] if said else []


@dataclass(frozen=True, slots=True)
class _Against:
    """Tells whether what a file shows of a part fits its digest. Of a missing part it may show nothing."""

    seal: Sealer
    missing: frozenset[str]

    def __call__(self, part: str, digest: str, shown: Any) -> bool:
        return shown in ("", [], {}) if part in self.missing else digest == self.seal(part, _as_text(shown))

    def sentences(self, recorded: Any, shown: Any) -> bool:
        return bool(shown == [] if "sentences" in self.missing else _sealed(shown, self.seal) == recorded)


def _unlike(data: Mapping[str, Any], record: Mapping[str, Any], fits: _Against) -> list[str]:
    """Return which parts of an exported answer are not as they were recorded."""
    entry, texts = data["entry"], data["texts"]
    broken = [] if digest_of(entry["previous"], entry["record"]) == entry["digest"] else ["the digest"]
    broken += ["the sequence"] if entry["sequence"] != record["sequence"] else []
    broken += [name for name in TEXTS if not fits(name, record[name], texts[name])]
    broken += ["the readable text"] if data["readable"] != strip_sentinels(texts["answer"]) else []
    parts = {row["label"]: source_part(row["document"]) for row in record["passages"]}
    for kind, hashed, same in (
        ("passages", ("text", "title"), ("label", "document", "version", "page", "start", "end")),
        ("citations", ("quote",), ("number", "label", "sentence")),
    ):
        for kept, shown in zip(record[kind], data[kind], strict=True):
            whole = all(fits(parts[kept["label"]], kept[name], shown[name]) for name in hashed)
            if not whole or any(kept[name] != shown[name] for name in same):
                broken.append(f"{kind[:-1]} {kept['label']}")
    # Files of the first format had no sentences.
    told_of = record["format"] != FIRST_FORMAT or "sentences" in data
    if told_of and not fits.sentences(record["sentences"], data["sentences"]):
        broken.append("the verdicts of sentences")
    return broken


def _sealed(sentences: Sequence[Mapping[str, Any]], seal: Sealer) -> list[dict[str, Any]]:
    """Return sentences with their reasons as digests: those quote the answer."""
    return [{**each, "reasons": seal("sentences", canonical(each.get("reasons", [])))} for each in sentences]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def digest_of(previous: str, record: str) -> str:
    """Return the digest of an entry."""
    return sha(f"{previous}\n{record}")


def _runs() -> Any:
    return AnswerRun.objects.select_related("question", "answer").prefetch_related("passages", "citations__passage")


def _passages(run: AnswerRun) -> list[ContextPassage]:
    return sorted(run.passages.all(), key=lambda passage: passage.label)


def _batches(entries: Iterator[AuditEntry]) -> Iterator[Sequence[AuditEntry]]:
    batch: list[AuditEntry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _time(value: datetime | None) -> str:
    return value.astimezone(UTC).isoformat() if value is not None else ""
