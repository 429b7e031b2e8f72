"""Ends runs whose process died: a reader sees words, never an endless spinner."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from chatapp.conversations import audit, erasing, events
from chatapp.conversations.models import AnswerRun, Message

logger = logging.getLogger(__name__)

ABANDONED_SECONDS = 30
INTERRUPTED = {
    "code": "interrupted",
    "message": "The answer was interrupted. Ask again to get a complete answer.",
    "retry": True,
}


@shared_task(ignore_result=True)
def sweep_runs(**_: object) -> None:
    """Fail the runs nobody has written to for half a minute, keeping the text that was already sent."""
    before = timezone.now() - timedelta(seconds=ABANDONED_SECONDS)
    for run in AnswerRun.objects.abandoned(before=before).order_by("started")[:200]:
        sent = asyncio.run(_sent_events(str(run.pk)))
        text = "".join(event["text"] for event in sent if event["type"] == "answer.delta")
        last = sent[-1] if sent and sent[-1]["type"] == "run.error" else None
        if last is None:  # else only the storing failed: readers were already told why
            last = {"v": 1, "type": "run.error", "run": str(run.pk), "seq": len(sent) + 1, **INTERRUPTED}
            sent.append(last)
        with transaction.atomic():
            ended = AnswerRun.objects.filter(pk=run.pk, status=AnswerRun.Status.RUNNING).update(
                status=AnswerRun.Status.FAILED,
                error_code=last["code"],
                error_message=last["message"],
                events=sent,
                finished=timezone.now(),
            )
            if ended:
                Message.objects.filter(pk=run.answer_id, text="").update(text=text)
                audit.append(run.pk)
                erasing.catch_up(run)
        if ended:
            asyncio.run(_announce(str(run.pk)))


async def _sent_events(run: str) -> list[dict[str, Any]]:
    try:
        return await events.stream_so_far(run)
    except (RedisError, OSError):
        logger.warning("Redis is away: the text of run %s so far is not known", run)
        return []
    finally:
        await events.close()


async def _announce(run: str) -> None:
    try:
        await events.append_to_stream(run, "run.error", **INTERRUPTED)
    except (RedisError, OSError):
        logger.warning("Redis is away: readers of run %s learn of its end when they ask again", run)
    finally:
        await events.close()
