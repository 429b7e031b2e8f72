"""Remove the words of a document from answers for ever, so that the chain of records stays whole.

Of every answer that was given a passage of the document go: the passage's words, title and headings, quotes and boxes;
the prompt and the raw output; in the answer the sentences that cite it or repeat five of its words in a row. Later
answers of the same conversations had those answers in their prompts: of them goes whatever repeats its words. Questions
are what people wrote themselves, and stay. So do the numbers: ranges, scores, verdicts, times, cost.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min, Q
from django.dispatch import receiver
from django.utils import timezone
from django.utils.formats import date_format
from redis.exceptions import RedisError

from chatapp.accounts.models import User
from chatapp.conversations import audit, stream_log
from chatapp.conversations.events import stream_key
from chatapp.conversations.models import AnswerRun, Citation, ContextPassage, Erasure, Message, PassageSnapshot
from chatapp.conversations.redaction import Repeats, redacted, redacted_events
from chatapp.conversations.retrieval import wordless
from chatapp.conversations.sealing import canonical, source_part
from knowledge.documents.deletions import reports
from knowledge.documents.deletions.deletion import request_purge
from knowledge.documents.signals import document_erased
from knowledge.tenants.access import Actor

__all__ = ["Report", "catch_up", "erase"]

logger = logging.getLogger(__name__)

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was erased."""

    snapshots: int
    answers: int  # of which some part was


@receiver(document_erased)
def _on_erased(*, actor: Actor, tenant_id: str, document_id: str, reason: str, **_: object) -> None:
    user = User.objects.filter(pk=actor.user_id).first()
    erase(
        tenant_id=UUID(tenant_id), document_ref=UUID(document_id), reason=reason, by=user.email if user else "operator"
    )


@transaction.atomic
def erase(*, tenant_id: UUID, document_ref: UUID, by: str, reason: str = "") -> Report:
    """Erase a document's words from all answers; the document itself is deleted elsewhere, or was already.

    Answers under way lose them when they end (``catch_up``). Doing it again finds nothing more to do.
    """
    # An answer ends holding the chain. Without this, one that ends right now would be under way for us, and we not
    # there yet for it: both would leave its words.
    audit.hold_chain(tenant_id)
    rows = _held(tenant_id, document_ref)
    touched = _runs_touched(tenant_id, document_ref)
    erasure = _noted(tenant_id, document_ref, by, reason, at=timezone.now())
    return _take(erasure, rows, touched, Repeats(row.text for row in rows))


def catch_up(run: AnswerRun) -> None:
    """Erase from an answer that ended just now what was erased while it was under way.

    Which words those were nobody knows any more: all that the answer wrote or was told may repeat them, and goes.
    """
    read = ContextPassage.objects.filter(run=run).values("document_ref")
    told = ContextPassage.objects.filter(run__conversation=run.conversation_id).values("document_ref")
    meanwhile = Q(document_ref__in=told, created__gte=run.started)
    erasures = Erasure.objects.filter(Q(document_ref__in=read) | meanwhile, tenant_id=run.tenant_id)
    # What is noted here has the time of the erasure it follows: with one of its own, answers that began since, when the
    # words were gone already, would seem to have been under way too, and lose all they say.
    for ref, at in erasures.values_list("document_ref").annotate(at=Max("created")):
        erasure = _noted(run.tenant_id, ref, "", "An answer under way had read it.", at=at)
        _take(erasure, _held(run.tenant_id, ref), {run.pk}, lambda _: True)


def _held(tenant_id: UUID, document_ref: UUID) -> list[PassageSnapshot]:
    """Return the snapshots of a document that have words, locked."""
    rows = PassageSnapshot.objects.filter(tenant_id=tenant_id, document_ref=document_ref, erased=None)
    return list(rows.select_for_update())


def _noted(tenant_id: UUID, document_ref: UUID, by: str, reason: str, *, at: datetime) -> Erasure:
    return Erasure.objects.create(
        tenant_id=tenant_id, document_ref=document_ref, by=by[:254], reason=reason[:400], created=at
    )


def _take(erasure: Erasure, rows: list[PassageSnapshot], runs: set[UUID], repeats: Callable[[str], bool]) -> Report:
    """Take the document's words out of its snapshots and the runs, and add the entry that says so."""
    parts = _erase_runs(runs, erasure, repeats)
    for row in rows:
        row.text, row.erased, row.address = "", erasure.created, secrets.token_hex(32)
    PassageSnapshot.objects.bulk_update(rows, ["text", "erased", "address"], batch_size=BATCH)
    audit.append_erasure(erasure, parts)
    request_purge(tenant_id=erasure.tenant_id, space="")  # of the database's log, where the words still are
    request_purge(tenant_id=erasure.tenant_id, space=stream_log.NAME)  # and of that of Redis, gone streams included
    reports.reopen(tenant_id=erasure.tenant_id, document_ref=erasure.document_ref)
    transaction.on_commit(lambda: _forget_streams([str(pk) for pk in parts]))
    return Report(snapshots=len(rows), answers=len(parts))


