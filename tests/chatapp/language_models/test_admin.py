from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chatapp.language_models.catalogue import add_model
from chatapp.language_models.models import LanguageModel, ModelTest
from knowledge.tenants.access import Actor

pytestmark = pytest.mark.django_db


def test_operators_see_models_and_never_their_keys(client: Client, admin: Actor, make_user: Any) -> None:
    row = add_model(admin, {"provider": "openai", "model": "gpt-5-mini", "secrets": {"api_key": "sk-hunter2"}})
    ModelTest.objects.create(language_model=row, ok=True)
    user = make_user("root@acme.test")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    for path in ("languagemodel/", f"languagemodel/{row.pk}/change/", "modeltest/"):
        page = client.get(f"/admin/language_models/{path}")
        assert page.status_code == 200
        assert "hunter2" not in page.content.decode()
        assert row.sealed not in page.content.decode()
    assert client.get("/admin/language_models/languagemodel/add/").status_code == 403
    changed = {
        "name": "Renamed", "context_window": 9000, "max_output_tokens": 100, "enabled": "on",
        "api_base": "https://elsewhere.example", "model": "openai/other",
    }  # fmt: skip
    client.post(f"/admin/language_models/languagemodel/{row.pk}/change/", changed)
    stored = LanguageModel.objects.get()
    assert (stored.name, stored.api_base, stored.model) == ("Renamed", "", "openai/gpt-5-mini")
    assert stored.sealed == row.sealed
