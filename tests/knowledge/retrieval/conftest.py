"""A small world for retrieval: word-count embedder, list-backed rows, a real embedded store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pytest

from knowledge.analysis import index_terms, terms
from knowledge.ingestion.stages import chunk_key
from knowledge.retrieval.base import CorpusStatistics, PassageRow, RetrievalParts
from knowledge.stores.lance import LanceStore
from knowledge.types import EmbeddingSpec, IndexRecord, Scope, Vector

DIMENSION = 64


def uid(name: str) -> str:
    return str(uuid5(NAMESPACE_OID, name))


class WordEmbedder:
    """A vector that counts stems in hashed places: similar words, similar vectors."""

    spec = EmbeddingSpec(model="words", dimension=DIMENSION, model_hash="0", precision="float32", max_tokens=256)

    def __init__(self) -> None:
        self.queries: list[str] = []

    def embed_query(self, text: str) -> Vector:
        self.queries.append(text)
        return self.embed_passages([text])[0]

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        vectors = np.full((len(texts), DIMENSION), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for term in terms(text):
                vectors[row, uuid5(NAMESPACE_OID, term).int % DIMENSION] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class World:
    """One tenant. Documents are lists of chunks; every part of retrieval reads from here."""

    def __init__(self, store: LanceStore) -> None:
        self.store = store
        self.embedder = WordEmbedder()
        self.rows: dict[str, PassageRow] = {}
        self.terms: dict[str, list[str]] = {}
        self.texts: dict[str, str] = {}
        self.tenant, self.base, self.generation = uid("tenant"), uid("base"), uid("generation")
        self.scope = Scope(tenant=self.tenant, knowledge_bases=frozenset({self.base}))
        self.asked: list[tuple[Collection[str], Scope]] = []

    def add(
        self, title: str, *chunks: str, gap: str = "\n\n", base: str | None = None, path: tuple[str, ...] | None = None
    ) -> list[str]:
        """Index a document made of chunks with a gap between them; return the chunks' keys.

        Each stands under a heading of its own unless ``path`` says otherwise.
        """
        base = base or self.base
        document, version = uid(f"document {title}"), uid(f"version {title}")
        self.texts[version] = gap.join(chunks)
        records, keys, start = [], [], 0
        vectors = self.embedder.embed_passages(chunks)
        for ordinal, chunk in enumerate(chunks):
            key = chunk_key(version=version, generation=self.generation, ordinal=ordinal)
            analysed = index_terms(title, (), chunk)
            records.append(
                IndexRecord(
                    key=key, knowledge_base=base, generation=self.generation, document=document, version=version,
                    ordinal=ordinal, text=chunk, terms=analysed, vector=vectors[ordinal],
                )
            )  # fmt: skip
            self.terms[key] = analysed.split()
            self.rows[key] = PassageRow(
                generation=self.generation,
                ordinal=ordinal,
                key=key, document=document, version_id=version, version=1, knowledge_base=base, title=title,
                heading_path=path or ("Guide", f"Part {ordinal}"), page_first=ordinal + 1, page_last=ordinal + 1, start=start,
                end=start + len(chunk), tokens=len(chunk.split()),
            )  # fmt: skip
            keys.append(key)
            start += len(chunk) + len(gap)
        scope = Scope(tenant=self.tenant, knowledge_bases=frozenset({base}))
        self.store.upsert(records, space=self.embedder.spec.space, scope=scope)
        return keys

    def passages(self, keys: Collection[str], *, scope: Scope) -> dict[str, PassageRow]:
        self.asked.append((keys, scope))
        return {key: self.rows[key] for key in keys if key in self.rows}

    def for_terms(self, wanted: Collection[str], *, scope: Scope) -> CorpusStatistics:
        held = [words for key, words in self.terms.items() if self.rows[key].knowledge_base in scope.knowledge_bases]
        frequency = Counter(term for words in held for term in set(words) if term in wanted)
        average = sum(map(len, held)) / max(1, len(held))
        return CorpusStatistics(chunks=len(held), average_length=average, document_frequency=frequency)

    @property
    def parts(self) -> RetrievalParts:
        return RetrievalParts(
            embedder=self.embedder, store=self.store, live=self, statistics=self,
            generations=lambda scope: [(self.embedder.spec.space, [self.generation])],
            texts=self.texts.__getitem__,
        )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(LanceStore(tmp_path / "lance"))


@pytest.fixture
def identify() -> Callable[[str], str]:
    return uid
