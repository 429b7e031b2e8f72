"""A labelled set as a corpus that the real pipeline searches, without the database.

Parsers, chunker, stages, embedder, store and reranker are the product's own; only the live rows and the word
statistics, which the database answers otherwise, are held in memory. Also for scripts that tune:

    with build(load(folder), chunker=StructuralChunker(target=700), cache=Path("/tmp/vectors")) as corpus:
        found = corpus.run(chosen(corpus.source, QUESTIONS), profile=RetrievalProfile(keyword_weight=0.4))

(``DJANGO_SETTINGS_MODULE=chatapp.settings`` where embedder or chunker are left to the settings.)
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from chatapp.evaluation.caching import CachedEmbedder, cached
from chatapp.evaluation.indexed import Indexed
from chatapp.evaluation.labelled import LabelledSet, Question, SourceDocument, Span, UnusableSet
from chatapp.evaluation.stores import open_store
from knowledge import wiring
from knowledge.chunking.base import Chunker
from knowledge.embedding.base import Embedder, has_tokens
from knowledge.errors import DocumentError
from knowledge.ingestion import stages
from knowledge.ingestion.stages import Target
from knowledge.parsing.base import ParseContext
from knowledge.parsing.registry import detect, parser_for
from knowledge.reranking import LateInteraction, Reranker
from knowledge.reranking.base import RerankCandidate
from knowledge.reranking.late import Stored
from knowledge.reranking.token_vectors import TokenVectors, unpack
from knowledge.retrieval import DEFAULT, CorpusStatistics, PassageRow, RetrievalParts, RetrievalProfile, retrieve
from knowledge.stores.base import Store
from knowledge.types import ChunkRange, ParsedDocument, Passage, Query, Rewritten, Scope

__all__ = ["Answered", "Corpus", "MakeReranker", "build"]

UPSERT = 512
"""Records written at a time."""

TERMS = 500
"""Terms whose frequency is looked up, as in the database."""

_IDS = uuid.UUID("0b1f2c57-6a0e-4f0b-8f43-1f2f3c0b9a11")

MakeReranker = Callable[[Embedder, Stored], Reranker | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What retrieval made of a question. ``spans`` are the places of the passages in the set's own documents."""

    question: Question
    passages: tuple[Passage, ...]
    spans: tuple[Span, ...]
    timings: Mapping[str, float]  # stage -> milliseconds
    notes: tuple[str, ...] = ()
    answerable: float = 0.0  # the chance that retrieval gives it


@dataclass(slots=True, kw_only=True)
class _Memory:
    """What the database would hold: live rows, word statistics, texts, token vectors."""

    base: str
    generation: str
    space: str
    rows: dict[str, PassageRow] = field(default_factory=dict)
    tokens: dict[tuple[str, int], TokenVectors] = field(default_factory=dict)  # by version and ordinal
    texts: dict[str, str] = field(default_factory=dict)
    chunks: int = 0
    terms: int = 0
    frequency: Counter[str] = field(default_factory=Counter)

    def passages(self, keys: Collection[str], *, scope: Scope) -> dict[str, PassageRow]:
        if self.base not in scope.knowledge_bases:
            return {}
        rows = {key: self.rows[key] for key in keys if key in self.rows}
        return {k: row for k, row in rows.items() if scope.documents is None or row.document in scope.documents}

    def for_terms(self, terms: Collection[str], *, scope: Scope) -> CorpusStatistics:
        if self.base not in scope.knowledge_bases:
            return CorpusStatistics(chunks=0, average_length=0.0, document_frequency={})
        frequency = {term: self.frequency[term] for term in list(terms)[:TERMS] if term in self.frequency}
        average = self.terms / self.chunks if self.chunks else 0.0
        return CorpusStatistics(chunks=self.chunks, average_length=average, document_frequency=frequency)

    def near_terms(self, letter: str, least: int, most: int, scope: Scope) -> dict[str, int]:
        if self.base not in scope.knowledge_bases:
            return {}
        return {t: n for t, n in self.frequency.items() if t.startswith(letter) and least <= len(t) <= most}

    def generations(self, scope: Scope) -> list[tuple[str, list[str]]]:
        return [(self.space, [self.generation])] if self.base in scope.knowledge_bases else []

    def stored(self, candidates: Sequence[RerankCandidate]) -> list[TokenVectors | None]:
        return [self.tokens.get((candidate.version_id, candidate.ordinal)) for candidate in candidates]


