"""The API as a whole: its description, its errors, and the wall between tenants on every route."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chatapp.accounts.services import issue_api_key
from chatapp.conversations.models import AnswerRun, Assistant, Conversation, Message
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.language_models.models import Budget, LanguageModel
from knowledge.documents.models import DeletionReport
from knowledge.syncing.models import Source, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)

CONTRACT = [
    ("get", "/knowledge-bases"), ("post", "/knowledge-bases"),
    ("get", "/knowledge-bases/{base_id}"), ("patch", "/knowledge-bases/{base_id}"),
    ("delete", "/knowledge-bases/{base_id}"),
    ("get", "/knowledge-bases/{base_id}/documents"), ("post", "/knowledge-bases/{base_id}/documents"),
    ("get", "/documents/{document_id}"), ("delete", "/documents/{document_id}"),
    ("post", "/documents/{document_id}/versions"), ("get", "/documents/{document_id}/versions/{number}/text"),
    ("get", "/knowledge-bases/{base_id}/sources"), ("post", "/knowledge-bases/{base_id}/sources"),
    ("get", "/sources/{source_id}"), ("patch", "/sources/{source_id}"), ("delete", "/sources/{source_id}"),
    ("post", "/sources/{source_id}/check"), ("get", "/sources/{source_id}/runs"),
    ("post", "/sources/{source_id}/runs"), ("get", "/source-runs/{source_run_id}"),
    ("post", "/source-runs/{source_run_id}/cancel"),
    ("post", "/search"), ("post", "/chat/completions"), ("get", "/runs/{run_id}"),
    ("get", "/assistants"), ("get", "/models"), ("get", "/me"),
]  # fmt: skip


@pytest.fixture
def call(redis_server: Any, _parts: None) -> Callable[..., Any]:
    """Call with method, path, key and JSON body; returns the response."""
    client = Client()

    def send(method: str, path: str, key: str | None = None, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        data = "" if body is None else json.dumps(body)
        return client.generic(method, f"/api/v1{path}", data, content_type="application/json", headers=headers)

    return send


def test_the_description_lists_every_route_of_the_contract(call: Any) -> None:
    response = call("GET", "/openapi.json")
    assert response.status_code == 200
    schema = response.json()
    assert schema["openapi"].startswith("3.")
    listed = {(method, path.removeprefix("/api/v1")) for path, verbs in schema["paths"].items() for method in verbs}
    assert set(CONTRACT) <= listed
    names = [operation["operationId"] for verbs in schema["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))
    assert all(operation["responses"] for verbs in schema["paths"].values() for operation in verbs.values())
    references = set(re.findall(r'"#/components/schemas/(\w+)"', response.content.decode()))
    assert references <= set(schema["components"]["schemas"])


def test_every_route_says_that_it_needs_a_key(call: Any) -> None:
    schema = call("GET", "/openapi.json").json()
    assert "bearer" in json.dumps(schema["components"]["securitySchemes"])
    open_routes = [p for p, verbs in schema["paths"].items() for o in verbs.values() if not o.get("security")]
    assert open_routes == []


def test_every_route_needs_a_key(call: Any) -> None:
    schema = call("GET", "/openapi.json").json()
    for path, verbs in schema["paths"].items():
        for method in verbs:
            address = re.sub(r"\{number\}", "1", path.removeprefix("/api/v1"))
            address = re.sub(r"\{\w+\}", str(uuid.uuid4()), address)
            for key in (None, "fn_wrong", "é" * 20):
                response = call(method.upper(), address, key, {})
                assert response.status_code == 401, (method, path)
                assert response.json()["code"] == "not_authenticated"


def test_errors_are_problem_documents(call: Any, api_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from chatapp.conversations import access

    missing = call("GET", f"/runs/{uuid.uuid4()}", api_key)
    invalid = call("POST", "/knowledge-bases", api_key, {"name": ["x"]})

    def broken(**_: Any) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(access, "access_run", broken)
    failed = call("GET", f"/runs/{uuid.uuid4()}", api_key)
    for response, status, code in ((missing, 404, "not_found"), (invalid, 422, "invalid_request"), (failed, 500, "unexpected")):  # fmt: skip
        assert response.status_code == status
        assert response["Content-Type"] == "application/problem+json"
        assert response["Cache-Control"] == "private, no-store"
        assert {"type", "title", "status", "detail", "code"} <= set(response.json())
        assert response.json()["code"] == code
    assert invalid.json()["errors"][0]["field"].endswith("name")
    assert b"secret" not in failed.content


def trained(tenant: Any) -> dict[str, str]:
    """Ids of training data, a run, a version and a server of a tenant."""
    import tuned_world

    from chatapp.finetuning.datasets.build_models import DatasetBuild
    from chatapp.finetuning.registry.services import register_version
    from chatapp.finetuning.serving.models import ModelServer

    data = tuned_world.make_data(tenant, rows=1)
    base = tuned_world.make_base(tenant)
    version = register_version(tuned_world.make_run(tenant, data=data, base=base))
    build = DatasetBuild.objects.create(
        tenant=tenant, dataset=data.dataset, kind="questions", state="queued", not_before=timezone.now()
    )
    return {
        "dataset_id": str(data.dataset_id), "row_id": str(data.rows.get().pk), "build_id": str(build.pk),
        "training_run_id": str(version.run_id), "version_id": str(version.pk),
        "fine_tuned_model_id": str(version.fine_tuned_model_id),
        "server_id": str(ModelServer.objects.create(base=base, kind="own").pk),
    }  # fmt: skip


@pytest.fixture
def hidden(make_library: Any, other_tenant: Any, make_user: Any, settings: Any, tmp_path: Path) -> dict[str, str]:
    """Ids of another tenant, by the name of the parameter they stand for."""
    settings.TRAINING_DIR = tmp_path / "training"
    library = make_library(other_tenant)
    stranger = make_user("stranger@globex.test", tenant=other_tenant)
    conversation = Conversation.objects.create(tenant=other_tenant, user=stranger, title="Secret")
    asked = Message.objects.create(conversation=conversation, role="user", text="secret")
    answer = Message.objects.create(conversation=conversation, role="assistant", text="secret")
    run = AnswerRun.objects.create(
        tenant=other_tenant, conversation=conversation, question=asked, answer=answer, heartbeat=timezone.now()
    )
    source = Source.objects.create(tenant=other_tenant, knowledge_base=library.base, kind="folder", name="Secret")
    synced = SyncRun.objects.create(
        tenant=other_tenant, source=source, source_name="Secret", state="done", not_before=timezone.now()
    )
    library.base.refresh_from_db()
    deletion = DeletionReport.objects.create(
        tenant=other_tenant, knowledge_base_ref=library.base.pk, document_ref=uuid.uuid4(), requested=timezone.now()
    )
    return {
        "base_id": str(library.base.pk), "document_id": str(library.documents[0].pk), "run_id": str(run.pk),
        "deletion_id": str(deletion.pk), "source_id": str(source.pk), "source_run_id": str(synced.pk),
        "generation_id": str(library.base.live_generation_id),
        "conversation_id": str(conversation.pk),
        "model_id": str(LanguageModel.objects.create(tenant=other_tenant, slug="secret", source="added").pk),
        "assistant_id": str(Assistant.objects.create(tenant=other_tenant, slug="secret", name="Secret").pk),
        "budget_id": str(Budget.objects.create(tenant=other_tenant, dollars=1).pk),
        **trained(other_tenant),
    }  # fmt: skip


BODIES: dict[str, Any] = {
    "PATCH /documents/{document_id}": {"title": "Mine"},
    "PATCH /sources/{source_id}": {"name": "Mine"},
    "POST /sources/{source_id}/runs": {},
    "POST /knowledge-bases/{base_id}/sources": {"kind": "folder", "name": "Mine"},
    "PATCH /knowledge-bases/{base_id}": {"name": "Mine"},
    "POST /knowledge-bases/{base_id}/generations": {"chunker": "recursive"},
    "PATCH /models/{model_id}": {"name": "Mine"},
    "PATCH /assistants/{assistant_id}": {"name": "Mine"},
    "PATCH /conversations/{conversation_id}": {"title": "Mine"},
    "POST /training-datasets/{dataset_id}/rows": {"question": "Mine?"},
    "PATCH /training-datasets/{dataset_id}/rows/{row_id}": {"state": "rejected"},
    "POST /model-versions/{version_id}/promote": {"reason": "Mine"},
    "POST /model-versions/{version_id}/canary": {"share": 10},
}
UPLOADS = {
    "POST /training-datasets/{dataset_id}/upload",
    "POST /knowledge-bases/{base_id}/documents",
    "POST /documents/{document_id}/versions",
}


def test_what_belongs_to_another_tenant_does_not_exist(call: Any, api_key: str, hidden: dict[str, str]) -> None:
    schema = call("GET", "/openapi.json").json()
    walked = 0
    for path, verbs in schema["paths"].items():
        names = [name for name in re.findall(r"\{(\w+)\}", path) if name != "number"]
        if not names:
            continue
        assert set(names) <= set(hidden), f"{path} takes an id this test does not know"
        for method in verbs:
            route = f"{method.upper()} {path.removeprefix('/api/v1')}"
            answers = [
                answer_of(call, route, api_key, {name: one(name) for name in names})
                for one in (hidden.__getitem__, lambda _: str(uuid.uuid4()))
            ]
            assert answers[0] == answers[1], route
            assert answers[0][0] == 404, route
            walked += 1
    assert walked >= 12
    assert Conversation.objects.get().title == "Secret"
    assert Assistant.objects.get(slug="secret").name == "Secret"
    assert ModelVersion.objects.get().state == "candidate"
    assert (Source.objects.get().name, SyncRun.objects.count()) == ("Secret", 1)


def answer_of(call: Any, route: str, key: str, ids: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    method, path = route.split(" ", 1)
    address = path.replace("{number}", "1")
    for name, value in ids.items():
        address = address.replace(f"{{{name}}}", value)
    if route in UPLOADS:
        from django.core.files.uploadedfile import SimpleUploadedFile

        file = SimpleUploadedFile("note.txt", b"a note")
        response = Client().post(f"/api/v1{address}", {"file": file}, headers={"Authorization": f"Bearer {key}"})
    else:
        response = call(method, address, key, BODIES.get(route))
    return response.status_code, response.content, dict(response.headers)


@pytest.mark.parametrize("field", ["knowledge_bases", "conversation"])
def test_ids_in_a_body_do_not_exist_either(field: str, call: Any, api_key: str, hidden: dict[str, str], tenant: Any, use_model: Any) -> None:  # fmt: skip
    use_model(tenant, "scripted-ok")
    base = field == "knowledge_bases"
    answers = []
    for one in (hidden["base_id" if base else "conversation_id"], str(uuid.uuid4())):
        value = [one] if base else one
        chat = {"messages": [{"role": "user", "content": "What?"}], field: value}
        replies = [call("POST", "/chat/completions", api_key, chat)]
        if base:
            replies.append(call("POST", "/search", api_key, {"query": "badge", field: value}))
        answers.append([(reply.status_code, reply.content) for reply in replies])
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {404}


def test_lists_hold_only_what_is_ones_own(
    call: Any, api_key: str, hidden: dict[str, str], tenant: Any, other_tenant: Any, use_model: Any, member: Any
) -> None:
    use_model(tenant, "scripted-ok")
    use_model(other_tenant, "scripted-cite")
    Conversation.objects.create(tenant=tenant, user=member, title="A colleague's")
    assert call("GET", "/conversations", api_key).json()["items"] == []
    assert call("GET", "/knowledge-bases", api_key).json()["items"] == []
    assert call("POST", "/search", api_key, {"query": "badge"}).json()["passages"] == []
    assert [item["model"] for item in call("GET", "/models", api_key).json()["items"]] == ["openai/scripted-ok"]
    (assistant,) = call("GET", "/assistants", api_key).json()["items"]
    assert assistant == {
        "id": str(Assistant.objects.get(tenant=tenant).pk), "slug": "default", "name": "Default", "model": "scripted",
        "answer_mode": "retrieval", "searches": True, "citation_mode": "mark", "output_schema": None,
        "own_citation_mode": "mark", "enforcement": "withhold", "trained_elsewhere": False, "system_prompt": "",
        "knowledge_bases": [],
    }  # fmt: skip


def test_conversations_are_listed_renamed_and_deleted(call: Any, api_key: str, owner: Any, tenant: Any) -> None:
    for title in ("one", "two", "three"):
        Conversation.objects.create(tenant=tenant, user=owner, title=title)
    first = call("GET", "/conversations?limit=2", api_key).json()
    assert [item["title"] for item in first["items"]] == ["three", "two"]
    rest = call("GET", f"/conversations?limit=2&cursor={first['next_cursor']}", api_key).json()
    assert [item["title"] for item in rest["items"]] == ["one"]
    assert rest["next_cursor"] is None
    pk = rest["items"][0]["id"]
    assert call("PATCH", f"/conversations/{pk}", api_key, {"title": " new \n name "}).json()["title"] == "new name"
    assert call("PATCH", f"/conversations/{pk}", api_key, {"title": ""}).status_code == 422
    assert call("DELETE", f"/conversations/{pk}", api_key).status_code == 204
    assert call("GET", f"/conversations/{pk}", api_key).status_code == 404
    assert call("GET", "/conversations?cursor=nonsense", api_key).status_code == 400


def test_me_says_who_holds_the_key(call: Any, member: Any, tenant: Any) -> None:
    key = issue_api_key(user=member, tenant=tenant, name="k")[1]
    assert call("GET", "/me", key).json() == {
        "id": member.pk, "email": "member@acme.test", "name": "", "role": "member",
        "tenant": {"id": str(tenant.pk), "slug": "acme"}, "budgets": [],
    }  # fmt: skip
