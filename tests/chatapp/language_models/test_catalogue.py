"""Adding, changing and removing entries: who may, where addresses may lead, and that keys stay with theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatapp.conversations.models import Assistant
from chatapp.language_models import access, catalogue
from chatapp.language_models.errors import ModelInUse, ModelMisconfigured, ModelNotFound
from chatapp.language_models.keys import key_names, keys_of
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.services import model_settings
from knowledge.errors import ModelNotConfigured, NotAllowed
from knowledge.tenants.access import Actor

pytestmark = pytest.mark.django_db

HOSTED = {"provider": "openai", "model": "gpt-5-mini", "secrets": {"api_key": "sk-hunter2"}}
PUBLIC = "https://93.184.216.34/v1"  # an address itself: nothing is looked up


def server(address: str = PUBLIC, **more: Any) -> dict[str, Any]:
    return {"provider": "vllm", "model": "qwen3-4b", "settings": {"api_base": address}, **more}


def test_a_hosted_model_is_added_and_called_with_its_own_key(admin: Actor) -> None:
    fields = {**HOSTED, "name": "Small", "options": {"temperature": 0.5}, "context_window": 32_000}
    row = catalogue.add_model(admin, fields)
    assert (row.slug, row.model, row.source, row.tenant_id) == ("small", "openai/gpt-5-mini", "added", admin.tenant_id)
    assert "hunter2" not in row.sealed
    assert key_names(row) == ["api_key"]
    used = model_settings(row)
    assert (used.api_key, used.api_base, used.context_window) == ("sk-hunter2", None, 32_000)
    assert dict(used.extra) == {"temperature": 0.5}
    assert "hunter2" not in repr(used)


def test_secrets_of_a_provider_with_several_reach_the_call_by_their_names(admin: Actor) -> None:
    secrets = {"aws_access_key_id": "AKIAABCDEFGHIJKLMNOP", "aws_secret_access_key": "hunter2"}
    row = catalogue.add_model(
        admin,
        {
            "provider": "bedrock",
            "model": "x.y-v1:0",
            "settings": {"aws_region_name": "eu-central-1"},
            "secrets": secrets,
        },
    )
    assert row.options == {"aws_region_name": "eu-central-1"}
    used = model_settings(row)
    assert used.api_key is None
    assert dict(used.extra) == {**secrets, "aws_region_name": "eu-central-1"}


@pytest.mark.parametrize("role", ["editor", "member", "reader"])
def test_only_administrators_change_models(actor_of: Callable[..., Actor], admin: Actor, role: str) -> None:
    actor = actor_of(role)
    with pytest.raises(NotAllowed):
        catalogue.add_model(actor, HOSTED)
    row = catalogue.add_model(admin, HOSTED)
    for refused in (
        lambda: catalogue.edit_model(actor, row, {"name": "Mine"}),
        lambda: catalogue.remove_model(actor, row),
    ):
        with pytest.raises(NotAllowed):
            refused()


def test_another_organisation_neither_sees_nor_changes_it(
    actor_of: Callable[..., Actor], admin: Actor, other_tenant: Any
) -> None:
    row = catalogue.add_model(admin, HOSTED)
    stranger = actor_of("owner", within=other_tenant)
    assert row not in access.visible_models(stranger)
    for pk in (row.pk, 999_999, "x", "1" * 30):
        with pytest.raises(ModelNotFound):
            access.access_model(stranger, pk)
    with pytest.raises(NotAllowed):
        catalogue.edit_model(stranger, row, {"enabled": False})


def test_shared_models_are_the_operators(
    admin: Actor, operator: Actor, actor_of: Callable[..., Actor], other_tenant: Any
) -> None:
    with pytest.raises(NotAllowed):
        catalogue.add_model(admin, {**HOSTED, "shared": True})
    row = catalogue.add_model(operator, server("http://127.0.0.1:8000/v1", shared=True))
    assert row.tenant_id is None
    assert row in access.visible_models(actor_of("owner", within=other_tenant))
    assert model_settings(row).api_base == "http://127.0.0.1:8000/v1"
    with pytest.raises(NotAllowed):
        catalogue.edit_model(admin, row, {"enabled": False})
    catalogue.edit_model(operator, row, {"enabled": False})
    assert not LanguageModel.objects.get(pk=row.pk).enabled


INSIDE = (
    "http://127.0.0.1:8000/v1", "http://localhost:11434", "http://10.0.0.7/v1", "http://169.254.169.254/latest",
    "http://[::1]/v1", "http://[::ffff:127.0.0.1]/", "https://93.184.216.34:6379/", "ftp://93.184.216.34/", "http://0/",
    "http://user:pass@93.184.216.34/", "http://93.184.216.34/v1?x=1",
)  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_organisations_own_model_does_not_reach_inside(admin: Actor, address: str) -> None:
    with pytest.raises(ModelMisconfigured) as refused:
        catalogue.add_model(admin, server(address))
    assert refused.value.field == "api_base"
    assert not LanguageModel.objects.exists()


def test_the_operator_may_open_an_address_and_close_it_again(admin: Actor, settings: Any) -> None:
    settings.MODEL_ADDRESSES = ["127.0.0.1:8000"]
    row = catalogue.add_model(admin, server("http://127.0.0.1:8000/v1/"))
    assert row.api_base == "http://127.0.0.1:8000/v1"
    assert model_settings(row).api_base == row.api_base
    with pytest.raises(ModelMisconfigured, match="MODEL_ADDRESSES"):
        catalogue.add_model(admin, server("http://127.0.0.1:8001/v1"))
    settings.MODEL_ADDRESSES = []
    with pytest.raises(ModelNotConfigured, match="internal address"):
        model_settings(row)


def test_a_name_that_leads_inside_later_is_not_called(admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    from knowledge.egress import resolving

    monkeypatch.setattr(resolving, "system_resolver", lambda host, seconds: ["93.184.216.34"])
    row = catalogue.add_model(admin, {**server("https://models.example.org/v1"), "provider": "openai_compatible"})
    assert model_settings(row).api_base == "https://models.example.org/v1"
    monkeypatch.setattr(resolving, "system_resolver", lambda host, seconds: ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(ModelNotConfigured, match="internal address"):
        model_settings(row)
    # So it is with what a provider trained through it, yet not with what is served here.
    row.source = "fine_tuned"
    with pytest.raises(ModelNotConfigured, match="internal address"):
        model_settings(row)
    row.provider, row.api_base = "footnote", "http://127.0.0.1:8100/v1"
    assert model_settings(row).api_base == "http://127.0.0.1:8100/v1"


def test_a_key_stays_with_its_address(admin: Actor) -> None:
    row = catalogue.add_model(admin, server(secrets={"api_key": "hunter2"}))
    same = catalogue.edit_model(admin, row, {"settings": {"api_base": PUBLIC + "/"}, "name": "Renamed"})
    assert keys_of(same) == {"api_key": "hunter2"}
    moved = catalogue.edit_model(admin, row, {"settings": {"api_base": "https://93.184.216.35/v1"}})
    assert moved.sealed == ""
    assert model_settings(moved).api_key is None
    again = catalogue.edit_model(
        admin, row, {"settings": {"api_base": PUBLIC}, "secrets": {"api_key": "new"}}
    )  # fmt: skip
    assert keys_of(again) == {"api_key": "new"}
    assert keys_of(catalogue.edit_model(admin, row, {"secrets": {"api_key": ""}})) == {}


def test_a_key_that_is_needed_is_asked_for_again_when_the_address_changes(admin: Actor) -> None:
    azure = {
        "provider": "azure", "model": "dep", "settings": {"api_base": "https://93.184.216.34", "api_version": "2024-10-21"},
        "secrets": {"api_key": "hunter2"},
    }  # fmt: skip
    row = catalogue.add_model(admin, azure)
    elsewhere = {"api_base": "https://93.184.216.35", "api_version": "2024-10-21"}
    with pytest.raises(ModelMisconfigured, match="enter the key again"):
        catalogue.edit_model(admin, row, {"settings": elsewhere})
    assert LanguageModel.objects.get().api_base == "https://93.184.216.34"
    assert keys_of(LanguageModel.objects.get()) == {"api_key": "hunter2"}
    with pytest.raises(ModelMisconfigured, match="API key is missing"):
        catalogue.edit_model(admin, row, {"secrets": {"api_key": ""}})


def test_keys_under_another_secret_key_are_asked_for_in_words(admin: Actor, settings: Any) -> None:
    row = catalogue.add_model(admin, HOSTED)
    settings.SECRET_KEY = "another one altogether"
    with pytest.raises(ModelNotConfigured, match="Enter them again"):
        model_settings(row)
    catalogue.edit_model(admin, row, {"secrets": {"api_key": "new"}})
    assert model_settings(LanguageModel.objects.get()).api_key == "new"


def test_a_fallback_ends_somewhere(admin: Actor, operator: Actor) -> None:
    first, second, third = (catalogue.add_model(admin, {**HOSTED, "name": name}) for name in ("A", "B", "C"))
    catalogue.edit_model(admin, first, {"fallback": second.pk})
    catalogue.edit_model(admin, second, {"fallback": str(third.pk)})
    with pytest.raises(ModelMisconfigured, match="itself"):
        catalogue.edit_model(admin, third, {"fallback": third.pk})
    with pytest.raises(ModelMisconfigured, match="falls back to this model already"):
        catalogue.edit_model(admin, third, {"fallback": first.pk})
    shared = catalogue.add_model(operator, {**HOSTED, "shared": True})
    with pytest.raises(ModelMisconfigured, match="shared one"):
        catalogue.edit_model(operator, shared, {"fallback": first.pk})
    with pytest.raises(ModelMisconfigured, match="no such model"):
        catalogue.edit_model(admin, third, {"fallback": 999_999})
    assert catalogue.edit_model(admin, third, {"fallback": shared.pk}).fallback == shared
    assert catalogue.edit_model(admin, third, {"fallback": ""}).fallback is None


def test_what_the_environment_says_is_not_changed_here(admin: Actor, tenant: Any, settings: Any) -> None:
    from chatapp.language_models.services import sync_environment_model

    settings.LLM_MODEL, settings.LLM_API_KEY = "openai/x", "operators-key"
    row = sync_environment_model(tenant=tenant)
    stolen = {"settings": {"api_base": PUBLIC}}
    for refused in (
        stolen,
        {"model": "y"},
        {"options": {"seed": 1}},
        {"name": "Mine"},
        {"sealed": ""},
        {"source": "added"},
    ):
        with pytest.raises(ModelMisconfigured, match="not changed here"):
            catalogue.edit_model(admin, row, refused)
    catalogue.edit_model(admin, row, {"price_prompt": "1", "price_completion": "2", "max_parallel": 4})
    assert LanguageModel.objects.get(pk=row.pk).max_parallel == 4
    with pytest.raises(ModelInUse, match="Switch it off"):
        catalogue.remove_model(admin, row)


def test_deleting_one_that_is_used_says_by_whom(admin: Actor, operator: Actor, tenant: Any, other_tenant: Any) -> None:
    row = catalogue.add_model(operator, {**HOSTED, "shared": True})
    ours = Assistant.objects.create(tenant=tenant, slug="a", name="Legal", language_model=row)
    theirs = Assistant.objects.create(tenant=other_tenant, slug="a", name="Secret project", language_model=row)
    with pytest.raises(ModelInUse, match="“Legal” and 1 of other organisations") as refused:
        catalogue.remove_model(operator, row)
    assert "Secret project" not in refused.value.message
    ours.delete()
    with pytest.raises(ModelInUse, match="answers for 1 of other organisations"):
        catalogue.remove_model(operator, row)
    theirs.delete()
    catalogue.remove_model(operator, row)
    assert not LanguageModel.objects.exists()


def test_short_names_stay_apart(admin: Actor, operator: Actor) -> None:
    slugs = [catalogue.add_model(admin, {**HOSTED, "name": "Small"}).slug for _ in range(3)]
    slugs.append(catalogue.add_model(operator, {**HOSTED, "name": "Small", "shared": True}).slug)
    assert slugs == ["small", "small-2", "small-3", "small-4"]
    assert catalogue.add_model(admin, {**HOSTED, "name": "日本"}).slug == "model"
    assert catalogue.add_model(admin, {**HOSTED, "name": "Environment"}).slug == "environment-2"


def test_an_answer_must_fit_the_window(admin: Actor) -> None:
    with pytest.raises(ModelMisconfigured, match="shorter than the context window"):
        catalogue.add_model(admin, {**HOSTED, "context_window": 1024, "max_output_tokens": 1024})
