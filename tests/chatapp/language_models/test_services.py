from __future__ import annotations

from typing import Any

import pytest

from chatapp.conversations.models import Assistant
from chatapp.conversations.services import ensure_default_assistant
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.services import EXTRACTIVE, model_settings, sync_environment_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(settings: Any) -> Any:
    settings.LLM_MODEL, settings.LLM_API_BASE, settings.LLM_API_KEY = (
        "openai/some-model",
        "http://models.test/v1",
        "key",
    )
    return settings


def test_without_configuration_the_extractive_model_answers(tenant: Any, settings: Any) -> None:
    settings.LLM_MODEL = ""
    model = sync_environment_model(tenant=tenant)
    assert (model.model, model.source) == (EXTRACTIVE, "built_in")
    assert sync_environment_model(tenant=tenant) == model
    assert LanguageModel.objects.count() == 1


def test_the_environment_names_the_model(tenant: Any, environment: Any) -> None:
    environment.LLM_CONTEXT_WINDOW, environment.LLM_MAX_OUTPUT_TOKENS = 32_000, 500
    model = sync_environment_model(tenant=tenant)
    used = model_settings(model)
    assert (used.model, used.api_base, used.api_key) == ("openai/some-model", "http://models.test/v1", "key")
    assert (used.context_window, used.max_output_tokens) == (32_000, 500)
    environment.LLM_MODEL = "openai/other"
    assert sync_environment_model(tenant=tenant).pk == model.pk
    assert LanguageModel.objects.get(slug="environment").model == "openai/other"


def test_native_citations_are_off_until_the_environment_or_an_administrator_turns_them_on(
    tenant: Any, environment: Any
) -> None:
    model = sync_environment_model(tenant=tenant)
    assert model_settings(model).native_citations is False
    environment.LLM_NATIVE_CITATIONS = True
    assert model_settings(sync_environment_model(tenant=tenant)).native_citations is True
    built_in = LanguageModel.objects.get(slug="extractive")
    assert model_settings(built_in).native_citations is False
    built_in.native_citations = True
    built_in.save()
    sync_environment_model(tenant=tenant)
    built_in.refresh_from_db()
    assert model_settings(built_in).native_citations is True


def test_a_model_that_left_the_environment_leaves_the_catalogue(tenant: Any, environment: Any) -> None:
    used = sync_environment_model(tenant=tenant)
    assistant = ensure_default_assistant(tenant=tenant, knowledge_bases=[], language_model=used)
    environment.LLM_MODEL = ""
    built_in = sync_environment_model(tenant=tenant)
    assistant.refresh_from_db()
    assert assistant.language_model is None
    ensure_default_assistant(tenant=tenant, knowledge_bases=[], language_model=built_in)
    assert Assistant.objects.get().language_model == built_in
    assert [model.slug for model in LanguageModel.objects.all()] == ["extractive"]


def test_the_key_of_the_environment_goes_to_no_other_model(tenant: Any, environment: Any) -> None:
    elsewhere = LanguageModel.objects.create(
        tenant=tenant, slug="x", name="x", model="openai/x", api_base="http://elsewhere.test", source="built_in"
    )
    assert model_settings(elsewhere).api_key is None


def test_keys_are_in_no_row_and_no_representation(tenant: Any, environment: Any) -> None:
    environment.LLM_API_KEY = "very-secret"
    model = sync_environment_model(tenant=tenant)
    assert "very-secret" not in str(LanguageModel.objects.filter(pk=model.pk).values().get())
    assert "very-secret" not in repr(model_settings(model))


def test_deadlines_come_from_the_settings(tenant: Any, settings: Any) -> None:
    settings.FIRST_TOKEN_SECONDS, settings.TOKEN_GAP_SECONDS, settings.ANSWER_SECONDS = 1.5, 2.5, 9.0
    deadlines = model_settings(sync_environment_model(tenant=tenant)).deadlines
    assert (deadlines.first_token, deadlines.gap, deadlines.total) == (1.5, 2.5, 9.0)


def test_a_long_model_name_fits_the_catalogue(tenant: Any, environment: Any) -> None:
    environment.LLM_MODEL = "openai/" + "x" * 280
    model = sync_environment_model(tenant=tenant)
    model.full_clean(exclude=["api_base"])
    assert model.model == environment.LLM_MODEL


def test_bases_of_the_default_assistant_are_set_once(tenant: Any) -> None:
    from knowledge.documents.services import create_knowledge_base
    from knowledge.tenants.access import system_actor

    bases = [create_knowledge_base(actor=system_actor(tenant), name=name) for name in ("one", "two")]
    model = sync_environment_model(tenant=tenant)
    assistant = ensure_default_assistant(tenant=tenant, knowledge_bases=bases[:1], language_model=model)
    again = ensure_default_assistant(tenant=tenant, knowledge_bases=bases, language_model=model)
    assert again == assistant
    assert list(again.knowledge_bases.all()) == bases[:1]
