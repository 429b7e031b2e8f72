"""The pages of sources: who sees them, what they say, and what their buttons do."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from listed_source import Shelf, install

from knowledge.documents.models import Document, KnowledgeBase
from knowledge.syncing import runs, services
from knowledge.syncing.models import Source, SyncRun
from knowledge.syncing.secrets import secrets_of
from knowledge.tenants.access import system_actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "_parts")]

SECRET = "hunter2-token"


@pytest.fixture(autouse=True)
def _unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    from knowledge.documents import tasks

    monkeypatch.setattr(tasks, "publish", lambda task, **_: True)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return install(monkeypatch)


@pytest.fixture
def base(tenant: Any) -> KnowledgeBase:
    return KnowledgeBase.objects.create(tenant=tenant, name="Rules of the house", slug="rules")


@pytest.fixture
def source(shelf: Shelf, tenant: Any, base: KnowledgeBase) -> Source:
    return services.create_source(
        actor=system_actor(tenant), base=base, kind="listed", name="Shelf", options={"shelf": "A"},
        secrets={"token": SECRET},
    )  # fmt: skip


@pytest.fixture
def sync(tenant: Any) -> Callable[..., SyncRun]:
    def run(source: Source, **more: Any) -> SyncRun:
        started = services.start_run(source=source, actor=system_actor(tenant), **more)
        runs.run_sync(run_id=started.pk)
        return SyncRun.objects.get(pk=started.pk)

    return run


@pytest.fixture
def signed_in(client: Client, make_user: Any, tenant: Any) -> Client:
    client.force_login(make_user("editor@acme.test", tenant=tenant, role="editor"))
    return client


@pytest.fixture
def page(signed_in: Client) -> Callable[..., str]:
    """Call with an address below ``/documents/sources/``, and a form to send it; returns the text one ends at."""

    def open_page(path: str = "", form: dict[str, Any] | None = None) -> str:
        address = f"/documents/sources/{path}"
        reply = signed_in.get(address) if form is None else signed_in.post(address, form, follow=True)
        assert reply.status_code == 200, (path, reply.status_code)
        text = reply.content.decode()
        assert SECRET not in text
        return text

    return open_page


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


FORM = {"name": "Shelf B", "option.shelf": "B", "option.depth": "3", "option.include": "a*\nb*", "option.token": SECRET,
        "unit": "days", "every": "2", "at_hour": "3", "action": "save"}  # fmt: skip


def test_a_source_is_added_by_a_form_made_from_its_plugin(page: Any, shelf: Shelf, base: KnowledgeBase) -> None:
    form = page(f"new?base={base.pk}&kind=listed")
    for label in ("Shelf", "Depth", "Deep", "Only these", "Token"):
        assert label in words(form)
    assert 'min="1" max="9"' in form
    assert "The key to the shelf." in form
    shown = words(page(f"new?base={base.pk}&kind=listed", FORM))
    row = Source.objects.get()
    assert (row.name, row.interval, row.at_hour) == ("Shelf B", 2 * 1440, 3)
    assert row.options == {"shelf": "B", "depth": 3, "deep": False, "include": ["a*", "b*"]}
    assert secrets_of(row) == {"token": SECRET}
    assert row.created_by is not None
    for said in ("The source is stored", "every 2 days at 3:00", "Never run.", "Only these a*, b*", "Token set"):
        assert said in shown, said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"option.shelf": ""}, "“Shelf” is needed"), ({"option.depth": "12"}, "“Depth” must be a whole number"),
        ({"every": "none"}, "“How many” must be"), ({"every": "9" * 9}, "“How many” must be"),
        ({"unit": "minutes", "every": "3", "at_hour": ""}, "every 5 minutes at most"),
        ({"unit": "hours"}, "An hour can only be named"), ({"at_hour": "77"}, "between 0 and 23"), ({"name": " "}, "needs a name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_and_what_was_typed_in_stays(
    page: Any, shelf: Shelf, base: KnowledgeBase, source: Source, change: dict[str, str], said: str
) -> None:
    for path in (f"new?base={base.pk}&kind=listed", f"{source.pk}/edit"):
        shown = page(path, {**FORM, "option.include": "kept*", **change})
        assert said in words(shown)
        assert "kept*" in shown
    assert Source.objects.get().name == "Shelf"


def test_a_connection_is_tested_before_anything_is_stored(page: Any, shelf: Shelf, base: KnowledgeBase) -> None:
    path = f"new?base={base.pk}&kind=listed"
    assert "can be reached" in words(page(path, {**FORM, "action": "test"}))
    assert shelf.values[-1].secret("token") == SECRET
    shelf.wrong = ["The shelf is locked. Ask for the key."]
    assert "The shelf is locked. Ask for the key." in words(page(path, {**FORM, "action": "test"}))
    assert "“Shelf” is needed" in words(page(path, {**FORM, "action": "test", "option.shelf": ""}))
    assert Source.objects.count() == 0


def test_settings_are_changed_and_a_secret_left_empty_stays(page: Any, shelf: Shelf, source: Source) -> None:
    form = page(f"{source.pk}/edit")
    assert 'value="A"' in form
    assert "stored; leave empty to keep it" in form
    page(f"{source.pk}/edit", {**FORM, "option.token": "", "action": "test"})
    assert shelf.values[-1].secret("token") == SECRET
    page(f"{source.pk}/edit", {**FORM, "option.token": "", "option.deep": "on"})
    row = Source.objects.get()
    assert (row.name, row.options["shelf"], row.options["deep"]) == ("Shelf B", "B", True)
    assert secrets_of(row) == {"token": SECRET}
    page(f"{source.pk}/edit", {**FORM, "option.token": "", "forget": "token"})
    assert Source.objects.get().sealed == ""


def test_the_list_says_how_each_source_stands(
    page: Any, shelf: Shelf, source: Source, sync: Any, base: KnowledgeBase
) -> None:
    assert "Never run." in words(page(f"?base={base.pk}"))
    shelf.texts |= {"a.md": "One.", "b.md": "Two.", "empty.md": ""}
    sync(source)
    shown = words(page())
    for said in (
        "Shelf",
        "1 problem in the last run.",
        "Documents 2",
        "by hand only",
        "2 added, 1 failed",
        "none planned",
    ):
        assert said in shown, said
    assert "data-live" not in page()
    services.start_run(source=source, actor=None)
    assert "data-live" in page()
    assert "Waiting for a worker." in words(page())


def test_a_run_page_says_what_was_done_and_what_was_not_read(
    page: Any, shelf: Shelf, source: Source, sync: Any
) -> None:
    shelf.texts |= {"a<b>.md": "One.", "b.md": "Two.", "empty.md": ""}
    run = sync(source)
    html = page(f"runs/{run.pk}/")
    shown = words(html)
    for said in (
        "Ended: 2 added, 1 failed.",
        "Looked at 3",
        "Added 2",
        "empty.md The file is empty.",
        "new b.md",
        "by hand",
    ):
        assert said in shown, said
    assert "a&lt;b&gt;.md" in html
    assert "data-live" not in html


def test_buttons_run_dry_run_and_cancel(page: Any, shelf: Shelf, source: Source) -> None:
    shelf.texts["a.md"] = "One."
    shown = page(f"{source.pk}/runs", {"run": "dry"})
    assert "data-live" in shown
    dry = SyncRun.objects.get()
    assert dry.kind == "dry"
    again = page(f"{source.pk}/runs", {"run": "full"})
    assert "A run of this source is under way" in words(again)
    runs.run_sync(run_id=dry.pk)
    shown = words(page(f"runs/{dry.pk}/"))
    for said in ("What a run would do", "new a.md", "1 would be added", "A dry run stores nothing.", "Run now"):
        assert said in shown, said
    page(f"{source.pk}/runs", {"run": "full"})
    run = SyncRun.objects.get(kind="full")
    assert "Cancelled" in words(page(f"runs/{run.pk}/cancel", {}))
    assert Document.objects.count() == 0


def test_many_withdrawals_are_asked_about_and_confirmed_once(
    page: Any, shelf: Shelf, source: Source, sync: Any
) -> None:
    shelf.texts |= {f"{n}.md": f"Number {n}." for n in range(12)}
    sync(source)
    shelf.texts.clear()
    run = sync(source)
    shown = words(page(f"runs/{run.pk}/"))
    assert "12 documents are gone from the source" in shown
    assert "Withdraw 12 documents" in shown
    assert "confirm the withdrawal" in words(page())
    page(f"{source.pk}/runs", {"run": "withdraw"})
    agreed = SyncRun.objects.get(allow_withdrawals=True)
    runs.run_sync(run_id=agreed.pk)
    assert "Ended: 12 withdrawn." in words(page(f"runs/{agreed.pk}/"))
    assert "Withdraw 12 documents" not in words(page(f"runs/{run.pk}/"))
    assert not Document.objects.alive().exists()


def test_a_schedule_is_paused_and_resumed(page: Any, source: Source) -> None:
    services.update_source(source=source, changes={"interval": 60})
    assert "Paused. Never run." in words(page(f"{source.pk}/pause", {"enabled": "no"}))
    assert Source.objects.get().next_run is None
    assert "Paused" not in words(page(f"{source.pk}/pause", {"enabled": "yes"}))
    assert Source.objects.get().next_run is not None


def test_deleting_asks_what_becomes_of_the_documents(page: Any, shelf: Shelf, source: Source, sync: Any) -> None:
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    sync(source)
    assert "2 documents came from" in words(page(f"{source.pk}/delete"))
    page(f"{source.pk}/delete", {"documents": "perhaps"})
    assert Source.objects.filter(deleting=False).exists()
    assert "Removal" in words(page(f"{source.pk}/delete", {"documents": "withdraw"}))
    removal = SyncRun.objects.get(kind="remove")
    runs.run_sync(run_id=removal.pk)
    assert "Ended: 2 withdrawn." in words(page(f"runs/{removal.pk}/"))
    assert Source.objects.count() == 0


def test_documents_can_stay(page: Any, shelf: Shelf, source: Source, sync: Any) -> None:
    shelf.texts["a.md"] = "One."
    sync(source)
    assert "Its documents stay" in words(page(f"{source.pk}/delete", {"documents": "keep"}))
    assert (Source.objects.count(), Document.objects.alive().count()) == (0, 1)


ROUTES = [
    ("GET", "?base={base}"), ("GET", "new?base={base}&kind=listed"), ("POST", "new?base={base}&kind=listed"),
    ("GET", "{source}/"), ("GET", "{source}/edit"), ("POST", "{source}/edit"), ("POST", "{source}/pause"),
    ("GET", "{source}/delete"), ("POST", "{source}/delete"), ("POST", "{source}/runs"), ("GET", "runs/{run}/"),
    ("POST", "runs/{run}/cancel"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_strangers_get_what_they_get_for_what_does_not_exist(
    client: Client, make_user: Any, other_tenant: Any, source: Source, sync: Any, method: str, route: str
) -> None:
    run = services.start_run(source=source)
    client.force_login(make_user("owner@globex.test", tenant=other_tenant, role="owner"))
    KnowledgeBase.objects.create(tenant=other_tenant, name="Theirs", slug="theirs")
    data = {**FORM, "documents": "withdraw", "run": "full"}
    answers = []
    for ids in (
        {"base": source.knowledge_base_id, "source": source.pk, "run": run.pk},
        {"base": uuid.uuid4(), "source": uuid.uuid4(), "run": uuid.uuid4()},
    ):
        address = f"/documents/sources/{route.format(**ids)}"
        reply = client.get(address) if method == "GET" else client.post(address, data)
        answers.append(
            (reply.status_code, re.sub(r"[0-9a-f-]{36}|csrf-token.*|csrfmiddlewaretoken.*", "", reply.content.decode()))
        )
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    source.refresh_from_db()
    assert (source.name, source.deleting, source.runs.unfinished().count()) == ("Shelf", False, 1)


@pytest.mark.parametrize("role", ["reader", "member"])
@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_who_may_not_edit_is_refused(
    client: Client, make_user: Any, tenant: Any, source: Source, method: str, route: str, role: str
) -> None:
    run = services.start_run(source=source)
    client.force_login(make_user("reader@acme.test", tenant=tenant, role=role))
    address = f"/documents/sources/{route.format(base=source.knowledge_base_id, source=source.pk, run=run.pk)}"
    reply = client.get(address) if method == "GET" else client.post(address, {**FORM, "documents": "withdraw"})
    assert reply.status_code == 403
    assert "Shelf" not in reply.content.decode()


def test_unknown_kinds_and_visitors(client: Client, signed_in: Client, base: KnowledgeBase, source: Source) -> None:
    assert signed_in.get(f"/documents/sources/new?base={base.pk}&kind=nowhere").status_code == 404
    assert signed_in.get(f"/documents/sources/{source.pk}/runs").status_code == 405
    assert Client().get(f"/documents/sources/{source.pk}/").status_code == 302


def test_pages_cost_the_same_queries_for_many_sources(
    page: Any, shelf: Shelf, source: Source, sync: Any, tenant: Any, django_assert_max_num_queries: Any
) -> None:
    sync(source)
    with django_assert_max_num_queries(20) as few:
        page()
    for n in range(12):
        other = services.create_source(
            actor=system_actor(tenant), base=source.knowledge_base, kind="listed", name=f"S{n}", options={"shelf": "A"}
        )
        sync(other)
    with django_assert_max_num_queries(len(few)):
        page()
    with django_assert_max_num_queries(16):
        page(f"{source.pk}/")


def test_neither_a_test_nor_a_change_sends_a_stored_secret_to_another_server(
    page: Any, tenant: Any, base: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.sources.git import GitSource

    def asked(self: GitSource) -> list[str]:
        raise AssertionError("the other server was asked")

    monkeypatch.setattr(GitSource, "check", asked)
    row = services.create_source(
        actor=system_actor(tenant), base=base, kind="git", name="Repository",
        options={"url": "https://git.example.org/a.git"}, secrets={"token": SECRET},
    )  # fmt: skip
    form = {"name": "Repository", "option.url": "https://elsewhere.example/a.git", "option.token": "", "unit": ""}
    for action in ("test", "save"):
        shown = words(page(f"{row.pk}/edit", {**form, "action": action}))
        assert "The address changed: enter the token again." in shown
    assert Source.objects.get().options == {"url": "https://git.example.org/a.git"}
