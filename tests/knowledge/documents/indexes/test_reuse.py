"""What was embedded of the very same text is not embedded again, and never taken over from where it must not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from knowledge import wiring
from knowledge.documents import files, services
from knowledge.documents.indexes import building, generations, token_files
from knowledge.documents.models import Chunk, Document, IndexJob
from knowledge.reranking.token_vectors import NAME

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every search text that the embedding model was given."""
    from knowledge.ingestion import stages

    real, found = stages.embed, list[str]()

    def embed(search_texts: Any, texts: Any, **more: Any) -> Any:
        found.extend(search_texts)
        return real(search_texts, texts, **more)

    monkeypatch.setattr(stages, "embed", embed)
    return found


def vectors(world: Any, document: Document) -> dict[str, Any]:
    """Return the vectors of a document's live passages by their text."""
    keys = [str(pk) for pk in Chunk.objects.filter(version=document.current_version).values_list("pk", flat=True)]
    return {hit.text: hit.vector for hit in wiring.store().fetch(keys, space=world.space, scope=world.scope)}


def tokens(document: Document) -> bytes:
    version = document.current_version
    version.document = document
    return files.read(version, f"tokens-{NAME}-{document.knowledge_base.live_generation_id}.bin")


def test_new_version_embeds_only_what_changed(world: Any, sections: Callable[..., str], embedded: list[str]) -> None:
    first = world.add(sections("otter", 6), "a.md")
    assert len(embedded) == 6
    made, packed = vectors(world, first), tokens(first)
    del embedded[:]
    second = world.add(sections("otter", 6).replace("number 3", "number thirty"), "a.md")
    assert len(embedded) == 1
    assert "number thirty" in embedded[0]
    now = vectors(world, second)
    assert len(now) == 6
    for text in made.keys() & now.keys():
        np.testing.assert_array_equal(made[text], now[text])
    assert len(made.keys() & now.keys()) == 5
    assert len(tokens(second)) >= len(packed) - 100
    assert world.search("otter rule thirty")[0].version == 2


def test_same_text_in_another_base_costs_nothing(world: Any, sections: Callable[..., str], embedded: list[str]) -> None:
    first = world.add(sections("otter", 4), "a.md")
    other = services.create_knowledge_base(actor=world.actor, name="Moved to")
    del embedded[:]
    second = world.add(sections("otter", 4), "a.md", base=other)
    assert embedded == []
    assert second.status == "ready"
    assert tokens(first) == tokens(second)
    services.delete_document(document=first)
    world.work()
    assert world.add(sections("otter", 5), "a.md", base=other).status == "ready"
    assert len(embedded) == 1


def test_another_title_is_another_text(world: Any, sections: Callable[..., str], embedded: list[str]) -> None:
    world.add(sections("otter", 2), "a.md", title="Rivers")
    del embedded[:]
    world.add(sections("otter", 2), "b.md", title="Lakes")
    assert len(embedded) == 2


def test_generation_with_another_chunker_embeds_only_what_is_cut_otherwise(
    world: Any, sections: Callable[..., str], embedded: list[str]
) -> None:
    world.add(sections("otter", 4), "a.md")
    del embedded[:]
    generation = generations.start(base=world.base, chunker="structural:target=200")
    building.run(job_id=IndexJob.objects.get().pk)
    assert Chunk.objects.filter(generation=generation).count() == 4
    assert embedded == []


def test_nothing_is_taken_over_from_another_tenant(
    world: Any, other_world: Any, sections: Callable[..., str], embedded: list[str]
) -> None:
    world.add(sections("otter", 3), "a.md")
    del embedded[:]
    other_world.add(sections("otter", 3), "a.md")
    assert len(embedded) == 3


def test_nothing_is_taken_over_from_a_deleted_document(
    world: Any, sections: Callable[..., str], embedded: list[str]
) -> None:
    document = world.add(sections("otter", 3), "a.md")
    services.delete_document(document=document)
    world.work()
    del embedded[:]
    world.add(sections("otter", 3), "b.md", title="a.md")
    assert len(embedded) == 3


@pytest.mark.parametrize("damage", ["record", "text of the record", "token vectors"])
def test_what_is_damaged_is_made_anew(
    world: Any, sections: Callable[..., str], embedded: list[str], damage: str
) -> None:
    first = world.add(sections("otter", 3), "a.md", title="t")
    made = vectors(world, first)
    if damage == "record":
        wiring.store().delete(space=world.space, scope=world.scope)
    elif damage == "token vectors":
        first.current_version.document = first
        token_files.forget(first.current_version, first.knowledge_base.live_generation)
    else:
        swap_texts(world, first)
    del embedded[:]
    second = world.add(sections("otter", 3), "b.md", title="t")
    assert len(embedded) == 3
    assert {text: vector.tolist() for text, vector in vectors(world, second).items()} == {
        text: vector.tolist() for text, vector in made.items()
    }


def swap_texts(world: Any, document: Document) -> None:
    """Give every record the text of another, as a record that is being written anew may have it."""
    from knowledge.types import IndexRecord

    rows = list(Chunk.objects.filter(version=document.current_version).order_by("ordinal"))
    hits = {
        hit.key: hit for hit in wiring.store().fetch([str(r.pk) for r in rows], space=world.space, scope=world.scope)
    }
    others = [hits[str(row.pk)] for row in rows[1:] + rows[:1]]
    wiring.store().upsert(
        [
            IndexRecord(
                key=str(row.pk), knowledge_base=str(world.base.pk), generation=str(row.generation_id),
                document=str(document.pk), version=str(row.version_id), ordinal=row.ordinal, text=other.text,
                terms=other.terms, vector=other.vector,
            )
            for row, other in zip(rows, others, strict=True)
        ],
        space=world.space, scope=world.scope,
    )  # fmt: skip
