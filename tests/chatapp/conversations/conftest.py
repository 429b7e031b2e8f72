"""Sources and stored answers that cite them (``stored_answers``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def actor(owner: Any) -> Any:
    from knowledge.tenants.access import actor_for

    return actor_for(user_id=owner.pk)


@pytest.fixture
def make_base(tenant: Any) -> Callable[..., Any]:
    from knowledge.documents.models import KnowledgeBase

    def make(name: str = "rules") -> Any:
        return KnowledgeBase.objects.create(tenant=tenant, name=name, slug=name)

    return make


@pytest.fixture
def make_source(_parts: None) -> Callable[..., Any]:
    """Call with a base and a name to get a searchable document, without files."""
    from stored_answers import stored_source

    return stored_source


@pytest.fixture
def base(make_base: Any) -> Any:
    return make_base()


@pytest.fixture
def visitors(base: Any, make_source: Any) -> Any:
    return make_source(base, "visitors")


@pytest.fixture
def leave(base: Any, make_source: Any) -> Any:
    return make_source(base, "leave")


@pytest.fixture
def make_answer(actor: Any, tenant: Any, use_model: Any) -> Callable[..., Any]:
    """Call with documents: an answer that cites what each says in one sentence, and ends with one of its own."""
    from stored_answers import stored_answer

    def make(*documents: Any, **more: Any) -> Any:
        use_model(tenant, "scripted-ok")
        return stored_answer(actor, *documents, **more)

    return make
