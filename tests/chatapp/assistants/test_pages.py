"""Assistants through their pages and the API: what can be set, what is refused in words, and who may."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chatapp.accounts.services import issue_api_key
from chatapp.conversations.models import Assistant, CitationPolicy
from chatapp.conversations.services import ensure_default_assistant
from chatapp.language_models.models import LanguageModel
from knowledge.documents.models import KnowledgeBase

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "properties": {"rule": {"type": "string"}}}


@pytest.fixture
def model(tenant: Any) -> LanguageModel:
    return LanguageModel.objects.create(tenant=tenant, slug="big", name="Big", model="openai/big", source="added")


@pytest.fixture
def base(tenant: Any) -> KnowledgeBase:
    return KnowledgeBase.objects.create(tenant=tenant, name="House rules", slug="rules")


@pytest.fixture
def default(tenant: Any, model: LanguageModel) -> Assistant:
    return ensure_default_assistant(tenant=tenant, knowledge_bases=[], language_model=model)


@pytest.fixture
def page(client: Client, owner: Any) -> Callable[..., str]:
    """Call with an address below ``/models/assistants/``, and a form to send it; returns the words one ends at."""
    client.force_login(owner)

    def open_page(path: str = "", form: dict[str, Any] | None = None) -> str:
        address = f"/models/assistants/{path}"
        reply = client.get(address) if form is None else client.post(address, form, follow=True)
        assert reply.status_code == 200, (path, reply.status_code)
        return " ".join(re.sub(r"<[^>]+>", " ", reply.content.decode()).split())

    return open_page


def form(model: LanguageModel, /, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Legal desk", "slug": "", "answer_mode": "retrieval", "model": str(model.pk), "citation_mode": "mark",
        "enforcement": "withhold", "system_prompt": "Be brief.", "output_schema": "", **changes,
    }  # fmt: skip


def test_an_assistant_is_added_changed_and_deleted(
    page: Any, model: LanguageModel, base: KnowledgeBase, default: Assistant
) -> None:
    assert "How it answers" in page("new")
    shown = page("new", form(model, knowledge_bases=[str(base.pk)], output_schema=json.dumps(SCHEMA)))
    for said in ("The assistant “Legal desk” is there", "legal-desk", "House rules", "JSON", "the product's own"):
        assert said in shown.replace("&#x27;", "'").replace("’", "'"), said
    row = Assistant.objects.get(slug="legal-desk")
    assert (row.language_model, row.output_schema, list(row.knowledge_bases.all())) == (model, SCHEMA, [base])
    assert "Be brief." in page("legal-desk/edit")
    shown = page("legal-desk/edit", form(model, name="Desk", slug="desk", answer_mode="fine_tuned"))
    assert "the model’s training, nothing is searched" in shown
    row.refresh_from_db()
    assert (row.slug, row.answer_mode, row.output_schema, row.knowledge_bases.count()) == ("desk", "fine_tuned", {}, 0)
    assert "Nobody can ask it any more" in page("desk/delete")
    assert "is deleted. Its answers stay." in page("desk/delete", {})
    assert "can’t be deleted" in page("default/delete", {})
    assert list(Assistant.objects.all()) == [default]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"slug": "no spaces"}, "short name may have"),
        ({"slug": "default"}, "short name “default” already"),
        ({"model": "999999"}, "no such language model"),
        ({"answer_mode": "guess"}, "must be one of"),
        ({"answer_mode": "hybrid"}, "needs a model that was fine-tuned"),
        ({"answer_mode": "fine_tuned", "citation_mode": "require"}, "needs sources"),
        ({"output_schema": "{not json"}, "is not JSON near line 1"),
        ({"output_schema": '{"type": "array"}'}, "must be of an object"),
        ({"system_prompt": "x" * 16_001}, "longer than 16,000"),
        ({"knowledge_bases": ["00000000-0000-0000-0000-000000000000"]}, "No such knowledge base"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_in_words_and_what_was_typed_stays(
    changes: dict[str, Any], words: str, page: Any, model: LanguageModel, default: Assistant
) -> None:
    shown = page("new", form(model, **{"system_prompt": "Stay here.", **changes}))
    assert words in shown
    assert Assistant.objects.count() == 1
    if "longer" not in words:
        assert "Stay here." in shown


def test_a_policy_that_requires_citations_refuses_the_mode_when_it_is_saved(
    page: Any, model: LanguageModel, tenant: Any
) -> None:
    CitationPolicy.objects.create(tenant=tenant, least_mode="require")
    assert "policy requires citations" in page("new", form(model, answer_mode="fine_tuned"))
    assert "none may answer from the model’s training" in page()


def test_quotes_alone_can_neither_be_trained_nor_write_objects(page: Any, model: LanguageModel) -> None:
    LanguageModel.objects.update(model="extractive/default")
    for changes in ({"answer_mode": "fine_tuned"}, {"output_schema": json.dumps(SCHEMA)}):
        assert "Choose a language model" in page("new", form(model, **changes))


def test_an_assistant_that_cannot_answer_any_more_says_so(page: Any, model: LanguageModel, default: Assistant) -> None:
    Assistant.objects.update(answer_mode="hybrid")
    assert "It can’t answer now. The hybrid mode needs" in page()
    LanguageModel.objects.update(enabled=False)
    assert "switched off" in page()
    assert "Big (switched off)" in page("default/edit")


@pytest.mark.parametrize("role", ["reader", "member", "editor"])
def test_only_administrators_see_the_pages_and_change_anything(
    role: str, client: Client, make_user: Any, tenant: Any, default: Assistant
) -> None:
    user = make_user("other@acme.test", tenant=tenant, role=role)
    client.force_login(user)
    for path in ("", "new", "default/edit", "default/delete"):
        assert client.get(f"/models/assistants/{path}").status_code == 403
    headers = {"Authorization": f"Bearer {issue_api_key(user=user, tenant=tenant, name='k')[1]}"}
    for call, path in ((client.post, ""), (client.patch, "/default"), (client.delete, "/default")):
        reply = call(f"/api/v1/assistants{path}", {"name": "x"}, content_type="application/json", headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")
    listed = client.get("/api/v1/assistants", headers=headers).json()["items"]
    assert [row["slug"] for row in listed] == ["default"]
    assert "system_prompt" not in listed[0]


def test_of_another_tenant_nothing_is_there(
    page: Any, client: Client, other_tenant: Any, model: LanguageModel, default: Assistant, api_key: str
) -> None:
    foreign = LanguageModel.objects.create(tenant=other_tenant, slug="f", name="F", model="openai/f", source="added")
    row = ensure_default_assistant(tenant=other_tenant, knowledge_bases=[], language_model=foreign)
    Assistant.objects.filter(pk=row.pk).update(slug="theirs")
    for path in ("theirs/edit", "theirs/delete", f"{row.pk}/edit"):
        assert client.get(f"/models/assistants/{path}").status_code == 404
        reply = client.patch(
            f"/api/v1/assistants/{path.partition('/')[0]}", {"name": "Mine"}, content_type="application/json",
            headers={"Authorization": f"Bearer {api_key}"},
        )  # fmt: skip
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert "no such language model" in page("new", form(model, model=str(foreign.pk)))
    base = KnowledgeBase.objects.create(tenant=other_tenant, name="Theirs", slug="theirs")
    assert "No such knowledge base" in page("new", form(model, knowledge_bases=[str(base.pk)]))


def test_the_api_adds_changes_and_deletes(
    api_key: str, client: Client, model: LanguageModel, base: KnowledgeBase
) -> None:
    def call(method: str, path: str = "", **body: Any) -> Any:
        return getattr(client, method)(
            f"/api/v1/assistants{path}", body, content_type="application/json",
            headers={"Authorization": f"Bearer {api_key}"},
        )  # fmt: skip

    made = call("post", name="Legal", model="big", output_schema=SCHEMA, knowledge_bases=[str(base.pk)])
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["slug"], row["model"], row["output_schema"], row["answer_mode"]) == (
        "legal",
        "big",
        SCHEMA,
        "retrieval",
    )
    assert row["knowledge_bases"] == [str(base.pk)]
    changed = call("patch", f"/{row['id']}", answer_mode="fine_tuned", output_schema=None).json()
    assert (changed["answer_mode"], changed["searches"], changed["output_schema"]) == ("fine_tuned", False, None)
    assert changed["model"] == "big", "what is not sent stays"
    listed = client.get("/api/v1/assistants", headers={"Authorization": f"Bearer {api_key}"}).json()
    assert listed["items"] == [changed]
    refused = call("patch", "/legal", output_schema={"type": "object", "properties": {"a": {"pattern": "x"}}})
    assert (refused.status_code, refused.json()["code"]) == (422, "schema_refused")
    assert call("delete", "/legal").status_code == 204
    assert call("delete", "/legal").status_code == 404


def test_queries_do_not_grow_with_the_assistants(
    page: Any, api_key: str, client: Client, tenant: Any, model: LanguageModel, base: KnowledgeBase, default: Assistant,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for number in range(12):
        row = Assistant.objects.create(tenant=tenant, slug=f"a{number}", name=f"A {number}", language_model=model)
        row.knowledge_bases.set([base])
    with django_assert_max_num_queries(12):
        assert "A 11" in page()
    with django_assert_max_num_queries(10):
        listed = client.get("/api/v1/assistants", headers={"Authorization": f"Bearer {api_key}"}).json()
    assert len(listed["items"]) == 13


def test_a_chosen_model_survives_the_next_start(tenant: Any, model: LanguageModel, default: Assistant) -> None:
    other = LanguageModel.objects.create(tenant=tenant, slug="e", name="E", model="openai/e", source="environment")
    assert ensure_default_assistant(tenant=tenant, knowledge_bases=[], language_model=other).language_model == model
    LanguageModel.objects.filter(pk=model.pk).update(source="built_in")
    assert ensure_default_assistant(tenant=tenant, knowledge_bases=[], language_model=other).language_model == other
