"""The catalogue over HTTP: the same checks as on its pages, and no key ever comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chatapp.accounts.services import issue_api_key
from chatapp.language_models import catalogue
from chatapp.language_models.keys import keys_of
from chatapp.language_models.models import LanguageModel
from knowledge.tenants.access import Actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

SECRET = "sk-hunter2-secret"
HOSTED = {"provider": "openai", "model": "gpt-5-mini", "name": "Small", "secrets": {"api_key": SECRET}}
Call = Callable[..., Any]


@pytest.fixture
def call(tenant: Any) -> Call:
    """Call with who asks, method, what follows ``/models`` and a body; returns status and JSON."""
    from django.contrib.auth import get_user_model

    client, keys = Client(), dict[int, str]()

    def send(actor: Actor, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
        if actor.user_id not in keys:
            user = get_user_model().objects.get(pk=actor.user_id)
            keys[actor.user_id] = issue_api_key(user=user, tenant=user.memberships.get().tenant, name="k")[1]
        headers = {"Authorization": f"Bearer {keys[actor.user_id]}"}
        reply = client.generic(
            method, f"/api/v1/models{path}", json.dumps(body or {}), content_type="application/json", headers=headers
        )
        assert SECRET not in reply.content.decode()
        return reply.status_code, json.loads(reply.content) if reply.content else None

    return send


def test_a_model_is_made_read_changed_and_deleted(call: Call, admin: Actor) -> None:
    status, made = call(
        admin, "POST", body={**HOSTED, "options": {"seed": 3}, "price_prompt": 0.25, "price_completion": 2}
    )
    assert status == 201
    assert (made["model"], made["provider"], made["secrets"], made["options"]) == (
        "openai/gpt-5-mini", "openai", ["api_key"], {"seed": 3},
    )  # fmt: skip
    assert made["prices"] == {"prompt": 0.25, "completion": 2, "source": "own"}
    status, changed = call(
        admin, "PATCH", f"/{made['id']}", {"name": "Smaller", "price_prompt": None, "price_completion": None}
    )
    assert (status, changed["name"], changed["options"]) == (200, "Smaller", {"seed": 3})
    assert changed["prices"]["source"] in ("list", "none")
    assert keys_of(LanguageModel.objects.get()) == {"api_key": SECRET}
    status, changed = call(admin, "PATCH", f"/{made['id']}", {"secrets": {"api_key": "new"}, "enabled": False})
    assert (status, changed["enabled"]) == (200, False)
    assert keys_of(LanguageModel.objects.get()) == {"api_key": "new"}
    assert call(admin, "DELETE", f"/{made['id']}") == (204, None)
    assert call(admin, "GET", f"/{made['id']}")[0] == 404


def test_members_list_models_without_addresses_or_keys(
    call: Call, actor_of: Callable[..., Actor], operator: Actor
) -> None:
    fields = {
        "provider": "vllm",
        "model": "qwen3",
        "settings": {"api_base": "http://127.0.0.1:8000/v1"},
        "shared": True,
    }
    row = catalogue.add_model(operator, fields)
    member = actor_of("reader")
    status, listed = call(member, "GET")
    assert status == 200
    (item,) = listed["items"]
    assert {"id", "slug", "name", "model", "context_window", "enabled", "capabilities", "prices"} <= item.keys()
    status, detail = call(member, "GET", f"/{row.pk}")
    assert (status, detail["settings"], detail["secrets"], detail["options"]) == (200, None, None, None)
    assert "127.0.0.1" not in json.dumps([listed, detail])
    assert call(operator, "GET", f"/{row.pk}")[1]["settings"] == {"api_base": "http://127.0.0.1:8000/v1"}


@pytest.mark.parametrize("role", ["editor", "member", "reader"])
def test_changing_is_for_administrators(call: Call, actor_of: Callable[..., Actor], admin: Actor, role: str) -> None:
    row = catalogue.add_model(admin, HOSTED)
    someone = actor_of(role)
    for method, path in (("POST", ""), ("PATCH", f"/{row.pk}"), ("DELETE", f"/{row.pk}"), ("POST", f"/{row.pk}/test")):
        assert call(someone, method, path, HOSTED if not path else None)[0] == 403
    assert LanguageModel.objects.count() == 1


def test_another_organisations_model_is_not_there(
    call: Call, actor_of: Callable[..., Actor], admin: Actor, other_tenant: Any
) -> None:
    row = catalogue.add_model(admin, HOSTED)
    stranger = actor_of("owner", within=other_tenant)
    assert call(stranger, "GET")[1]["items"] == []
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert call(stranger, method, f"/{row.pk}{path}")[0] == 404


def test_refusals_are_problems_in_words(call: Call, admin: Actor) -> None:
    inside = {"provider": "vllm", "model": "q", "settings": {"api_base": "http://169.254.169.254/"}}
    status, problem = call(admin, "POST", body=inside)
    assert (status, problem["code"]) == (400, "model_misconfigured")
    assert "MODEL_ADDRESSES" in problem["detail"]
    assert call(admin, "POST", body={**HOSTED, "shared": True})[0] == 403
    assert call(admin, "POST", body={**HOSTED, "options": {"extra_headers": {"a": "b"}}})[0] == 400
    assert call(admin, "POST", body={"model": "x"})[0] == 422


def test_a_test_over_the_interface(call: Call, operator: Actor, scripted_model: Any) -> None:
    fields = {"provider": "openai_compatible", "settings": {"api_base": scripted_model.url}, "shared": True}
    row = catalogue.add_model(operator, {**fields, "model": "scripted-404"})
    status, found = call(operator, "POST", f"/{row.pk}/test")
    assert (status, found["ok"], found["error"]["code"]) == (200, False, "model_not_configured")
    assert found["error"]["next_step"].startswith("Check the key")
