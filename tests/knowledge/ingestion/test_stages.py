"""Each stage alone, with parts small enough to see through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from knowledge.chunking.structural import StructuralChunker
from knowledge.errors import DocumentWithoutText, IndexMismatch
from knowledge.ingestion import stages
from knowledge.ingestion.stages import Target
from knowledge.stores.lance import LanceStore
from knowledge.types import Block, BlockKind, ChunkRange, EmbeddingSpec, ParsedDocument, Scope, Vector

SPACE = "test_4_00000000"


class CountingEmbedder:
    """Vectors that say how long a text is; remembers what it was given."""

    spec = EmbeddingSpec(model="test", dimension=4, model_hash="0", precision="float32", max_tokens=254)

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        self.seen.append(list(texts))
        vectors = np.array([[1.0, len(text), 0.0, 0.0] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_query(self, text: str) -> Vector:
        return self.embed_passages([text])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


@pytest.fixture
def target() -> Target:
    tenant, base, document, version, generation = (str(uuid4()) for _ in range(5))
    return Target(
        scope=Scope(tenant=tenant, knowledge_bases=frozenset({base}), documents=frozenset({document})),
        knowledge_base=base, document=document, version=version, generation=generation, space=SPACE, title="Otters",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> LanceStore:
    return LanceStore(tmp_path / "lance")


@pytest.fixture
def cut() -> Callable[[int], tuple[str, list[ChunkRange]]]:
    """Call with a number to get a text and as many ranges of it."""

    def make(count: int) -> tuple[str, list[ChunkRange]]:
        parts = [f"The otter number {n} sleeps." for n in range(count)]
        ranges, at = [], 0
        for ordinal, part in enumerate(parts):
            ranges.append(ChunkRange(ordinal=ordinal, start=at, end=at + len(part), heading_path=("Rest",)))
            at += len(part) + 1
        return "\n".join(parts), ranges

    return make


def parsed(text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> ParsedDocument:
    blocks = (Block(ordinal=0, kind=kind, start=0, end=len(text)),) if text else ()
    return ParsedDocument(text=text, blocks=blocks, parser="text", parser_version="1", media_type="text/plain")


def test_chunk_keys_follow_from_the_rows_and_never_meet(target: Target) -> None:
    key = stages.chunk_key(version=target.version, generation=target.generation, ordinal=3)
    assert key == stages.chunk_key(version=target.version, generation=target.generation, ordinal=3)
    assert str(UUID(key)) == key
    others = {
        stages.chunk_key(version=version, generation=generation, ordinal=ordinal)
        for version in (target.version, str(uuid4()))
        for generation in (target.generation, str(uuid4()))
        for ordinal in range(20)
    }
    assert len(others) == 80


@pytest.mark.parametrize(
    "document", [parsed(""), parsed("Page 1 of 9", BlockKind.FURNITURE)], ids=["empty", "furniture"]
)
def test_document_with_nothing_to_index_is_refused(document: ParsedDocument) -> None:
    with pytest.raises(DocumentWithoutText):
        stages.chunk(document, title="t", chunker=StructuralChunker(), embedder=CountingEmbedder())


def test_ranges_cover_the_text(target: Target) -> None:
    text = "The otter sleeps at noon."
    [found] = stages.chunk(parsed(text), title="t", chunker=StructuralChunker(), embedder=CountingEmbedder())
    assert text[found.start : found.end] == text


def test_terms_hold_title_headings_and_exactly_the_range(target: Target) -> None:
    text = "alpha beta gamma"
    [terms] = stages.terms_of(text, [ChunkRange(ordinal=0, start=6, end=10, heading_path=("Delta",))], target=target)
    assert terms.split() == ["otter", "delta", "beta"]


def test_context_takes_the_place_of_title_and_headings(target: Target) -> None:
    r = ChunkRange(ordinal=0, start=0, end=4, heading_path=("Delta",), context="Otter > Delta\nName | Price")
    [terms] = stages.terms_of("beta", [r], target=target)
    assert terms.split() == ["otter", "delta", "name", "price", "beta"]
    assert stages.search_text_of(r, "beta", title="Otter") == "Otter > Delta\nName | Price\nbeta"
    bare = replace(r, context="")
    assert stages.terms_of("beta", [bare], target=target) == ["beta"]
    assert stages.search_text_of(bare, "beta", title="Otter") == "beta"
    assert stages.search_text_of(replace(r, context=None), "beta", title="Otter") == "Otter > Delta\nbeta"


def test_terms_are_counted_once_a_chunk_and_all_for_the_length() -> None:
    counts = stages.count_terms(["otter otter river", "otter", ""])
    assert (counts.chunks, counts.terms) == (3, 4)
    assert counts.document_frequency == {"otter": 2, "river": 1}


def test_terms_longer_than_their_column_are_cut_and_counted_once() -> None:
    counts = stages.count_terms(["x" * 64 + "a " + "x" * 64 + "b"])
    assert counts.document_frequency == {"x" * 64: 1}
    assert counts.terms == 2


def test_batches_are_written_and_counted_off(target: Target, store: LanceStore, cut: Any) -> None:
    text, ranges = cut(130)
    embedder = CountingEmbedder()
    terms = stages.terms_of(text, ranges, target=target)
    done = list(stages.write(text, ranges, terms, target=target, embedder=embedder, store=store))
    assert done == [64, 128, 130]
    assert [len(batch) for batch in embedder.seen] == [64, 64, 2]
    assert embedder.seen[0][0].endswith("The otter number 0 sleeps.")
    assert "Otters" in embedder.seen[0][0]
    keys = [stages.chunk_key(version=target.version, generation=target.generation, ordinal=n) for n in (0, 129)]
    hits = {hit.key: hit for hit in store.fetch(keys, space=SPACE, scope=target.scope)}
    assert hits[keys[1]].text == "The otter number 129 sleeps."
    assert hits[keys[1]].terms == terms[129]
    assert (hits[keys[0]].document, hits[keys[0]].version) == (target.document, target.version)


def test_context_is_embedded_and_the_exact_text_is_stored(target: Target, store: LanceStore, cut: Any) -> None:
    text, ranges = cut(2)
    ranges[1] = replace(ranges[1], context="Otters > Rest\nName | Habit")
    embedder = CountingEmbedder()
    terms = stages.terms_of(text, ranges, target=target)
    list(stages.write(text, ranges, terms, target=target, embedder=embedder, store=store))
    assert embedder.seen[0][1] == "Otters > Rest\nName | Habit\nThe otter number 1 sleeps."
    key = stages.chunk_key(version=target.version, generation=target.generation, ordinal=1)
    [hit] = store.fetch([key], space=SPACE, scope=target.scope)
    assert hit.text == "The otter number 1 sleeps."
    assert "habit" in hit.terms.split()


def test_writing_twice_overwrites(target: Target, store: LanceStore, cut: Any) -> None:
    text, ranges = cut(5)
    terms = stages.terms_of(text, ranges, target=target)
    for _ in range(2):
        list(stages.write(text, ranges, terms, target=target, embedder=CountingEmbedder(), store=store))
    assert store.count(space=SPACE, scope=target.scope) == 5


def test_store_that_lost_something_is_told(
    target: Target, store: LanceStore, cut: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, ranges = cut(3)
    real = store.upsert
    monkeypatch.setattr(store, "upsert", lambda records, **named: real(records[:-1], **named))
    terms = stages.terms_of(text, ranges, target=target)
    with pytest.raises(IndexMismatch, match="holds 2 of 3 passages"):
        list(stages.write(text, ranges, terms, target=target, embedder=CountingEmbedder(), store=store))
