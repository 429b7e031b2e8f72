"""Versions made before tell who uploaded them where that is known: the first one, by who made the document."""

from __future__ import annotations

from typing import Any

import pytest
from migrated import migrate, models_at

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = [("documents", "0006_index_entries")], [("documents", "0007_validity")]


before = models_at(BEFORE)


def test_only_the_first_version_is_known_to_be_of_who_made_the_document(before: Any, tenant: Any, owner: Any) -> None:
    def make(name: str, /, **values: Any) -> Any:
        return before.get_model("documents", name).objects.create(**values)

    base = make("KnowledgeBase", tenant_id=tenant.pk, name="b", slug="b")
    for name, by in (("known", owner.pk), ("nobody", None)):
        document = make("Document", tenant_id=tenant.pk, knowledge_base=base, name=name, title=name, created_by_id=by)
        for number in (1, 2):
            make("DocumentVersion", document=document, number=number, filename=name, size=1, sha256="x")
    versions = migrate(AFTER).get_model("documents", "DocumentVersion").objects
    rows = versions.order_by("document__name", "number").values_list("document__name", "number", "created_by")
    assert list(rows) == [("known", 1, owner.pk), ("known", 2, None), ("nobody", 1, None), ("nobody", 2, None)]
    assert not versions.filter(restored_from__isnull=False).exists()
