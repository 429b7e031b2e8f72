"""What was live before generations had entries is entered, and nothing else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from migrated import migrate, models_at

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = [("documents", "0005_generations")], [("documents", "0006_index_entries")]

before = models_at(BEFORE)


def test_live_versions_are_entered(before: Any, tenant: Any) -> None:
    def make(name: str, /, **values: Any) -> Any:
        return before.get_model("documents", name).objects.create(**values)

    def document(name: str, *, status: str = "ready", chunks: int = 2, generation: Any = None) -> Any:
        row = make("Document", tenant_id=tenant.pk, knowledge_base=base, name=name, title=name, status=status)
        for number in (1, 2):
            version = make(
                "DocumentVersion", document=row, number=number, filename=name, size=1, sha256="x", chunk_count=chunks
            )
        for ordinal in range(chunks):
            make(
                "Chunk", id=uuid.uuid4(), version=version, generation=generation or live, ordinal=ordinal,
                start=ordinal, end=ordinal + 1,
            )  # fmt: skip
        row.current_version = version
        row.save()
        return version

    base = make("KnowledgeBase", tenant_id=tenant.pk, name="b", slug="b")
    make("KnowledgeBase", tenant_id=tenant.pk, name="empty", slug="empty")
    live, other = (
        make(
            "IndexGeneration", knowledge_base=base, embedding_model="m", dimension=3, model_hash="h",
            precision="float32", space="m_3_00000000", chunker=name, chunker_version="1",
        )
        for name in ("live", "other")
    )  # fmt: skip
    base.live_generation = live
    base.save()
    kept = document("kept")
    document("going", status="deleting")
    document("not indexed", chunks=0)
    document("elsewhere", generation=other)
    after = migrate(AFTER)
    rows = after.get_model("documents", "IndexEntry").objects.values_list("generation", "version", "chunks")
    assert list(rows) == [(live.pk, kept.pk, 2)]
