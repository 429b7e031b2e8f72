"""The operators' pages: upload, process again, delete; nothing that goes around the services."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from knowledge.documents.models import Document, KnowledgeBase

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(make_user: Any) -> Client:
    user = make_user("operator@acme.test")
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def act(client: Client, action: str, *rows: Any) -> None:
    url = reverse(f"admin:documents_{rows[0]._meta.model_name}_changelist")
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    assert client.post(url, data).status_code == 302


def test_upload_is_queued_like_any_other(operator: Client, world: Any) -> None:
    data = {"knowledge_base": str(world.base.pk), "file": SimpleUploadedFile("a.md", b"The otter sleeps.")}
    assert operator.post(reverse("admin:documents_document_add"), data).status_code == 302
    document = Document.objects.get()
    assert (document.tenant, document.name, document.status) == (world.base.tenant, "a.md", "queued")
    world.work()
    page = operator.get(reverse("admin:documents_document_change", args=[document.pk]))
    assert page.status_code == 200
    assert b"a.md" in page.content


def test_refused_upload_says_why(operator: Client, world: Any, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 10
    data = {"knowledge_base": str(world.base.pk), "file": SimpleUploadedFile("a.md", b"The otter sleeps.")}
    answer = operator.post(reverse("admin:documents_document_add"), data)
    assert answer.status_code == 302
    assert "larger than" in str([str(m) for m in get_messages(answer.wsgi_request)])
    assert not Document.objects.exists()


def test_documents_are_processed_again_and_deleted_by_the_services(operator: Client, world: Any) -> None:
    document = world.add("   ", "a.md")
    act(operator, "retry", document)
    document.refresh_from_db()
    assert document.status == "queued"
    act(operator, "delete_everywhere", document)
    world.work()
    assert not Document.objects.exists()


def test_title_changed_by_an_operator_is_searched(operator: Client, world: Any) -> None:
    document = world.add("Thirty days are granted.", "a.txt", title="Vacation")
    url = reverse("admin:documents_document_change", args=[document.pk])
    inline = {f"versions-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}
    answer = operator.post(url, {"title": "Sabbatical", "metadata": "{}", **inline})
    assert answer.status_code == 302, answer.context["adminform"].errors
    assert world.work() == 1
    document.refresh_from_db()
    assert (document.title, document.status) == ("Sabbatical", "ready")
    assert "sabbat" in str(world.stated()[2])


def test_base_goes_with_its_documents(operator: Client, world: Any) -> None:
    world.add("Words.")
    act(operator, "delete_with_documents", world.base)
    world.work()
    assert not KnowledgeBase.objects.exists()


@pytest.mark.parametrize("name", ["documents_document", "documents_knowledgebase", "documents_ingestionjob"])
def test_lists_open_and_offer_no_deletion_of_rows(operator: Client, world: Any, name: str) -> None:
    world.add("Words.")
    page = operator.get(reverse(f"admin:{name}_changelist"))
    assert page.status_code == 200
    if name != "documents_ingestionjob":
        assert b"delete_selected" not in page.content


def test_a_knowledge_base_stays_with_its_tenant(operator: Client, world: Any, other_tenant: Any) -> None:
    data = {"tenant": str(other_tenant.pk), "name": "Renamed", "slug": world.base.slug}
    page = reverse("admin:documents_knowledgebase_change", args=[world.base.pk])
    assert operator.post(page, data).status_code == 302
    stored = KnowledgeBase.objects.get(pk=world.base.pk)
    assert (stored.tenant, stored.name) == (world.base.tenant, "Renamed")
    assert b'name="tenant"' in operator.get(reverse("admin:documents_knowledgebase_add")).content
