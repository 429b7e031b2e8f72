"""Documents of the release before were analysed as English, and are searched that way."""

from __future__ import annotations

from typing import Any

import pytest
from migrated import migrate, models_at

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = [("documents", "0002_failed_for_good")], [("documents", "0003_languages")]


before = models_at(BEFORE)


def test_what_is_indexed_counts_as_english(before: Any, tenant: Any) -> None:
    def make(name: str, /, **values: Any) -> Any:
        return before.get_model("documents", name).objects.create(**values)

    base = make("KnowledgeBase", tenant_id=tenant.pk, name="b", slug="b")
    make(
        "IndexGeneration", knowledge_base=base, embedding_model="m", dimension=3, model_hash="h", precision="float32",
        space="m_3_00000000", chunker="c", chunker_version="1",
    )  # fmt: skip
    document = make("Document", tenant_id=tenant.pk, knowledge_base=base, name="d", title="d")
    make("DocumentVersion", document=document, number=1, filename="d", size=1, sha256="x")
    after = migrate(AFTER)
    assert after.get_model("documents", "IndexGeneration").objects.get().languages == ["en"]
    assert after.get_model("documents", "DocumentVersion").objects.get().language == ""
