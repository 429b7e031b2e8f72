"""A large knowledge base, written as ingestion writes it: rows, statistics, token files and index; only the texts are
made up and all but a few hundred vectors are others with noise, so that 300,000 chunks take minutes."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import transaction

from chatapp.operations.bench.made_texts import TOPICS, MadeTexts
from knowledge import wiring
from knowledge.chunking.base import search_text
from knowledge.documents.indexes import indexing, statistics, token_files
from knowledge.documents.models import Chunk, Document, DocumentVersion, IndexEntry, KnowledgeBase
from knowledge.embedding.base import has_tokens
from knowledge.ingestion import stages
from knowledge.ingestion.stages import TermCounts
from knowledge.reranking.late import tokens_of
from knowledge.reranking.token_vectors import pack
from knowledge.stores.common import batches
from knowledge.tenants.models import Tenant
from knowledge.types import ChunkRange, IndexRecord, Scope, Vector

CHUNKS = 20  # of a document
SEEDS = TOPICS  # documents whose first chunk is really embedded: one of each topic
DOCUMENTS = 250  # written at a time
NOISE = 0.7  # length of what is added to their vectors for the other chunks of the topic
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A base as it lies on the disk. Bytes and seconds as the names say; of a second build by nobody."""

    chunks: int
    documents: int
    tenant: str
    knowledge_base: str
    index_seconds: float  # the store alone: upserts and the optimisation afterwards
    optimize_seconds: float
    rows_seconds: float  # rows, statistics and token files
    embedded_per_second: float  # the embedding model alone, which indexing waits for

    @property
    def scope(self) -> Scope:
        return Scope(tenant=self.tenant, knowledge_bases=frozenset({self.knowledge_base}))


def build(chunks: int, *, say: Callable[[str], None]) -> Built:
    """Make a base of so many chunks in this process's database and store, or return the one that is there."""
    noted = Path(settings.DATA_DIR) / f"base-{chunks}.json"
    if noted.is_file():
        return Built(**json.loads(noted.read_text()))
    built = _Builder(chunks, say=say).run()
    noted.write_text(json.dumps(asdict(built)))
    return built


@dataclass(slots=True)
class _Seeds:
    vectors: Vector
    tokens: list[bytes]  # packed; empty where the embedder has none


