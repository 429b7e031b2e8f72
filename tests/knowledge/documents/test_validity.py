"""From when until when documents are searched, and how they expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import live, searching, services, tasks, validity
from knowledge.documents.filters import SearchFilters
from knowledge.documents.models import Document, IngestionJob
from knowledge.errors import BadDates, DocumentNotFound
from knowledge.types import Query

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
FIRST = datetime(2027, 3, 1, tzinfo=UTC)


def put(document: Document, **dates: datetime | None) -> None:
    """Set dates without the checks that the past does not pass."""
    Document.objects.filter(pk=document.pk).update(**dates)


# --- searching ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        ({}, True),
        ({"valid_from": -HOUR}, True),
        ({"valid_from": HOUR}, False),
        ({"valid_until": HOUR}, True),
        ({"valid_until": -HOUR}, False),
        ({"valid_from": -HOUR, "valid_until": HOUR}, True),
        ({"valid_from": -2 * HOUR, "valid_until": -HOUR}, False),
        ({"valid_from": HOUR, "valid_until": 2 * HOUR}, False),
        ({"expires": HOUR}, True),
        ({"expires": -HOUR}, False),  # before the timer came to it
    ],
)
def test_search_honours_the_dates(world: Any, dates: dict[str, timedelta], found: bool) -> None:
    document = world.add("The otter sleeps in the holt.", "otter.md")
    world.add("The heron stands in the water.", "heron.md")
    put(document, **{name: timezone.now() + offset for name, offset in dates.items()})
    assert ("otter.md" in world.titles("Where does the otter sleep?")) is found
    narrowed = searching.search(
        Query(text="Where does the otter sleep?"),
        scope=world.scope,
        filters=SearchFilters(documents=[str(document.pk)]),
    )
    assert bool(narrowed.passages) is found
    assert "heron.md" in world.titles("Where does the heron stand?")


def test_the_end_is_exclusive_and_the_beginning_is_not(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps in the holt.", "otter.md")
    put(document, valid_from=FIRST, valid_until=FIRST + HOUR)
    tick = timedelta(microseconds=1)
    for now, found in ((FIRST - tick, 0), (FIRST, 1), (FIRST + HOUR - tick, 1), (FIRST + HOUR, 0)):
        monkeypatch.setattr(live.timezone, "now", lambda now=now: now)
        assert len(world.search("otter")) == found, now
        assert len(live.LiveRows().passages(world.keys(), scope=world.scope)) == found, now


def test_the_join_itself_leaves_out_what_a_store_returns(world: Any) -> None:
    document = world.add("The otter sleeps in the holt.", "otter.md")
    keys = world.keys()
    assert len(live.LiveRows().passages(keys, scope=world.scope)) == 1
    put(document, valid_until=timezone.now())
    assert live.LiveRows().passages(keys, scope=world.scope) == {}


def test_what_is_out_of_validity_does_not_take_the_place_of_others(world: Any, sections: Any) -> None:
    for number in range(3):  # 150 chunks, more than a search has candidates, all nearer to the question
        document = world.add(sections("visitor badge", 50), f"old-{number}.md")
        put(document, valid_until=timezone.now())
    world.add("# Reception\n\nGuests get their badge at the desk.", "now.md")
    (found, *_) = world.search("visitor badge rule")
    assert found.title == "now.md"


def test_scope_names_what_is_out_only_where_something_is(world: Any, other_world: Any) -> None:
    mine, theirs = world.add("The otter sleeps.", "otter.md"), other_world.add("The otter sleeps.", "otter.md")
    put(theirs, valid_until=timezone.now())
    assert live.in_force(world.scope) == world.scope
    put(mine, valid_from=timezone.now() + HOUR)
    assert live.in_force(world.scope).without == {str(mine.pk)}
    assert live.in_force(other_world.scope).without == {str(theirs.pk)}
    empty = type(world.scope)(tenant="", knowledge_bases=frozenset())
    assert live.in_force(empty) is empty


def test_asking_what_is_out_reads_only_documents_with_dates(world: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL chooses its plan by the sizes of tables")
    with CaptureQueriesContext(connection) as queries:
        live.in_force(world.scope)
    (query,) = queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        plan = " ".join(str(row[-1]) for row in cursor.fetchall())
    for index in ("document_valid_from", "document_valid_until", "document_expiry"):
        assert index in plan
    assert "SCAN" not in plan


def test_stores_leave_out_what_a_scope_leaves_out(world: Any) -> None:
    from dataclasses import replace

    otter, heron = world.add("The otter sleeps.", "otter.md"), world.add("The heron stands.", "heron.md")
    world.base.refresh_from_db()
    store, generations = wiring.store(), [str(world.base.live_generation_id)]
    vector = wiring.embedder().embed_query("animals")
    for out, kept in ((otter, heron), (heron, otter)):
        scope = replace(world.scope, without=frozenset({str(out.pk)}))
        near = store.search_vector(vector, space=world.space, generations=generations, limit=10, scope=scope)
        words = store.search_keyword(
            ["otter", "heron"], space=world.space, generations=generations, limit=10, scope=scope
        )
        assert {hit.document for hit in near} == {str(kept.pk)}
        assert {hit.document for hit in words} <= {str(kept.pk)}


# --- setting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2027-03-01T00:00:00Z", FIRST),
        ("2027-03-01T01:00+01:00", FIRST),
        ("2027-03-01 05:30:00.000001+0530", FIRST + timedelta(microseconds=1)),
        ("", None),
        (None, None),
        (FIRST, FIRST),
    ],
)
def test_a_moment_is_read(given: Any, read: datetime | None) -> None:
    assert validity.moment(given, name="expires") == read


@pytest.mark.parametrize(
    "given",
    [
        "2027-03-01", "2027-03-01T00:00:00", "tomorrow", "2027-02-30T00:00Z", "2027-W09-1T00:00Z", "20270301T000000Z",
        "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", 1_800_000_000, True, [], {}, datetime(2027, 3, 1), " ",
        "2027-03-01T24:00Z", "２０２７-03-01T00:00Z", "2027-03-01T00:00:00Z" + "0" * 10_000,
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_a_sentence_that_names_the_field(given: Any) -> None:
    with pytest.raises(BadDates, match=r"^valid_from must be a date and time with its zone, like 2027-03-01T00:00:00Z"):
        validity.moment(given, name="valid_from")


def test_dates_are_set_and_taken_away(world: Any) -> None:
    document = world.add("The otter sleeps.", "otter.md")
    validity.set_dates(document=document, changes={"valid_from": FIRST, "valid_until": FIRST + HOUR})
    validity.set_dates(document=document, changes={"valid_from": None})
    document.refresh_from_db()
    assert (document.valid_from, document.valid_until, document.expires) == (None, FIRST + HOUR, None)


def test_dates_that_contradict_each_other_change_nothing(world: Any) -> None:
    document = world.add("The otter sleeps.", "otter.md")
    validity.set_dates(document=document, changes={"valid_until": FIRST})
    for start in (FIRST, FIRST + HOUR):
        with pytest.raises(BadDates, match="must become valid before it stops being valid"):
            validity.set_dates(document=document, changes={"valid_from": start})
    with pytest.raises(BadDates, match="The date in expires is over"):
        validity.set_dates(document=document, changes={"expires": timezone.now()})
    document.refresh_from_db()
    assert (document.valid_from, document.expires) == (None, None)
    with pytest.raises(IntegrityError):  # the database keeps the promise
        put(document, valid_from=FIRST, valid_until=FIRST)


def test_a_deleted_document_takes_no_dates(world: Any) -> None:
    document = world.add("The otter sleeps.", "otter.md")
    services.delete_document(document=document)
    with pytest.raises(DocumentNotFound):
        validity.set_dates(document=document, changes={"expires": timezone.now() + HOUR})


def test_an_upload_may_bring_dates_and_one_with_nonsense_leaves_nothing(world: Any) -> None:
    document = world.upload("The otter sleeps.", "otter.md", dates={"valid_from": FIRST})
    assert Document.objects.get(pk=document.pk).valid_from == FIRST
    with pytest.raises(BadDates):
        world.upload("The heron stands.", "heron.md", dates={"valid_from": FIRST, "valid_until": FIRST})
    assert not Document.objects.filter(name="heron.md").exists()
    world.upload("The otter swims.", "otter.md", dates={})
    assert Document.objects.get(pk=document.pk).valid_from == FIRST  # a new version keeps the dates


def test_what_is_said(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"

    def said(**dates: datetime) -> str:
        return validity.words(Document(**dates), now=FIRST)

    assert said() == ""
    assert said(valid_from=FIRST, valid_until=FIRST + HOUR, expires=FIRST + HOUR) == ""
    assert said(valid_from=FIRST + timedelta(days=1)) == "not searched before 2 March 2027"
    assert said(valid_from=FIRST + HOUR) == "not searched before 1 March 2027, 01:00 UTC"
    assert said(valid_until=FIRST) == "no longer valid since 1 March 2027"
    assert said(expires=FIRST, valid_until=FIRST) == "expired on 1 March 2027"


# --- expiry ---------------------------------------------------------------------------------------


def test_what_expired_is_deleted_once_and_the_reason_is_kept(world: Any, other_world: Any) -> None:
    gone, stays = world.add("The otter sleeps.", "otter.md"), world.add("The heron stands.", "heron.md")
    theirs = other_world.add("The otter sleeps.", "otter.md")
    later = timezone.now() + HOUR
    put(gone, expires=timezone.now() - HOUR)
    put(stays, expires=later)
    put(theirs, expires=timezone.now())
    tasks.delete_expired()
    tasks.delete_expired()
    assert sorted(IngestionJob.objects.filter(kind="delete").values_list("document_ref", "tenant", "reason")) == sorted(
        [(gone.pk, gone.tenant_id, "expired"), (theirs.pk, theirs.tenant_id, "expired")]
    )
    world.work()
    assert not Document.objects.filter(pk__in=[gone.pk, theirs.pk]).exists()
    assert world.job(gone).reason == "expired"
    assert world.titles("otter") == set()
    assert world.titles("heron") == {"heron.md"}
    tasks.delete_expired()
    assert IngestionJob.objects.filter(kind="delete").count() == 2


def test_more_time_given_in_the_last_moment_counts(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The otter sleeps.", "otter.md")
    put(document, expires=timezone.now())
    real = validity._expire

    def after_more_time(pk: Any, now: datetime) -> bool:
        put(document, expires=now + HOUR)
        return real(pk, now)

    monkeypatch.setattr(validity, "_expire", after_more_time)
    assert validity.delete_expired(now=timezone.now()) == 0
    assert Document.objects.get(pk=document.pk).status == "ready"


def test_expiry_stops_a_job_that_is_under_way(world: Any, after_batch: Any) -> None:
    document = world.upload("The otter sleeps.", "otter.md")
    put(document, expires=timezone.now())
    after_batch(lambda: validity.delete_expired(now=timezone.now()))
    world.work()
    world.work()
    assert not Document.objects.filter(pk=document.pk).exists()
    assert world.keys() == set()
