"""A signed-in window on the search page, over documents that were really ingested."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client


def plain(html: str) -> str:
    """The words of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


class Window:
    """A browser without scripts."""

    def __init__(self, user: Any) -> None:
        self.client = Client()
        self.client.force_login(user)

    def get(self, status: int = 200, **parameters: Any) -> str:
        response = self.client.get("/search/", parameters)
        assert response.status_code == status, response.content[:500]
        return str(response.content.decode())

    def context(self, **parameters: Any) -> Any:
        return self.client.get("/search/", parameters).context


@pytest.fixture
def window() -> Callable[[Any], Window]:
    return Window


@pytest.fixture
def words() -> Callable[[str], str]:
    return plain


@pytest.fixture
def assistant(library: Any) -> Any:
    """The default assistant of the library's tenant. It only quotes: no question is shown to a language model."""
    from chatapp.conversations.services import ensure_default_assistant
    from chatapp.language_models.services import sync_environment_model

    model = sync_environment_model(tenant=library.tenant)
    return ensure_default_assistant(tenant=library.tenant, knowledge_bases=[library.base], language_model=model)


@pytest.fixture
def page(owner: Any, assistant: Any) -> Window:
    """The owner's window."""
    return Window(owner)


@pytest.fixture
def ingest_text(library: Any) -> Callable[[str, str], Any]:
    """Call with a file name and a text to put one more document into the library."""
    from django.core.files.base import ContentFile

    from knowledge.documents import services
    from knowledge.documents.ingest import run_ingest
    from knowledge.tenants.access import system_actor

    def put(filename: str, text: str) -> Any:
        document = services.upload_document(
            actor=system_actor(library.tenant), base=library.base, filename=filename,
            upload=ContentFile(text.encode(), name=filename),
        )  # fmt: skip
        run_ingest(job_id=document.jobs.get().pk)
        document.refresh_from_db()
        assert document.status == "ready", document.error
        return document

    return put