class _Builder:
    def __init__(self, chunks: int, *, say: Callable[[str], None]) -> None:
        self._chunks, self._say = chunks, say
        self._texts = MadeTexts()
        self._random = np.random.default_rng(11)
        self._counts: Counter[str] = Counter()
        self._terms = 0
        self._seconds = dict.fromkeys(("index", "optimize", "rows", "embed"), 0.0)
        tenant = Tenant.objects.create(slug=f"bench-{uuid.uuid4().hex[:8]}", name="Bench")
        self._base = KnowledgeBase.objects.create(tenant=tenant, name="Bench", slug="bench")
        self._generation = indexing.generation_for(self._base)
        self._scope = self._base.scope

    def run(self) -> Built:
        documents = -(-self._chunks // CHUNKS)
        seeds = self._embed(min(SEEDS, documents))
        for numbers in batches(range(documents), DOCUMENTS):
            self._write(numbers, seeds)
            self._say(f"  {min(self._chunks, (numbers[-1] + 1) * CHUNKS)} of {self._chunks} chunks")
        with self._timed("rows"), transaction.atomic():
            counts = TermCounts(chunks=self._chunks, terms=self._terms, document_frequency=dict(self._counts))
            statistics.add(self._generation, counts, language="en")
        with self._timed("optimize"):
            wiring.store().optimize(space=self._generation.space, tenant=self._scope.tenant)
        return Built(
            chunks=self._chunks, documents=documents, tenant=self._scope.tenant, knowledge_base=str(self._base.pk),
            index_seconds=round(self._seconds["index"] + self._seconds["optimize"], 1),
            optimize_seconds=round(self._seconds["optimize"], 1), rows_seconds=round(self._seconds["rows"], 1),
            embedded_per_second=round(len(seeds.vectors) / self._seconds["embed"], 1),
        )  # fmt: skip

    def _embed(self, count: int) -> _Seeds:
        self._say(f"Embedding {count} chunks ...")
        embedder, found = wiring.embedder(), _Seeds(np.zeros((0, 0), dtype=np.float32), [])
        embedder.embed_query("the model is loaded")
        texts = []
        for document in range(count):
            [(heading, text)] = self._texts.chunks(document, count=1)
            texts.append((search_text(title=self._texts.title(document), heading_path=(heading,), text=text), text))
        vectors = []
        for part in batches(texts, 64):
            whole = [prefixed for prefixed, _ in part]
            with self._timed("embed"):
                if has_tokens(embedder):
                    made, states = embedder.embed_with_tokens(whole)
                else:
                    made, states = embedder.embed_passages(whole), []
            vectors.append(made)
            if has_tokens(embedder):
                lengths = [(prefixed, len(prefixed) - len(text)) for prefixed, text in part]
                found.tokens += [pack(chunk) for chunk in tokens_of(embedder, lengths, states)]
        found.vectors = np.concatenate(vectors)
        return found

    def _write(self, numbers: Sequence[int], seeds: _Seeds) -> None:
        rows, records = _Rows(), list[IndexRecord]()
        for number in numbers:
            records += self._document(number, rows, seeds)
        with self._timed("rows"):
            rows.save()
            for version in rows.versions if seeds.tokens else ():
                self._keep_tokens(version, seeds)
        with self._timed("index"):
            wiring.store().upsert(records, space=self._generation.space, scope=self._scope)

    def _document(self, number: int, rows: _Rows, seeds: _Seeds) -> Iterator[IndexRecord]:
        title = self._texts.title(number)
        count = min(CHUNKS, self._chunks - number * CHUNKS)
        document = Document(
            tenant_id=self._scope.tenant, knowledge_base=self._base, name=f"{number}.txt", title=title,
            status=Document.Status.READY, latest_number=1, metadata={"number": number},
        )  # fmt: skip
        version = DocumentVersion(
            document=document, number=1, state=DocumentVersion.State.LIVE, filename=document.name, size=1,
            sha256=f"{number:064x}", text_sha256=f"{number:064x}", chunk_count=count, language="en",
        )  # fmt: skip
        document.current_version = version
        rows.documents.append(document)
        rows.versions.append(version)
        rows.entries.append(IndexEntry(generation=self._generation, version=version, chunks=count))
        target = indexing.target_of(version, self._generation)
        at = 0
        for ordinal, (heading, text) in enumerate(self._texts.chunks(number, count=count)):
            place = ChunkRange(
                ordinal=ordinal, start=at, end=at + len(text), heading_path=(heading,), tokens=len(text) // 4
            )
            at += len(text) + len(SEPARATOR)
            rows.chunks += indexing.chunk_rows(version, self._generation, [place], digests={})
            terms = self._texts.terms(title, heading, text)
            words = terms.split(" ")
            self._terms += len(words)
            self._counts.update(set(words))
            vector = self._vector(number, ordinal, seeds)
            yield stages.record(text, place, terms=terms, vector=vector, target=target)

    def _vector(self, document: int, ordinal: int, seeds: _Seeds) -> Vector:
        vector: Vector = seeds.vectors[document % len(seeds.vectors)]
        if document < len(seeds.vectors) and not ordinal:
            return vector
        noise = self._random.standard_normal(len(vector), dtype=np.float32)
        noisy = vector + np.float32(NOISE) * noise / np.linalg.norm(noise)
        unit: Vector = (noisy / np.linalg.norm(noisy)).astype(np.float32)
        return unit

    def _keep_tokens(self, version: DocumentVersion, seeds: _Seeds) -> None:
        document, count = int(version.sha256, 16), version.chunk_count
        with token_files.keeping(version, self._generation, chunks=count, embedder=wiring.embedder()) as keep:
            if keep is not None:
                keep([seeds.tokens[(document + ordinal) % len(seeds.tokens)] for ordinal in range(count)])

    def _timed(self, name: str) -> _Timed:
        return _Timed(self._seconds, name)


class _Rows:
    """Rows of some documents, saved together."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.versions: list[DocumentVersion] = []
        self.chunks: list[Chunk] = []
        self.entries: list[IndexEntry] = []

    @transaction.atomic
    def save(self) -> None:
        """A document names its version and the version its document: both are checked at the end."""
        Document.objects.bulk_create(self.documents, batch_size=500)
        DocumentVersion.objects.bulk_create(self.versions, batch_size=500)
        IndexEntry.objects.bulk_create(self.entries, batch_size=500)
        Chunk.objects.bulk_create(self.chunks, batch_size=500)


class _Timed:
    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name, self._began = seconds, name, 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] += time.monotonic() - self._began
