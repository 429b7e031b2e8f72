"""The chain of what answers were when they ended: append, check.

A record (``records``) holds the texts of a run as digests only: a text that must be erased can go, and the record stays
true. The digest of an entry is over the one before it and the record's characters.
An erasure has an entry of its own: without one, a text that is gone is a text that was changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chatapp.conversations.models import AnswerRun, AuditEntry, Erasure
from chatapp.conversations.records import FORMAT, digest_of, moment, record_of, recorded_runs
from chatapp.conversations.sealing import TEXTS, canonical, new_salts, source_part
from knowledge.tenants.models import Tenant

__all__ = ["Finding", "append", "append_erasure", "check", "erasures", "hold_chain", "told"]

ERASURE = "footnote-erasure-1"
BATCH = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an auditor should know, in a sentence; ``broken`` where it should not be so."""

    broken: bool
    words: str


def append(run_pk: UUID) -> AuditEntry:
    """Add the entry of a run that has just ended; inside the transaction that ended it."""
    run = recorded_runs().get(pk=run_pk)
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
        "erased": moment(erasure.created),
        "parts": {str(run): sorted(names) for run, names in parts.items()},
    }
    return _append(erasure.tenant_id, erasure.pk, lambda sequence: {**facts, "sequence": sequence})


def hold_chain(tenant_pk: UUID) -> None:
    """Let nobody else add to the chain of a tenant until the transaction ends: each entry is over the one before."""
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant_pk)


def _append(tenant_pk: UUID, ref: UUID, record_at: Callable[[int], dict[str, Any]]) -> AuditEntry:
    hold_chain(tenant_pk)
    last = AuditEntry.objects.filter(tenant_id=tenant_pk).order_by("-sequence").first()
    previous = last.digest if last else ""
    sequence = last.sequence + 1 if last else 1
    record = canonical(record_at(sequence))
    return AuditEntry.objects.create(
        tenant_id=tenant_pk, sequence=sequence, run_ref=ref, record=record,
        previous=previous, digest=digest_of(previous, record),
    )  # fmt: skip


def check(tenant: Tenant) -> Iterator[Finding]:
    """Go through the chain of a tenant, and compare every answer that is still there with its entry."""
    previous, expected = "", 1
    erased = erasures(tenant)
    entries = AuditEntry.objects.filter(tenant=tenant).order_by("sequence")
    for batch in _batches(entries.iterator(chunk_size=BATCH)):
        runs = {run.pk: run for run in recorded_runs().filter(pk__in=[entry.run_ref for entry in batch])}
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


def _batches(entries: Iterator[AuditEntry]) -> Iterator[Sequence[AuditEntry]]:
    batch: list[AuditEntry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
