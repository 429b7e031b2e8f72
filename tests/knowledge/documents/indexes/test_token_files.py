"""The token vectors of a version live and die with it, and a search does without them where they are missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage, default_storage

from knowledge import wiring
from knowledge.documents import files, services
from knowledge.documents.indexes import reconcile, token_files
from knowledge.documents.models import Chunk, Document
from knowledge.reranking import RerankCandidate

pytestmark = pytest.mark.django_db(transaction=True)


def candidates(document: Document) -> list[RerankCandidate]:
    rows = Chunk.objects.filter(version=document.current_version).order_by("ordinal")
    return [
        RerankCandidate(
            key=str(row.pk), tenant=str(document.tenant_id), document=str(document.pk), version_id=str(row.version_id),
            generation=str(row.generation_id), ordinal=row.ordinal, title="", heading_path=(), text="", terms="",
            keyword=0.0, cosine=0.0, fused=0.0,
        )
        for row in rows
    ]  # fmt: skip


def token_paths(document: Document) -> list[Path]:
    return sorted(Path(default_storage.path(f"{document.tenant_id}/{document.pk}")).rglob("tokens-*.bin"))


def test_every_chunk_has_its_vectors(world: Any, sections: Callable[..., str]) -> None:
    document = world.add(sections("otter", 70))  # more than one batch
    other = world.add("The heron stands still.", "heron.md")
    found = token_files.stored([*candidates(document), *candidates(other)])
    assert len(found) == 71
    assert all(vectors is not None and len(vectors.signs) and len(vectors.sentences) for vectors in found)
    (path,) = token_paths(other)
    assert path.stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert list(path.parent.glob(".new-*")) == []


def test_the_search_reranks_with_them(world: Any) -> None:
    world.add("Visitors leave their car at the north gate.", "cars.md")
    world.add("Lunch is served from noon to two.", "lunch.md")
    (passage, *_) = world.search("Where do guests park their vehicles?")
    assert passage.title == "cars.md"
    assert passage.scores["rerank"] > 0
    assert passage.score == pytest.approx((passage.scores["fused"] + passage.scores["rerank"]) / 2)


def test_missing_and_damaged_files_are_done_without(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    document = world.add("Visitors leave their car at the north gate.", "cars.md")
    (path,) = token_paths(document)
    path.write_bytes(path.read_bytes()[:40])
    assert token_files.stored(candidates(document)) == [None]
    assert "manage.py rebuild" in caplog.text
    path.unlink()
    assert token_files.stored(candidates(document)) == [None]
    assert world.search("Where do guests park?")[0].scores["rerank"] > 0, "made anew for the search"
    world.base.refresh_from_db()
    reconcile.rebuild(base=world.base)
    assert token_files.stored(candidates(document)) != [None]


def test_they_go_with_their_document(world: Any) -> None:
    document = world.add("Visitors leave their car at the north gate.", "cars.md")
    assert token_paths(document)
    services.delete_document(document=document)
    world.work()
    assert token_paths(document) == []


def test_a_document_deleted_during_a_rebuild_leaves_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("Visitors leave their car at the north gate.", "cars.md")
    real = token_files.files.write_from

    def late(version: Any, name: str, path: Path) -> None:
        services.delete_document(document=document)
        world.work()
        real(version, name, path)

    monkeypatch.setattr(token_files.files, "write_from", late)
    world.base.refresh_from_db()
    assert reconcile.rebuild(base=world.base) == (1, 0)
    left = Path(default_storage.path(f"{document.tenant_id}/{document.pk}")).rglob("*")
    assert [path for path in left if path.is_file()] == []


def test_without_token_states_there_is_no_file(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    local = wiring.embedder()

    class Plain:
        """An embedder like a hosted one: vectors only."""

        spec, embed_query, count_tokens = local.spec, local.embed_query, local.count_tokens
        embed_passages = staticmethod(local.embed_passages)

    monkeypatch.setattr(wiring, "embedder", Plain)
    monkeypatch.setattr(wiring, "embedder_for", lambda **_: Plain())
    document = world.add("Visitors leave their car at the north gate.", "cars.md")
    assert document.status == "ready"
    assert token_paths(document) == []


def test_another_storage_than_a_folder(world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = world.add("Visitors leave their car at the north gate.", "cars.md")
    (path,) = token_paths(document)
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(files, "default_storage", InMemoryStorage())
    monkeypatch.setattr(files, "_is_local", lambda: False)
    assert token_files.stored(candidates(document)) == [None]
    for _ in range(2):
        files.write_from(document.current_version, path.name, copy)
        assert token_files.stored(candidates(document)) != [None]


@pytest.mark.parametrize("path", ["../secret-key", "/etc/hostname", "a/../../b"])
def test_nothing_outside_the_storage_is_read(path: str) -> None:
    with pytest.raises(ValueError, match="below the storage"), files.reading(path):
        pass
