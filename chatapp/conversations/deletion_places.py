"""Where answers keep words of a document: told in the report of its deletion, gone once they are erased."""

from __future__ import annotations

from datetime import timedelta

import redis
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from redis.exceptions import RedisError

from chatapp.conversations import stream_log
from chatapp.conversations.events import KEEP_SECONDS, LIVE_SECONDS, stream_key
from chatapp.conversations.models import AuditEntry, ContextPassage, PassageSnapshot
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, add_purger, register

__all__ = ["register_all"]

BATCH = 500


def register_all() -> None:
    """Name every place of this package."""
    register(Place(key="answers", name="Answers that were given its passages", rule=Rule.KEPT, count=_answers))
    register(Place(key="snapshots", name="Passages kept for answers", rule=Rule.KEPT, count=_snapshots))
    register(Place(key="events", name="Event streams of answers in Redis", rule=Rule.FADES, count=_streams))
    register(Place(key="audit", name="Audit entries of answers", rule=Rule.WORDLESS, count=_audited))
    add_purger(stream_log.NAME, stream_log.rewritten)


def _passages(subject: Subject) -> QuerySet[ContextPassage]:
    return ContextPassage.objects.filter(run__tenant_id=subject.tenant, document_ref=subject.document)


def _answers(subject: Subject) -> Found:
    count = _passages(subject).filter(snapshot__isnull=False, snapshot__erased=None).values("run").distinct().count()
    kept = (
        f"Kept by rule: {count} {'answer quotes' if count == 1 else 'answers quote'} it, with prompt and output in the "
        f"trace. `manage.py erase {subject.document}` removes what they have of it."
    )
    return Found(count=count, note=kept if count else "")


def _snapshots(subject: Subject) -> Found:
    rows = PassageSnapshot.objects.filter(tenant_id=subject.tenant, document_ref=subject.document, erased=None)
    count = rows.count()
    return Found(count=count, note="Kept for those answers, and erased with them." if count else "")


def _streams(subject: Subject) -> Found:
    """Count the streams that Redis still has for readers that reconnect."""
    recent = timezone.now() - timedelta(seconds=LIVE_SECONDS + KEEP_SECONDS)
    runs = _passages(subject).filter(run__started__gte=recent).values_list("run", flat=True).distinct()
    log = "rewrite its log" if settings.REDIS_EMBEDDED else (
        "rewrite its log; snapshots and replicas of a Redis of your own are yours to look after"
    )  # fmt: skip
    note = f"A stream ends {KEEP_SECONDS // 60} minutes after its answer. An erasure removes it, and has Redis {log}."
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            keys = [stream_key(str(pk)) for pk in runs]
            held = sum(client.exists(*keys[at : at + BATCH]) for at in range(0, len(keys), BATCH))
    except (RedisError, OSError):
        return Found(count=0, note=f"Redis did not answer, so its streams were not counted. {note}")
    return Found(count=held, note=note)


def _audited(subject: Subject) -> Found:
    runs = _passages(subject).values("run")
    count = AuditEntry.objects.filter(tenant_id=subject.tenant, run_ref__in=runs).count()
    return Found(count=count, note="They name the document and hold digests, no words.")
