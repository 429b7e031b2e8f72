"""An answer with its proof, for whoever is to check it without the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.audit import Finding, erasures, told
from chatapp.conversations.models import AnswerRun, AuditEntry
from chatapp.conversations.records import (
    FIRST_FORMAT,
    as_text,
    digest_of,
    moment,
    ordered_passages,
    recorded_runs,
    sealed_sentences,
    texts_of,
)
from chatapp.conversations.sealing import TEXTS, Sealer, source_part
from chatapp.conversations.shown import shown_of
from knowledge.tenants.access import Actor, system_actor

__all__ = ["checked_export", "export", "missing_parts"]

NOT_PROVEN = "What is erased or withheld is empty here and not proven: only that it was sealed when the answer ended."


def export(run: AnswerRun, *, actor: Actor | None = None) -> dict[str, Any]:
    """Return everything that is kept of an answer with its entry: who has it can check it without the database.

    What ``actor`` may not see is withheld, and named; without one, what nobody of the tenant may see. Parts that are
    withheld or erased are empty: what is left of them could be anything, as no digest fits it.

    :raises AuditEntry.DoesNotExist: the answer ended before there was a chain, or has not ended.
    """
    run = recorded_runs().get(pk=run.pk)
    entry = AuditEntry.objects.get(run_ref=run.pk)
    shown = shown_of(run, actor=actor or system_actor(run.tenant))
    hidden = {source_part(p.document_ref) for p in run.passages.all() if shown.forbidden(p)}
    withheld = hidden | (set() if shown.whole else {"query", "prompt", "raw_output", "retrieval"})
    withheld |= {"answer", "sentences"} if shown.gone or shown.text != run.answer.text else set()
    erased = erasures(run.tenant).get(str(run.pk), {})
    missing = {*withheld, *erased}
    empty: dict[str, Any] = {**dict.fromkeys(TEXTS, ""), "prompt": [], "retrieval": {}}
    texts = {name: empty[name] if name in missing else text for name, text in texts_of(run).items()}
    return {
        "format": json.loads(entry.record)["format"],
        "entry": {
            "sequence": entry.sequence, "previous": entry.previous, "digest": entry.digest, "record": entry.record,
            "created": moment(entry.created),
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
            for p in ordered_passages(run)
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
        return shown in ("", [], {}) if part in self.missing else digest == self.seal(part, as_text(shown))

    def sentences(self, recorded: Any, shown: Any) -> bool:
        return bool(shown == [] if "sentences" in self.missing else sealed_sentences(shown, self.seal) == recorded)


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
