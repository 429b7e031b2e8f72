"""Index generations over HTTP: who may do what, and what is said of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from index_work import FIXED, work_on_indexes

from knowledge.documents.indexes import generations, indexing
from knowledge.documents.models import IndexGeneration
from knowledge.errors import IndexMismatch

pytestmark = pytest.mark.django_db(transaction=True)

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def caller(make_user: Callable[..., Any]) -> Callable[[Any, str], Call]:
    """Call with a tenant and a role to get somebody's API."""
    from chatapp.accounts.services import issue_api_key

    def make(tenant: Any, role: str) -> Call:
        user = make_user(f"{role}@{tenant.slug}.test", tenant=tenant, role=role)
        key = issue_api_key(user=user, tenant=tenant, name="test")[1]
        client = Client(headers={"authorization": f"Bearer {key}"}, raise_request_exception=False)

        def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
            response = client.generic(method, f"/api/v1{path}", **data)  # type: ignore[arg-type]
            return response.status_code, json.loads(response.content) if response.content else None

        return call

    return make


@pytest.fixture
def admin(caller: Callable[[Any, str], Call], tenant: Any) -> Call:
    return caller(tenant, "admin")


@pytest.fixture
def listed(world: Any) -> str:
    return f"/knowledge-bases/{world.base.slug}/generations"


def test_an_index_is_built_switched_to_gone_back_from_and_removed(
    admin: Call, world: Any, listed: str, sections: Any
) -> None:
    world.add(sections("otter", 8))
    [first] = admin("GET", listed)[1]["items"]
    assert (first["live"], first["phase"], first["documents"], first["held"]) == (True, "In use", 1, 1)
    assert first["progress"] == 1.0
    status, made = admin("POST", listed, {"chunker": FIXED})
    assert status == 202
    assert {k: made[k] for k in ("state", "live", "held", "documents", "progress", "chunker", "switched")} == {
        "state": "building", "live": False, "held": 0, "documents": 1, "progress": 0.0, "chunker": FIXED,
        "switched": None,
    }  # fmt: skip
    assert made["job"] == {"kind": "build", "state": "queued", "attempts": 0, "error": None, "retry": False}
    assert made["phase"] == "Waiting to be built"
    assert admin("POST", f"/generations/{made['id']}/switch") == (202, {"live": False})
    work_on_indexes()
    body = admin("GET", listed)[1]
    assert [item["id"] for item in body["items"]] == [made["id"], first["id"]]
    new, old = body["items"]
    assert (new["live"], new["held"], new["state"]) == (True, 1, "ready")
    assert new["chunks"] != old["chunks"]
    assert new["switched"]
    assert (old["phase"], old["state"]) == ("Kept for going back", "retired")
    assert FIXED in body["notice"]
    assert admin("DELETE", f"/generations/{new['id']}")[0] == 409
    assert admin("POST", f"/generations/{first['id']}/switch") == (200, {"live": True})
    assert admin("GET", listed)[1]["notice"] is None
    assert admin("DELETE", f"/generations/{new['id']}") == (202, None)
    assert admin("GET", listed)[1]["items"][1]["phase"] == "Being removed"
    work_on_indexes()
    assert [item["id"] for item in admin("GET", listed)[1]["items"]] == [first["id"]]
    assert admin("POST", f"/generations/{new['id']}/switch")[0] == 404


def test_what_cannot_be_built_is_refused_in_words(admin: Call, world: Any, listed: str) -> None:
    world.add("The otter sleeps.")
    for body, words in (
        ({}, "has this embedding model and this chunker already"),
        ({"chunker": "magic"}, "There is no chunker 'magic'"),
        ({"embedding": "unknown/model"}, "no embedding model 'unknown/model'"),
    ):
        status, problem = admin("POST", listed, body)
        assert (status, problem["code"]) == (409, "generation_refused")
        assert words in problem["detail"]
    assert IndexGeneration.objects.count() == 1


def test_what_failed_is_told_and_tried_again(
    admin: Call, world: Any, listed: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.JOB_ATTEMPTS = 1
    world.add("The otter sleeps.")
    made = admin("POST", listed, {"chunker": FIXED})[1]
    assert admin("POST", f"/generations/{made['id']}/retry")[0] == 409  # nothing failed yet
    real = indexing.index

    def broken(*_: Any, **__: Any) -> Any:
        raise IndexMismatch("The index lost a record.")

    monkeypatch.setattr(indexing, "index", broken)
    work_on_indexes()
    found = admin("GET", listed)[1]["items"][1]
    assert (found["phase"], found["job"]["retry"]) == ("Stopped with an error", True)
    assert found["job"]["error"].startswith("The index lost a record.")
    monkeypatch.setattr(indexing, "index", real)
    status, again = admin("POST", f"/generations/{made['id']}/retry")
    assert (status, again["job"]["state"], again["phase"]) == (202, "queued", "Waiting to be built")
    work_on_indexes()
    assert admin("GET", listed)[1]["items"][1]["phase"] == "Ready, not in use"


@pytest.mark.parametrize("role", ["reader", "member", "editor"])
def test_only_those_who_answer_for_searches_change_them(
    caller: Callable[[Any, str], Call], tenant: Any, world: Any, listed: str, role: str
) -> None:
    world.add("The otter sleeps.")
    made = generations.start(base=world.base, chunker=FIXED)
    somebody = caller(tenant, role)
    seen = 200 if role == "editor" else 403
    assert somebody("GET", listed)[0] == seen
    assert somebody("POST", listed, {"chunker": "recursive", "switch": True})[0] == 403
    assert somebody("POST", listed, {"chunker": "recursive"})[0] == (409 if role == "editor" else 403)  # one is open
    assert somebody("POST", f"/generations/{made.pk}/switch")[0] == 403
    assert somebody("DELETE", f"/generations/{made.pk}")[0] == 403
    assert somebody("POST", f"/generations/{made.pk}/retry")[0] == (409 if role == "editor" else 403)
    made.refresh_from_db()
    assert (made.state, made.switch_when_ready) == ("building", False)


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "/knowledge-bases/{base}/generations"),
        ("POST", "/knowledge-bases/{base}/generations"),
        ("POST", "/generations/{generation}/switch"),
        ("POST", "/generations/{generation}/retry"),
        ("DELETE", "/generations/{generation}"),
    ],
)
def test_foreign_is_answered_exactly_as_missing(
    caller: Callable[[Any, str], Call], world: Any, other_tenant: Any, method: str, route: str
) -> None:
    world.add("The otter sleeps.")
    made = generations.start(base=world.base, chunker=FIXED)
    stranger = caller(other_tenant, "owner")
    body = {"chunker": "recursive"} if "{base}" in route and method == "POST" else None
    foreign = stranger(method, route.format(base=world.base.pk, generation=made.pk), body)
    missing = stranger(method, route.format(base=uuid.uuid4(), generation=uuid.uuid4()), body)
    odd = stranger(method, route.format(base=str(world.base.pk).upper(), generation=f"{{{made.pk}}}"), body)
    assert foreign == missing == odd
    assert foreign[0] == 404
    assert world.base.generations.count() == 2
    assert IndexGeneration.objects.get(pk=made.pk).state == "building"
