"""Which run goes on when more wait than may, and how a run ends that gets nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone
from local_site import local_site

from knowledge.documents import services as document_services
from knowledge.documents.models import Document
from knowledge.syncing import runs, services
from knowledge.syncing.models import Source, SyncRun
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def begun(shelf: Any, actor: Any, base: Any, settings: Any) -> Callable[..., SyncRun]:
    """Call with a name, and an organisation, to have a source of that name with a run that waits."""
    settings.SYNCS_AT_ONCE = 1
    bases = {actor.tenant_id: base}

    def make(name: str, tenant: Any = None, **changes: Any) -> SyncRun:
        mine = system_actor(tenant) if tenant else actor
        if mine.tenant_id not in bases:
            bases[mine.tenant_id] = document_services.create_knowledge_base(actor=mine, name="Theirs")
        source = services.create_source(
            actor=mine, base=bases[mine.tenant_id], kind="listed", name=name, options={"shelf": "A"}
        )
        run = services.start_run(source=source, actor=mine)
        SyncRun.objects.filter(pk=run.pk).update(**changes)
        return run

    return make


def going(run: SyncRun) -> SyncRun:
    lease = timezone.now() + timedelta(seconds=60)
    SyncRun.objects.filter(pk=run.pk).update(state="running", started=timezone.now(), lease_until=lease)
    return run


def state_after(run: SyncRun) -> str:
    SyncRun.objects.filter(pk=run.pk, state="queued").update(not_before=timezone.now())
    runs.run_sync(run_id=run.pk)
    run.refresh_from_db()
    return run.state


def test_a_run_that_is_out_of_time_goes_behind_the_others(begun: Any, shelf: Any) -> None:
    shelf.texts["a.md"] = "One."

    def out_of_time(key: str) -> None:
        raise SoftTimeLimitExceeded

    shelf.before_fetch = out_of_time
    long, other = begun("Long"), begun("Other")
    assert state_after(long) == "queued"
    shelf.before_fetch = lambda key: None
    assert state_after(long) == "queued"  # the place is free, and the other waits longer
    assert state_after(other) == "done"
    assert state_after(long) == "done"


def test_organisations_take_turns(begun: Any, shelf: Any, other_tenant: Any) -> None:
    first, second, third = begun("A1"), begun("A2"), begun("A3")
    assert state_after(first) == "done"
    theirs = begun("B", other_tenant)
    assert state_after(second) == "queued"  # its organisation was served, the other one never
    assert state_after(theirs) == "done"
    assert state_after(third) == "queued"
    assert (state_after(second), state_after(third)) == ("done", "done")


def test_of_several_places_each_organisation_gets_one_first(
    begun: Any, shelf: Any, other_tenant: Any, settings: Any
) -> None:
    settings.SYNCS_AT_ONCE = 2
    going(begun("A1"))
    second = begun("A2")
    theirs = begun("B", other_tenant, started=timezone.now())
    assert state_after(second) == "queued"
    going(theirs)
    assert state_after(second) == "queued"  # no place is left
    SyncRun.objects.filter(pk=theirs.pk).update(state="done")
    assert state_after(second) == "done"


def test_whoever_waits_for_another_attempt_holds_nobody_up(begun: Any, shelf: Any) -> None:
    begun("Failed", not_before=timezone.now() + timedelta(minutes=5))
    assert state_after(begun("Other")) == "done"


def test_a_removal_waits_for_nobody(begun: Any, shelf: Any, actor: Any) -> None:
    going(begun("Going"))
    run = begun("Leaving")
    removal = services.delete_source(source=Source.objects.get(name="Leaving"), actor=actor, withdraw=True)
    assert state_after(removal) == "done"
    assert not Source.objects.filter(name="Leaving").exists()
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_a_run_that_gets_no_further_ends_in_words(source: Source, shelf: Any, actor: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}

    def out_of_time(key: str) -> None:
        if key == "b.md":
            raise SoftTimeLimitExceeded

    shelf.before_fetch = out_of_time
    run = services.start_run(source=source, actor=actor)
    assert [state_after(run) for _ in range(4)] == ["queued", "queued", "queued", "failed"]
    assert run.last_error.startswith("This source got no further in 3 turns of 13 minutes.")
    assert Document.objects.count() == 1


@pytest.fixture
def site(settings: Any) -> Iterator[Any]:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with local_site() as one:
        links = "".join(f'<a href="{n}">{n}</a>' for n in range(12))
        one.pages["/"] = f"<title>All</title>{links}"
        one.pages |= {f"/{n}": f"<title>Page {n}</title><p>This is number {n}.</p>" for n in range(12)}
        yield one


@pytest.mark.parametrize("kind", ["full", "dry"])
def test_a_long_crawl_comes_to_its_end_turn_by_turn(
    site: Any, actor: Any, base: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from knowledge.sources.web import Web

    source = services.create_source(
        actor=actor, base=base, kind="website", name="Long", options={"url": site.url, "pause": 0}
    )
    run = services.start_run(source=source, actor=actor, kind=kind)
    asked, real = [0], Web.get

    def slow(self: Web, url: str, **more: Any) -> Any:
        asked[0] += 1
        if asked[0] > 5:
            raise SoftTimeLimitExceeded
        return real(self, url, **more)

    monkeypatch.setattr(Web, "get", slow)
    turns = 0
    while run.state == "queued" and turns < 9:
        asked[0] = 0
        state_after(run)
        turns += 1
    assert (run.state, turns) == ("done", 4)  # robots.txt and the start anew, and three pages, in each
    assert (run.counts["listed"], run.counts["added"], run.counts["failed"]) == (13, 13, 0)
    assert {path: site.paths.count(path) for path in site.paths} == {
        "/robots.txt": 4, "/": 4, **{f"/{n}": 1 for n in range(12)},
    }  # fmt: skip