class Corpus:
    """A set that can be asked."""

    def __init__(self, source: LabelledSet, parts: RetrievalParts, scope: Scope, memory: _Memory) -> None:
        self.source, self.parts, self.scope = source, parts, scope
        self.failed: dict[str, str] = {}
        """Documents that could not be indexed, and why."""
        self.indexed = Indexed()
        self._memory = memory
        self._names = {_document_id(source.name, document.id): document.id for document in source.documents}

    @property
    def chunks(self) -> int:
        return len(self._memory.rows)

    @property
    def cached(self) -> bool:
        """Whether query vectors are remembered, so that the times of the embed stage are not the product's."""
        return isinstance(self.parts.embedder, CachedEmbedder)

    def ask(
        self, question: Question, *, profile: RetrievalProfile = DEFAULT, history: bool = True, scoped: bool = False,
        limit: int = 20,
    ) -> Answered:  # fmt: skip
        """Retrieve for one question; ``scoped`` in the document that its ``scope_doc_id`` names."""
        scope = self.scope
        if scoped:
            document = _document_id(self.source.name, str(question.row.get("scope_doc_id", "")))
            scope = Scope(tenant=scope.tenant, knowledge_bases=scope.knowledge_bases, documents=frozenset({document}))
        query = Query(
            text=question.text, history=question.history if history else (), limit=limit,
            rewritten=question.rewritten if history else _without_turns(question.rewritten),
        )  # fmt: skip
        result = retrieve(query, scope=scope, parts=self.parts, profile=profile)
        spans = tuple(Span(self._names[p.document], p.start, p.end) for p in result.passages)
        return Answered(
            question=question,
            passages=result.passages,
            spans=spans,
            timings=result.timings,
            notes=result.notes,
            answerable=result.answerable,
        )

    def run(
        self, questions: Sequence[Question], *, profile: RetrievalProfile = DEFAULT, history: bool = True,
        scoped: bool = False, limit: int = 20,
    ) -> list[Answered]:  # fmt: skip
        """Ask one after the other, so that the times are those of a machine that does nothing else."""
        if questions:  # loads the model and what the store keeps in memory
            self.ask(questions[0], profile=profile, history=history, scoped=scoped, limit=limit)
        return [self.ask(q, profile=profile, history=history, scoped=scoped, limit=limit) for q in questions]


def late_interaction(embedder: Embedder, stored: Stored) -> Reranker | None:
    """The reranker of the default configuration: none where the embedder has no token vectors."""
    return LateInteraction(embedder, stored=stored) if has_tokens(embedder) else None


@contextmanager
def build(
    source: LabelledSet, *, store: Store | str = "lance", chunker: Chunker | None = None,
    embedder: Embedder | None = None, cache: Path | None = None, reranker: MakeReranker = late_interaction,
    say: Callable[[str], None] = lambda words: None,
) -> Iterator[Corpus]:  # fmt: skip
    """Index a set and hand it out; what was written to the store goes with it.

    ``store`` is one, or the name of one to open for this (``stores.open_store``). ``cache`` is a folder where
    vectors are remembered. Chunker and embedder are those of the settings unless given.

    :raises UnusableSet: a document of the set has another text once it is parsed: no gold span would fit.
    """
    with ExitStack() as stack:
        inner = embedder or wiring.embedder()
        found = cached(inner, cache) if cache is not None else inner
        if isinstance(found, CachedEmbedder):
            stack.callback(found.close)
        engine = stack.enter_context(open_store(store)) if isinstance(store, str) else store
        tenant, base, generation = (str(uuid.uuid4()) for _ in range(3))
        memory = _Memory(base=base, generation=generation, space=found.spec.space)
        scope = Scope(tenant=tenant, knowledge_bases=frozenset({base}))
        stack.callback(engine.delete_tenant, tenant=tenant)
        parts = RetrievalParts(
            embedder=found, store=engine, live=memory, statistics=memory, generations=memory.generations,
            near_terms=memory.near_terms, texts=memory.texts.__getitem__, reranker=reranker(found, memory.stored),
        )  # fmt: skip
        corpus = Corpus(source, parts, scope, memory)
        _Indexer(corpus, memory, chunker or wiring.chunker(), say).index()
        yield corpus


