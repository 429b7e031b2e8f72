"""Words of the release before move into snapshots and back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.utils import timezone
from migrated import migrate, models_at

from chatapp.conversations.snapshots import address_of

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = [("conversations", "0006_repair")], [("conversations", "0007_snapshots")]


before = models_at(BEFORE)


def test_words_move_into_snapshots_and_back(before: Any, tenant: Any, owner: Any) -> None:
    def make(name: str, **fields: Any) -> Any:
        return before.get_model("conversations", name).objects.create(**fields)

    base, document = uuid.uuid4(), uuid.uuid4()
    conversation = make("Conversation", tenant_id=tenant.pk, user_id=owner.pk, title="t")
    for number in range(2):
        asked, said = (make("Message", conversation=conversation, role=role) for role in ("user", "assistant"))
        run = make(
            "AnswerRun", tenant_id=tenant.pk, conversation=conversation, question=asked, answer=said,
            heartbeat=timezone.now(), knowledge_bases=[str(base)] * (number + 1),
        )  # fmt: skip
        for label, text in (("S1", "the same words"), ("S2", f"words {number}"), ("S3", "")):
            make(
                "ContextPassage", run=run, label=label, key=uuid.uuid4(), document_ref=document, version=1, title="t",
                start=0, end=9, text=text, score=1,
            )  # fmt: skip
    after = migrate(AFTER)
    snapshots = after.get_model("conversations", "PassageSnapshot").objects
    passages = after.get_model("conversations", "ContextPassage").objects
    assert sorted(snapshots.values_list("text", flat=True)) == ["", "the same words", "words 0", "words 1"]
    assert snapshots.get(text="words 1").address == address_of(document, "words 1")
    assert set(passages.filter(snapshot__text="words 0").values_list("base_ref", flat=True)) == {base}
    assert set(passages.filter(snapshot__text="words 1").values_list("base_ref", flat=True)) == {None}
    back = migrate(BEFORE)
    texts = back.get_model("conversations", "ContextPassage").objects.order_by("pk").values_list("text", flat=True)
    assert list(texts) == ["the same words", "words 0", "", "the same words", "words 1", ""]
