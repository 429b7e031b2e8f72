from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from knowledge.documents import notices, services
from knowledge.documents.signals import document_changed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told() -> Any:
    found: list[dict[str, Any]] = []

    def listen(*, tenant_id: str, payload: dict[str, Any], **_: object) -> None:
        found.append({**payload, "tenant": tenant_id})

    document_changed.connect(listen, weak=False)
    return found


def test_page_is_told_of_every_stage_in_order(world: Any, told: list[dict[str, Any]]) -> None:
    document = world.add("The secret otter sleeps.", "a.md")
    services.delete_document(document=document)
    assert [notice["status"] for notice in told] == ["queued", "parsing", "embedding", "ready", "deleting"]
    assert told[3] == {
        "type": "document.progress", "document": str(document.pk), "knowledge_base": str(world.base.pk),
        "title": "a.md", "status": "ready", "stage_progress": 1.0, "error": "", "retry": False, "chunks": 1,
        "tenant": str(world.actor.tenant_id),
    }  # fmt: skip
    assert "secret" not in str(told)


def test_failure_is_told_in_words(world: Any, told: list[dict[str, Any]]) -> None:
    world.add(b"%PDF-1.7\nbroken", "a.pdf")
    assert told[-1]["status"] == "failed"
    assert "damaged" in told[-1]["error"]
    assert told[-1]["retry"] is False


def test_nothing_is_told_of_a_change_that_is_undone(world: Any, told: list[dict[str, Any]]) -> None:
    document = world.upload("Words.")
    told.clear()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        notices.changed(document)
        raise ZeroDivisionError
    assert told == []


def test_listener_that_fails_undoes_nothing(world: Any, told: list[dict[str, Any]]) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("listener")

    document_changed.connect(broken, weak=False)
    assert world.add("Words.").status == "ready"
    assert told[-1]["status"] == "ready"