def parse(document: SourceDocument) -> ParsedDocument:
    """Parse a document of a set, in this process: these are files of our own.

    :raises DocumentError: it holds no text. :raises UnusableSet: its text is not the one its gold spans count in.
    """
    data, filename = document.text.encode(), f"document.{document.suffix}"
    parsed = parser_for(detect(data, filename)).parse(data, ParseContext(filename=filename))
    if parsed.text != document.text:
        raise UnusableSet(f"The text of the document {document.id} changes when it is parsed.")
    return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    target: Target
    range: ChunkRange
    text: str
    terms: str


class _Indexer:
    def __init__(self, corpus: Corpus, memory: _Memory, chunker: Chunker, say: Callable[[str], None]) -> None:
        self._corpus, self._memory, self._chunker, self._say = corpus, memory, chunker, say
        self._embedder, self._store = corpus.parts.embedder, corpus.parts.store

    def index(self) -> None:
        began = time.perf_counter()
        pieces = [piece for document in self._corpus.source.documents for piece in self._pieces(document)]
        for at in range(0, len(pieces), UPSERT):
            self._write(pieces[at : at + UPSERT])
            self._say(f"{self._corpus.source.name}: {min(at + UPSERT, len(pieces))} of {len(pieces)} passages")
        scope, space = self._corpus.scope, self._memory.space
        self._store.optimize(space=space, tenant=scope.tenant)
        self._corpus.indexed.seconds = time.perf_counter() - began
        held = self._store.count(space=space, scope=scope)
        assert held == len(pieces), f"the index holds {held} of {len(pieces)} passages"

    def _pieces(self, document: SourceDocument) -> list[_Piece]:
        """Cut a document and remember its rows and words."""
        target = self._target(document)
        try:
            parsed = parse(document)
            ranges = stages.chunk(parsed, title=document.title, chunker=self._chunker, embedder=self._embedder)
        except DocumentError as error:
            self._corpus.failed[document.id] = error.message
            return []
        terms = stages.terms_of(parsed.text, ranges, target=target)
        counts = stages.count_terms(terms)
        memory = self._memory
        memory.texts[target.version] = parsed.text
        memory.chunks += counts.chunks
        memory.terms += counts.terms
        memory.frequency.update(counts.document_frequency)
        memory.rows.update((row.key, row) for row in (_row(target, r) for r in ranges))
        return [
            _Piece(target=target, range=r, text=parsed.text[r.start : r.end], terms=t)
            for r, t in zip(ranges, terms, strict=True)
        ]

    def _target(self, document: SourceDocument) -> Target:
        scope = self._corpus.scope
        return Target(
            scope=scope, knowledge_base=self._memory.base, document=_document_id(self._corpus.source.name, document.id),
            version=str(uuid.uuid5(_IDS, f"version {self._corpus.source.name} {document.id}")),
            generation=self._memory.generation, space=self._memory.space, title=document.title,
        )  # fmt: skip

    def _write(self, pieces: Sequence[_Piece]) -> None:
        records = []
        for at in range(0, len(pieces), stages.BATCH):
            batch = pieces[at : at + stages.BATCH]
            search_texts = [stages.search_text_of(p.range, p.text, title=p.target.title) for p in batch]
            self._corpus.indexed.add([p.range.tokens for p in batch], search_texts, embedder=self._embedder)
            made = stages.embed(search_texts, [p.text for p in batch], embedder=self._embedder, with_tokens=True)
            for piece, each in zip(batch, made, strict=True):
                if each.tokens is not None:
                    place = piece.target.version, piece.range.ordinal
                    self._memory.tokens[place] = unpack(each.tokens, dimensions=self._embedder.spec.dimension)
                records.append(
                    stages.record(piece.text, piece.range, terms=piece.terms, vector=each.vector, target=piece.target)
                )
        self._store.upsert(records, space=self._memory.space, scope=self._corpus.scope)


def _row(target: Target, r: ChunkRange) -> PassageRow:
    return PassageRow(
        key=stages.chunk_key(version=target.version, generation=target.generation, ordinal=r.ordinal),
        document=target.document, version_id=target.version, version=1, generation=target.generation,
        ordinal=r.ordinal, knowledge_base=target.knowledge_base, title=target.title, heading_path=r.heading_path,
        page_first=r.page_first, page_last=r.page_last, start=r.start, end=r.end, tokens=r.tokens,
    )  # fmt: skip


def _document_id(source: str, document: str) -> str:
    return str(uuid.uuid5(_IDS, f"document {source} {document}"))


def _without_turns(rewritten: Rewritten | None) -> Rewritten | None:
    """A question that is asked without what was said before cannot have been written anew from it."""
    return None if rewritten is None else replace(rewritten, standalone="")
