"""The HTTP interface of sources, from the outside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from knowledge.documents.models import Document
from knowledge.syncing import runs
from knowledge.syncing.models import Source, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "hunter2-token"


@pytest.fixture
def caller(make_user: Callable[..., Any]) -> Callable[..., Any]:
    """Call with a tenant and a role to get somebody's API: ``(method, path, body) -> (status, body)``."""
    from chatapp.accounts.services import issue_api_key

    def make(tenant: Any, role: str) -> Any:
        user = make_user(f"{role}@{tenant.slug}.test", tenant=tenant, role=role)
        key = issue_api_key(user=user, tenant=tenant, name="test")[1]
        client = Client(headers={"authorization": f"Bearer {key}"}, raise_request_exception=False)

        def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            data = "" if body is None else json.dumps(body)
            reply = client.generic(method, f"/api/v1{path}", data, content_type="application/json")
            assert SECRET not in reply.content.decode()
            return reply.status_code, json.loads(reply.content) if reply.content else None

        return call

    return make


@pytest.fixture(autouse=True)
def _redis(redis_server: Any) -> None:
    """What counts a key's requests."""


@pytest.fixture
def api(caller: Any, tenant: Any) -> Any:
    return caller(tenant, "editor")


@pytest.fixture
def made(api: Any, base: Any, shelf: Any) -> Any:
    body = {"kind": "listed", "name": "Shelf", "options": {"shelf": "A", "depth": 3}, "secrets": {"token": SECRET}}
    status, found = api("POST", f"/knowledge-bases/{base.pk}/sources", body)
    assert status == 201, found
    return found


def test_a_source_is_made_listed_changed_and_deleted(api: Any, base: Any, made: Any, shelf: Any) -> None:
    path = f"/sources/{made['id']}"
    assert made["options"] == {"shelf": "A", "depth": 3}
    assert (made["secrets"], made["state"], made["documents"], made["last_run"]) == (["token"], "Never run.", 0, None)
    assert api("GET", path) == (200, made)
    assert api("GET", f"/knowledge-bases/{base.slug}/sources") == (200, {"items": [made]})
    status, changed = api("PATCH", path, {"name": "Other", "interval": 1440, "at_hour": 3})
    assert (status, changed["name"], changed["interval"], changed["at_hour"]) == (200, "Other", 1440, 3)
    assert changed["next_run"] is not None
    assert changed["secrets"] == ["token"]
    status, paused = api("PATCH", path, {"enabled": False})
    assert (paused["next_run"], paused["state"]) == (None, "Paused. Never run.")
    assert api("PATCH", path, {"secrets": {"token": ""}})[1]["secrets"] == []
    assert api("PATCH", path, {"interval": 60, "at_hour": None})[0] == 200
    assert api("DELETE", path) == (204, None)
    assert api("GET", path)[0] == 404


def test_secrets_are_sealed_in_the_database_and_reach_the_plugin(api: Any, made: Any, shelf: Any) -> None:
    row = Source.objects.get()
    assert SECRET not in json.dumps({f.name: str(getattr(row, f.name)) for f in row._meta.fields})
    assert api("POST", f"/sources/{made['id']}/check")[1] == {"reachable": True, "problems": []}
    assert shelf.values[-1].secret("token") == SECRET
    api("PATCH", f"/sources/{made['id']}", {"options": {"shelf": "B"}})
    api("POST", f"/sources/{made['id']}/check")
    assert (shelf.values[-1].text("shelf"), shelf.values[-1].secret("token")) == ("B", SECRET)


def test_a_check_says_in_words_what_is_wrong(api: Any, made: Any, shelf: Any) -> None:
    shelf.wrong = ["The shelf cannot be reached: it is locked. Ask for the key."]
    assert api("POST", f"/sources/{made['id']}/check") == (200, {"reachable": False, "problems": shelf.wrong})


def test_runs_are_started_watched_cancelled_and_logged(api: Any, made: Any, shelf: Any, world: Any) -> None:
    path = f"/sources/{made['id']}/runs"
    shelf.texts |= {"a.md": "One.", "b.md": "Two."}
    status, dry = api("POST", path, {"dry_run": True})
    assert (status, dry["state"], dry["kind"], dry["summary"]) == (202, "queued", "dry", "nothing to do")
    status, refused = api("POST", path, {})
    assert (status, refused["code"]) == (409, "run_under_way")
    runs.run_sync(run_id=uuid.UUID(dry["id"]))
    status, shown = api("GET", f"/source-runs/{dry['id']}")
    assert (shown["state"], shown["summary"]) == ("done", "2 would be added")
    assert shown["changes"] == [{"action": "added", "key": "a.md"}, {"action": "added", "key": "b.md"}]
    assert Document.objects.count() == 0
    _, real = api("POST", path, {})
    runs.run_sync(run_id=uuid.UUID(real["id"]))
    assert api("GET", f"/source-runs/{real['id']}")[1]["counts"]["added"] == 2
    _, waiting = api("POST", path, {})
    assert api("POST", f"/source-runs/{waiting['id']}/cancel")[1]["state"] == "cancelled"
    runs.run_sync(run_id=uuid.UUID(waiting["id"]))
    assert SyncRun.objects.get(pk=waiting["id"]).state == "cancelled"
    _, first = api("GET", f"{path}?limit=2")
    _, rest = api("GET", f"{path}?limit=2&cursor={first['next_cursor']}")
    assert [run["id"] for run in first["items"] + rest["items"]] == [waiting["id"], real["id"], dry["id"]]
    assert api("GET", f"/sources/{made['id']}")[1]["documents"] == 2


