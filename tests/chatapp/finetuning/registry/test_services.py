"""Promoting, a canary, going back, retiring: what the catalogue's entry stands for, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tuned_world
from django.test import TestCase

from chatapp.conversations.models import Assistant
from chatapp.finetuning.registry import services
from chatapp.finetuning.registry.access import access_version
from chatapp.finetuning.registry.errors import RegistryRefused, VersionNotFound
from chatapp.finetuning.registry.retiring import NOTHING_AFTER, foreseen
from chatapp.finetuning.registry.standing import settle
from chatapp.finetuning.serving.models import ModelServer
from chatapp.language_models.errors import ModelInUse
from chatapp.language_models.models import LanguageModel
from knowledge.errors import NotAllowed

URL = "http://127.0.0.1:9/v1"


def passed(version: Any) -> Any:
    version.gate = {"verdict": "passed", "sentences": []}
    version.save(update_fields=["gate"])
    return version


def alias_of(version: Any) -> LanguageModel:
    return LanguageModel.objects.get(pk=version.fine_tuned_model.language_model_id)


@pytest.fixture
def two(make_version: Callable[..., Any]) -> tuple[Any, Any]:
    """Two versions that are served and have passed."""
    versions = (passed(make_version()), passed(make_version()))
    for version in versions:
        tuned_world.serve(version, url=URL, model=f"m{version.number}")
    return versions


def test_nothing_answers_before_somebody_promotes_it(two: Any, admin: Any) -> None:
    first, _ = two
    assert alias_of(first).target is None
    services.promote(admin, first.pk)
    assert alias_of(first).target == first.language_model


def test_a_version_that_has_not_passed_needs_a_reason_which_is_kept(make_version: Any, admin: Any) -> None:
    version = make_version()
    with pytest.raises(RegistryRefused, match="say why"):
        services.promote(admin, version.pk, force="   ")
    services.promote(admin, version.pk, force="Demo tomorrow")
    event = version.events.get(kind="promoted")
    assert (event.detail["forced"], event.detail["reason"]) == (True, "Demo tomorrow")
    assert "Demo tomorrow" in event.detail["words"]


def test_one_click_goes_back_and_the_one_taken_back_is_not_gone_back_to(two: Any, admin: Any) -> None:
    first, second = two
    services.promote(admin, first.pk)
    services.promote(admin, second.pk)
    model = second.fine_tuned_model
    assert services.roll_back(admin, model) == first
    assert alias_of(first).target == first.language_model
    assert [e.kind for e in second.events.order_by("created")][-1] == "rolled_back"
    with pytest.raises(RegistryRefused, match="no earlier version"):
        services.roll_back(admin, model)


def test_a_canary_takes_its_share_and_ends_with_promotion(two: Any, admin: Any) -> None:
    first, second = two
    services.promote(admin, first.pk)
    services.set_canary(admin, second.pk, 25)
    alias = alias_of(first)
    assert (alias.target, alias.canary, alias.canary_share) == (first.language_model, second.language_model, 25)
    with pytest.raises(RegistryRefused):
        services.set_canary(admin, first.pk, 10)
    services.promote(admin, second.pk)
    alias = alias_of(first)
    assert (alias.target, alias.canary, alias.canary_share) == (second.language_model, None, 0)


def test_a_canary_must_have_passed_and_be_served(make_version: Any, admin: Any) -> None:
    version = make_version()
    with pytest.raises(RegistryRefused, match="not passed"):
        services.set_canary(admin, version.pk, 10)
    passed(version)
    with pytest.raises(RegistryRefused, match="No server"):
        services.set_canary(admin, version.pk, 10)
    with pytest.raises(RegistryRefused, match="0 to 100"):
        services.set_canary(admin, version.pk, 101)


def test_while_a_version_cannot_be_called_the_one_before_answers_then_the_base(two: Any, admin: Any) -> None:
    first, second = two
    services.promote(admin, first.pk)
    services.promote(admin, second.pk)
    base = LanguageModel.objects.create(slug="base", name="Base", model="hosted_vllm/base", source="served")
    ModelServer.objects.create(kind="own", base=second.base, language_model=base)
    for version, expected in ((second, first.language_model), (first, base)):
        LanguageModel.objects.filter(pk=version.language_model_id).update(enabled=False)
        settle(second.fine_tuned_model)
        assert alias_of(first).target == expected
    other = LanguageModel.objects.create(slug="other", name="Other", model="openai/x", source="added")
    LanguageModel.objects.filter(pk=alias_of(first).pk).update(fallback=other)
    settle(second.fine_tuned_model)
    assert alias_of(first).target is None  # the gateway takes the fallback that a person chose
    LanguageModel.objects.filter(pk=second.language_model_id).update(enabled=True)
    settle(second.fine_tuned_model)
    assert alias_of(first).target == second.language_model


def test_a_retired_version_is_gone_from_the_catalogue_and_its_files_where_that_was_asked(
    two: Any, admin: Any, training_dir: Path
) -> None:
    first, second = two
    services.promote(admin, first.pk)
    services.promote(admin, second.pk)
    with pytest.raises(RegistryRefused, match="answers"):
        services.retire(admin, second.pk)
    folder = Path(first.path)
    with TestCase.captureOnCommitCallbacks(execute=True):
        services.retire(admin, first.pk, delete_files=True)
    assert not folder.exists()
    assert training_dir.exists()
    assert not LanguageModel.objects.filter(pk=first.language_model_id).exists()
    with pytest.raises(RegistryRefused, match="retired"):
        services.promote(admin, first.pk)


def test_a_version_that_assistants_answer_with_is_retired_only_where_something_answers_in_its_place(
    two: Any, admin: Any, tenant: Any
) -> None:
    first, second = two
    services.retire(admin, second.pk)
    services.promote(admin, first.pk)
    guide = Assistant.objects.create(tenant=tenant, slug="guide", name="Guide", language_model=first.language_model)
    with pytest.raises(ModelInUse, match="It answers for “Guide”"):
        services.retire(admin, first.pk)
    guide.language_model = alias_of(first)
    guide.save()
    with pytest.raises(ModelInUse, match="“Guide”"):
        services.retire(admin, first.pk)
    other = LanguageModel.objects.create(slug="other", name="Other", model="openai/x", source="added")
    LanguageModel.objects.filter(pk=alias_of(first).pk).update(fallback=other)
    assert services.retire(admin, first.pk).state == "retired"


def test_what_is_foreseen_comes_about(two: Any, admin: Any) -> None:
    first, second = two
    base = LanguageModel.objects.create(slug="base", name="Base", model="hosted_vllm/base", source="served")
    ModelServer.objects.create(kind="own", base=second.base, language_model=base)
    services.promote(admin, first.pk)
    services.promote(admin, second.pk)
    LanguageModel.objects.filter(pk=second.language_model_id).update(enabled=False)
    settle(second.fine_tuned_model)
    assert alias_of(first).target == first.language_model  # which is not the active one

    def look(version: Any) -> str:
        return foreseen(admin, access_version(admin, version.pk)).after

    assert look(first) == "Its base, Base, answers after that."
    services.retire(admin, first.pk)
    assert alias_of(first).target == base
    assert look(second) == NOTHING_AFTER
    services.retire(admin, second.pk)
    assert alias_of(first).target is None


def test_who_may_not_and_who_is_elsewhere(two: Any, admin: Any, other_tenant: Any) -> None:
    from knowledge.tenants.access import system_actor

    first, _ = two
    with pytest.raises(NotAllowed):
        services.promote(replace(admin, role="editor"), first.pk)
    with pytest.raises(VersionNotFound):
        services.promote(system_actor(other_tenant), first.pk)
