"""The pages of models: who sees them, what they say, what their forms store, and that no key is ever in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chatapp.conversations.models import Assistant
from chatapp.language_models import catalogue
from chatapp.language_models.keys import keys_of
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.services import sync_environment_model
from knowledge.tenants.access import Actor

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "sk-hunter2-secret"
HOSTED = {"provider": "openai", "model": "gpt-5-mini", "secrets": {"api_key": SECRET}}


@pytest.fixture
def site(client: Client, make_user: Any, tenant: Any) -> Callable[..., Any]:
    """Call with an address below ``/models/``, a form to send it, and who asks; returns the reply it ends at."""

    def ask(path: str = "", form: dict[str, Any] | None = None, *, by: Actor) -> Any:
        from django.contrib.auth import get_user_model

        client.force_login(get_user_model().objects.get(pk=by.user_id))
        address = f"/models/{path}"
        reply = client.get(address) if form is None else client.post(address, form, follow=True)
        assert SECRET not in reply.content.decode()
        return reply

    return ask


def test_a_model_is_added_changed_switched_off_and_deleted(site: Callable[..., Any], admin: Actor) -> None:
    assert "Amazon Bedrock" in site("new/", by=admin).content.decode()
    form = {"model": "gpt-5-mini", "name": "Small", "setting.api_key": SECRET, "option.temperature": "0.2"}
    page = site("new/openai/", form, by=admin).content.decode()
    row = LanguageModel.objects.get()
    assert "“Small” is added" in page
    assert (row.model, row.options, row.tenant_id) == ("openai/gpt-5-mini", {"temperature": 0.2}, admin.tenant_id)
    assert 'API key</dt><dd dir="auto">set' in page
    edit = site(f"{row.pk}/edit", by=admin).content.decode()
    assert 'value="gpt-5-mini"' in edit
    assert "set; leave empty to keep it" in edit
    changed = {
        **form,
        "setting.api_key": "",
        "price_prompt": "0.25",
        "price_completion": "2",
        "context_window": "32000",
    }
    page = site(f"{row.pk}/edit", changed, by=admin).content.decode()
    assert "$0.25 in, $2.00 out" in page
    assert keys_of(LanguageModel.objects.get()) == {"api_key": SECRET}
    assert "switched off" in site(f"{row.pk}/switch", {"enabled": "no"}, by=admin).content.decode()
    assert "switched off" in site(by=admin).content.decode()
    assert "erased" in site(f"{row.pk}/delete", by=admin).content.decode()
    site(f"{row.pk}/delete", {}, by=admin)
    assert not LanguageModel.objects.exists()


def test_what_is_refused_is_told_and_what_was_typed_stays_but_for_keys(site: Callable[..., Any], admin: Actor) -> None:
    form = {"model": "qwen3-4b", "setting.api_base": "http://127.0.0.1:6379/", "setting.api_key": SECRET}
    page = site("new/vllm/", form, by=admin).content.decode()
    assert 'role="alert"' in page
    assert "MODEL_ADDRESSES" in page
    assert 'value="http://127.0.0.1:6379/"' in page
    assert "Share it with every organisation" not in page
    shared = site("new/vllm/", {**form, "shared": "on"}, by=admin)  # not offered, and not taken
    assert "MODEL_ADDRESSES" in shared.content.decode()
    assert not LanguageModel.objects.exists()
    assert site("new/nobody/", by=admin).status_code == 404


def test_a_key_that_goes_with_its_address_is_told(site: Callable[..., Any], admin: Actor, settings: Any) -> None:
    settings.MODEL_ADDRESSES = ["127.0.0.1"]
    form = {"model": "qwen3-4b", "setting.api_base": "http://127.0.0.1:8000/v1", "setting.api_key": SECRET}
    site("new/vllm/", form, by=admin)
    row = LanguageModel.objects.get()
    moved = {**form, "setting.api_base": "http://127.0.0.1:8001/v1", "setting.api_key": ""}
    page = site(f"{row.pk}/edit", moved, by=admin).content.decode()
    assert "the key that was kept for the old one is removed" in page
    assert keys_of(LanguageModel.objects.get()) == {}


def test_an_operator_shares_a_model_of_this_machine(site: Callable[..., Any], operator: Actor, admin: Actor) -> None:
    assert "Share it with every organisation" in site("new/vllm/", by=operator).content.decode()
    form = {"model": "qwen3-4b", "setting.api_base": "http://127.0.0.1:8000/v1", "shared": "on"}
    site("new/vllm/", form, by=operator)
    row = LanguageModel.objects.get()
    assert row.tenant_id is None
    theirs = site(f"{row.pk}/", by=admin).content.decode()
    assert "127.0.0.1" not in theirs  # addresses are for those who may change them
    assert "every organisation" in theirs
    assert "127.0.0.1" in site(f"{row.pk}/", by=operator).content.decode()
    for path in ("edit", "delete"):
        assert site(f"{row.pk}/{path}", by=admin).status_code == 404
    assert site(f"{row.pk}/switch", {"enabled": "no"}, by=admin).status_code == 404


def test_the_address_of_the_environment_is_the_operators(
    site: Callable[..., Any], admin: Actor, operator: Actor, tenant: Any, settings: Any
) -> None:
    settings.LLM_MODEL, settings.LLM_API_BASE = "openai/x", "http://10.0.0.7:8000/v1"
    row = sync_environment_model(tenant=tenant)
    for path in ("", "edit"):
        assert "10.0.0.7" not in site(f"{row.pk}/{path}", by=admin).content.decode()
    assert "10.0.0.7" in site(f"{row.pk}/", by=operator).content.decode()


def test_a_model_in_use_is_not_deleted(site: Callable[..., Any], admin: Actor, tenant: Any) -> None:
    row = catalogue.add_model(admin, HOSTED)
    Assistant.objects.create(tenant=tenant, slug="legal", name="Legal", language_model=row)
    assert "Legal" in site(by=admin).content.decode()
    assert "It answers for “Legal”" in site(f"{row.pk}/delete", {}, by=admin).content.decode()
    assert LanguageModel.objects.exists()


@pytest.mark.parametrize("role", ["member", "reader", "editor"])
def test_who_does_not_administer_changes_nothing(
    site: Callable[..., Any], actor_of: Callable[..., Actor], admin: Actor, role: str
) -> None:
    row = catalogue.add_model(admin, HOSTED)
    someone = actor_of(role)
    seen = 200 if role == "editor" else 403
    for path in ("", f"{row.pk}/"):
        assert site(path, by=someone).status_code == seen
    for path in ("new/", "new/openai/", f"{row.pk}/edit", f"{row.pk}/delete"):
        assert site(path, by=someone).status_code == 403
    for path in ("new/openai/", f"{row.pk}/edit", f"{row.pk}/delete", f"{row.pk}/switch", f"{row.pk}/test"):
        assert site(path, {"model": "x", "enabled": "no"}, by=someone).status_code == 403
    assert LanguageModel.objects.get().enabled


def test_another_organisations_model_is_not_there(
    site: Callable[..., Any], actor_of: Callable[..., Actor], admin: Actor, other_tenant: Any
) -> None:
    row = catalogue.add_model(admin, HOSTED)
    stranger = actor_of("owner", within=other_tenant)
    assert row.name not in site(by=stranger).content.decode()
    for path in (f"{row.pk}/", f"{row.pk}/edit", f"{row.pk}/delete"):
        assert site(path, by=stranger).status_code == 404
    for path in (f"{row.pk}/edit", f"{row.pk}/delete", f"{row.pk}/switch", f"{row.pk}/test"):
        assert site(path, {}, by=stranger).status_code == 404


def test_the_test_is_shown(site: Callable[..., Any], operator: Actor, scripted_model: Any) -> None:
    fields = {"provider": "openai_compatible", "settings": {"api_base": scripted_model.url}, "shared": True}
    row = catalogue.add_model(operator, {**fields, "model": "scripted-able"})
    page = site(f"{row.pk}/test", {}, by=operator).content.decode()
    assert "The model answers" in page
    for words in ("It streams:", "It keeps to a schema", "2 of 2 sentences cite a source", "First word after"):
        assert words in page
    broken = catalogue.add_model(operator, {**fields, "model": "scripted-404"})
    page = site(f"{broken.pk}/test", {}, by=operator).content.decode()
    assert "was not accepted. Check the key" in page
    listed = site(by=operator).content.decode()
    assert "works" in listed
    assert "failed its test" in listed


def test_the_list_asks_the_database_no_more_for_more_models(site: Callable[..., Any], admin: Actor) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    site(by=admin)  # signs in
    counts = []
    for rounds in (1, 6):
        for number in range(rounds):
            catalogue.add_model(admin, {**HOSTED, "name": f"{rounds}-{number}"})
        with CaptureQueriesContext(connection) as queries:
            site(by=admin)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_link_is_shown_to_those_who_edit(client: Client, site: Any, actor_of: Any, admin: Actor) -> None:
    assert 'href="/models/"' in site(by=admin).content.decode()
    site(by=actor_of("reader"))
    assert 'href="/models/"' not in client.get("/search/").content.decode()