def _runs_touched(tenant_id: UUID, document_ref: UUID) -> set[UUID]:
    """Return the answers that have ended and read the document, or came after one that did."""
    read = ContextPassage.objects.filter(run__tenant_id=tenant_id, document_ref=document_ref)
    first = dict(read.values_list("run__conversation").annotate(first=Min("run__started")))
    ended = AnswerRun.objects.filter(tenant_id=tenant_id).exclude(status=AnswerRun.Status.RUNNING)
    later = [Q(conversation=conversation, started__gte=started) for conversation, started in first.items()]
    found: set[UUID] = set()
    for at in range(0, len(later), BATCH):  # a statement takes so many parameters and no more
        found |= set(ended.filter(Q(*later[at : at + BATCH], _connector=Q.OR)).values_list("pk", flat=True))
    return found


def _erase_runs(pks: set[UUID], erasure: Erasure, repeats: Callable[[str], bool]) -> dict[UUID, list[str]]:
    """Erase from each of the runs; return the parts that went, by run."""
    found: dict[UUID, list[str]] = {}
    ordered = sorted(pks)
    for at in range(0, len(ordered), BATCH):
        rows = AnswerRun.objects.filter(pk__in=ordered[at : at + BATCH]).select_related("answer")
        for run in rows.select_for_update(of=("self",)).prefetch_related("passages", "citations"):
            parts = _erase_run(run, erasure, repeats)
            if parts:
                found[run.pk] = parts
    return found


def _erase_run(run: AnswerRun, erasure: Erasure, repeats: Callable[[str], bool]) -> list[str]:
    """Take the document's words out of one answer; return the parts that were changed, none where it had none."""
    source = source_part(erasure.document_ref)
    mine = [p for p in run.passages.all() if p.document_ref == erasure.document_ref]
    if mine and _was_erased(run, mine, source):
        return []
    changes = _changes(run, mine, repeats)
    text, sentences, gone = redacted(
        run.answer.text, run.sentences, repeats=repeats, notice=notice(erasure.created),
        cited={c.sentence for c in run.citations.all() if c.passage_id in {p.pk for p in mine}},
    )  # fmt: skip
    keys = {str(p.key) for p in mine}
    parts = [*changes, *([source] if mine else [])]
    if text != run.answer.text:
        Message.objects.filter(pk=run.answer_id).update(text=text)
        changes["sentences"] = sentences
        parts += ["answer", "sentences"]
    if not parts:
        return []
    changes["events"] = redacted_events(
        run.events, text=text, query=changes.get("query", run.query), gone=gone, keys=keys
    )
    changes["salts"] = {part: salt for part, salt in run.salts.items() if part not in parts}
    AnswerRun.objects.filter(pk=run.pk).update(**changes, erased=erasure.created)
    ContextPassage.objects.filter(pk__in=[p.pk for p in mine]).update(title="", heading_path=[])
    Citation.objects.filter(passage__in=[p.pk for p in mine]).update(quote="", boxes=[])
    return parts


def _was_erased(run: AnswerRun, mine: list[ContextPassage], source: str) -> bool:
    if run.salts:
        return source not in run.salts
    return run.erased is not None and not any(passage.title for passage in mine)  # of before there were salts


def _changes(run: AnswerRun, mine: list[ContextPassage], repeats: Callable[[str], bool]) -> dict[str, Any]:
    """Return the texts of a run that go, as they are stored from now on; each is a part of its record."""
    empty: Mapping[str, Any] = {
        "prompt": [], "raw_output": "", "query": "",
        "retrieval": wordless(run.retrieval),
    }  # fmt: skip
    certain = ("prompt", "raw_output", "retrieval") if mine else ()  # they hold or name what it read
    found = {}
    for name, left in empty.items():
        value = getattr(run, name)
        if value and value != left and (name in certain or repeats(value if isinstance(value, str) else _flat(value))):
            found[name] = left
    return found


def _flat(value: Any) -> str:
    return canonical(value).replace("\\n", " ")


def notice(day: datetime) -> str:
    """Return what stands in an answer where words were erased."""
    return f"[Left out: its source was erased on {date_format(timezone.localtime(day), 'j F Y')}.]"


def _forget_streams(runs: list[str]) -> None:
    """Remove what Redis still holds of the answers for readers that reconnect."""
    if not runs:
        return
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            client.delete(*map(stream_key, runs))
    except (RedisError, OSError):
        logger.warning("Redis is away: it forgets the events of %d answers within the hour", len(runs))
