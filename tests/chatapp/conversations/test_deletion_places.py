"""What a deletion report tells of answers, and that Redis' own log on the disk loses erased words."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from stored_answers import stored_answer, stored_source

from chatapp.conversations import stream_log
from chatapp.conversations.erasing import erase
from chatapp.conversations.events import stream_key
from knowledge.documents.deletions.deletion import purge, run_delete
from knowledge.documents.models import DeletionReport, Document, IngestionJob, KnowledgeBase
from knowledge.documents.services import delete_document, erase_document
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "_parts")]

SECRET = b"zyxqvwallaby"


@pytest.fixture
def visitors(tenant: Any) -> Document:
    return stored_source(KnowledgeBase.objects.create(tenant=tenant, name="Rules", slug="rules"), "visitors")


@pytest.fixture
def run(owner: Any, tenant: Any, use_model: Any, visitors: Document) -> Any:
    """An answer that quotes the document."""
    use_model(tenant, "scripted-ok")
    return stored_answer(actor_for(user_id=owner.pk), visitors)


@pytest.fixture
def gone(visitors: Document) -> Callable[[], DeletionReport]:
    """Call to do the work of a deletion that was asked for, and get its report."""

    def work() -> DeletionReport:
        for job in IngestionJob.objects.filter(kind="delete", state="queued"):
            run_delete(job_id=job.pk)
        return DeletionReport.objects.get(document_ref=visitors.pk)

    return work


def after(report: DeletionReport) -> dict[str, tuple[str, int | None]]:
    return {e["place"]: (e["rule"], e["after"]) for e in report.places}


def aof_files() -> list[Path]:
    return [path for path in Path(django_settings.DATA_DIR, "redis").rglob("*") if path.is_file()]


def holds_secret() -> bool:
    return any(SECRET in path.read_bytes() for path in aof_files())


def test_report_counts_what_answers_keep_and_an_erasure_takes_it(
    run: Any, visitors: Document, gone: Callable[[], DeletionReport], client: Any, tenant: Any
) -> None:
    with redis.Redis.from_url(django_settings.REDIS_URL) as connection:
        connection.xadd(stream_key(str(run.pk)), {"e": "x"})
    delete_document(document=visitors)
    report = gone()
    found = after(report)
    assert report.state == DeletionReport.State.DONE  # by rule
    assert (found["answers"], found["snapshots"]) == (("kept", 1), ("kept", 1))
    assert found["events"] == ("fades", 1)
    assert (found["unanswered"], found["labels"]) == (("wordless", 0), ("wordless", 0))
    assert [e["note"] for e in report.places if e["place"] == "answers"][0].startswith(
        "Kept by rule: 1 answer quotes it"
    )

    erase(tenant_id=tenant.pk, document_ref=visitors.pk, by="somebody")
    report.refresh_from_db()
    assert (report.state, report.name, report.signature) == (DeletionReport.State.WAITING, "", "")
    purge()
    report.refresh_from_db()
    found = after(report)
    assert (report.state, report.erased) == (DeletionReport.State.DONE, True)
    assert (found["answers"], found["snapshots"], found["events"]) == (("kept", 0), ("kept", 0), ("fades", 0))


def test_log_of_redis_loses_erased_words_also_of_streams_that_ran_out(
    run: Any, visitors: Document, gone: Callable[[], DeletionReport], owner: Any
) -> None:
    with redis.Redis.from_url(django_settings.REDIS_URL) as connection:
        connection.xadd(stream_key(str(run.pk)), {"e": SECRET})
        connection.delete(stream_key(str(run.pk)))  # as when its time is over
        end = time.monotonic() + 5
        while not holds_secret() and time.monotonic() < end:
            time.sleep(0.05)
        assert holds_secret(), "it must be on the disk before, or this proves nothing"
        erase_document(document=visitors, actor=actor_for(user_id=owner.pk))
        assert gone().state == DeletionReport.State.DONE
        end = time.monotonic() + 5
        while holds_secret() and time.monotonic() < end:  # Redis removes its old log beside its work
            time.sleep(0.05)
        assert not holds_secret()


def test_redis_that_is_away_keeps_the_report_open(
    run: Any, visitors: Document, gone: Callable[[], DeletionReport], owner: Any, settings: Any
) -> None:
    erase_document(document=visitors, actor=actor_for(user_id=owner.pk))
    there = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert gone().state == DeletionReport.State.WAITING
    settings.REDIS_URL = there
    purge()
    assert gone().state == DeletionReport.State.DONE


def test_redis_without_a_log_has_nothing_to_rewrite(redis_server: Any) -> None:
    with redis.Redis.from_url(django_settings.REDIS_URL) as connection:
        connection.config_set("appendonly", "no")
        try:
            assert stream_log.rewritten()
        finally:
            connection.config_set("appendonly", "yes")