def test_a_source_deleted_with_its_documents_answers_with_the_run_that_does_it(
    api: Any, base: Any, made: Any, shelf: Any, world: Any
) -> None:
    shelf.texts["a.md"] = "One."
    _, run = api("POST", f"/sources/{made['id']}/runs", {})
    runs.run_sync(run_id=uuid.UUID(run["id"]))
    status, removal = api("DELETE", f"/sources/{made['id']}?withdraw=true")
    assert (status, removal["kind"], removal["state"]) == (202, "remove", "queued")
    assert api("GET", f"/sources/{made['id']}")[0] == 404
    assert api("GET", f"/knowledge-bases/{base.pk}/sources")[1] == {"items": []}
    assert api("POST", f"/source-runs/{removal['id']}/cancel")[0] == 409
    runs.run_sync(run_id=uuid.UUID(removal["id"]))
    report = api("GET", f"/source-runs/{removal['id']}")[1]
    assert (report["state"], report["counts"]["withdrawn"], report["source"]) == ("done", 1, None)
    assert not Document.objects.alive().exists()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"kind": "nowhere"}, 400, "There is no source 'nowhere'"),
        ({"options": {}}, 400, "“Shelf” is needed"),
        ({"options": {"shelf": "A", "colour": "red"}}, 400, "There is no setting 'colour'"),
        ({"options": {"shelf": "A", "depth": 10}}, 400, "“Depth” must be a whole number"),
        ({"options": {"shelf": "A", "deep": "perhaps"}}, 400, "“Deep” must be on or off"),
        ({"name": " \u200b "}, 400, "needs a name"),
        ({"interval": 3}, 400, "every 5 minutes at most"),
        ({"interval": 60, "at_hour": 3}, 400, "An hour can only be named"),
        ({"at_hour": 24, "interval": 1440}, 422, "not as the interface"),
        ({"interval": 10**9}, 422, "not as the interface"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(
    api: Any, base: Any, made: Any, change: dict[str, Any], status: int, words: str
) -> None:
    body = {"kind": "listed", "name": "Shelf", "options": {"shelf": "A"}, **change}
    answer, problem = api("POST", f"/knowledge-bases/{base.pk}/sources", body)
    assert (answer, words in problem["detail"]) == (status, True), problem
    if "kind" not in change:
        assert api("PATCH", f"/sources/{made['id']}", change)[0] == status
    assert Source.objects.get().name == "Shelf"


@pytest.mark.parametrize("role", ["reader", "member"])
def test_who_may_not_edit_sees_no_source(caller: Any, tenant: Any, base: Any, made: Any, role: str) -> None:
    run = SyncRun.objects.create(
        tenant=tenant, source_id=made["id"], source_name="Shelf", state="done", not_before="2026-01-01T00:00:00Z"
    )
    call = caller(tenant, role)
    for method, path, body in (
        ("GET", f"/knowledge-bases/{base.pk}/sources", None), ("POST", f"/knowledge-bases/{base.pk}/sources", {"kind": "listed", "name": "x"}),
        ("GET", f"/sources/{made['id']}", None), ("PATCH", f"/sources/{made['id']}", {"name": "x"}),
        ("DELETE", f"/sources/{made['id']}", None), ("POST", f"/sources/{made['id']}/check", None),
        ("GET", f"/sources/{made['id']}/runs", None), ("POST", f"/sources/{made['id']}/runs", {}),
        ("GET", f"/source-runs/{run.pk}", None), ("POST", f"/source-runs/{run.pk}/cancel", None),
    ):  # fmt: skip
        assert call(method, path, body)[0] == 403, path
    assert Source.objects.get().name == "Shelf"


def test_the_list_costs_the_same_queries_for_many_sources(
    api: Any, base: Any, made: Any, shelf: Any, actor: Any, django_assert_max_num_queries: Any
) -> None:
    from knowledge.syncing import services

    for n in range(12):
        source = services.create_source(
            actor=actor, base=base, kind="listed", name=f"S{n}", options={"shelf": "A"}, secrets={"token": "x"}
        )
        services.start_run(source=source, actor=actor)
    with django_assert_max_num_queries(12):
        assert len(api("GET", f"/knowledge-bases/{base.pk}/sources")[1]["items"]) == 13


def test_a_changed_address_asks_for_the_secret_again(api: Any, base: Any) -> None:
    body = {
        "kind": "git",
        "name": "R",
        "options": {"url": "https://git.example.org/a.git"},
        "secrets": {"token": SECRET},
    }
    made = api("POST", f"/knowledge-bases/{base.pk}/sources", body)[1]
    status, refused = api("PATCH", f"/sources/{made['id']}", {"options": {"url": "https://elsewhere.example/a.git"}})
    assert status == 400
    assert "The address changed: enter the token again." in json.dumps(refused)
    assert api("GET", f"/sources/{made['id']}")[1]["options"] == {"url": "https://git.example.org/a.git"}
