"""Parse, chunk, embed, write: each stage a function on dataclasses. No Django, no clock."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from knowledge.analysis import index_terms
from knowledge.chunking.base import Chunker, search_text
from knowledge.embedding.base import Embedder, has_tokens
from knowledge.errors import DocumentWithoutText, IndexMismatch
from knowledge.reranking.late import tokens_of
from knowledge.reranking.token_vectors import pack
from knowledge.stores.base import Store
from knowledge.types import ChunkRange, IndexRecord, ParsedDocument, Scope, Vector

BATCH = 64
"""Chunks embedded and written at a time: bounds memory and gives progress."""

_KEYS = uuid.UUID("5f0e5bd6-6f4b-4f0e-9d6f-6a3d7a1f2b01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the chunks of one version go."""

    scope: Scope
    knowledge_base: str
    document: str
    version: str
    generation: str
    space: str
    title: str
    language: str = ""  # ISO 639; "" counts as English


@dataclass(frozen=True, slots=True, kw_only=True)
class TermCounts:
    """What one version adds to the corpus statistics of its generation."""

    chunks: int
    terms: int
    document_frequency: dict[str, int]


def chunk_key(*, version: str, generation: str, ordinal: int) -> str:
    """Derive a chunk's key from our own rows, so that a repeated job overwrites and never duplicates."""
    return str(uuid.uuid5(_KEYS, f"{version}/{generation}/{ordinal}"))


def chunk(parsed: ParsedDocument, *, title: str, chunker: Chunker, embedder: Embedder) -> list[ChunkRange]:
    """Cut the document into ranges.

    :raises DocumentWithoutText: nothing is left to index.
    """
    ranges = chunker.chunk(parsed, title=title, count_tokens=embedder.count_tokens)
    if not ranges:
        raise DocumentWithoutText
    return ranges


def terms_of(text: str, ranges: Sequence[ChunkRange], *, target: Target) -> list[str]:
    """Analyse every chunk for the keyword index, in order."""
    return [index_terms(*_before(r, target.title), text[r.start : r.end], language=target.language) for r in ranges]


def _before(r: ChunkRange, title: str) -> tuple[str, tuple[str, ...]]:
    return (title, r.heading_path) if r.context is None else (r.context, ())


def search_text_of(r: ChunkRange, text: str, *, title: str) -> str:
    """Return what is embedded of a chunk; ``text`` is its own."""
    return search_text(title=title, heading_path=r.heading_path, text=text, context=r.context)


def digest_of(r: ChunkRange, text: str, *, title: str) -> str:
    """Return the digest of everything a chunk's vectors are made of; ``text`` is its own."""
    whole = search_text_of(r, text, title=title)
    key = f"{len(whole) - len(text)} {whole}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(key, digest_size=16).hexdigest()


def count_terms(terms: Sequence[str]) -> TermCounts:
    """Count in how many chunks each term occurs; terms longer than a column holds are cut alike everywhere."""
    frequency: Counter[str] = Counter()
    total = 0
    for joined in terms:
        words = joined.split()
        total += len(words)
        frequency.update({word[:64] for word in words})
    return TermCounts(chunks=len(terms), terms=total, document_frequency=dict(frequency))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an embedder made of a chunk before: its vector, and its packed token vectors where it has them."""

    vector: Vector
    tokens: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A chunk that is to be embedded, and what its record says."""

    ordinal: int
    text: str
    terms: str


Reuse = Callable[[Sequence[Wanted]], Sequence[Made | None]]
"""Returns for each chunk what the same embedder made of the very same before, token vectors too if it has them; None
where nothing was made."""

KeepTokens = Callable[[Sequence[bytes]], None]
"""Takes the packed token vectors (knowledge.reranking.token_vectors) of the next chunks, in order."""


def record(text: str, r: ChunkRange, *, terms: str, vector: Vector, target: Target) -> IndexRecord:
    """Return what the index holds of one chunk; ``text`` is its own."""
    return IndexRecord(
        key=chunk_key(version=target.version, generation=target.generation, ordinal=r.ordinal),
        knowledge_base=target.knowledge_base, generation=target.generation, document=target.document,
        version=target.version, ordinal=r.ordinal, text=text, terms=terms, vector=vector,
    )  # fmt: skip


def write(
    text: str, ranges: Sequence[ChunkRange], terms: Sequence[str], *, target: Target, embedder: Embedder, store: Store,
    keep_tokens: KeepTokens | None = None, reuse: Reuse | None = None,
) -> Iterator[int]:  # fmt: skip
    """Embed and upsert batch by batch, yielding how many chunks are written so far.

    ``keep_tokens`` is called where the embedder has token vectors. What ``reuse`` knows is not embedded again.

    :raises IndexMismatch: the store does not hold what was written.
    """
    for at in range(0, len(ranges), BATCH):
        batch = ranges[at : at + BATCH]
        texts = [text[r.start : r.end] for r in batch]
        known: Sequence[Made | None] = [None] * len(batch)
        if reuse is not None:
            known = reuse([
                Wanted(ordinal=r.ordinal, text=texts[i], terms=terms[at + i]) for i, r in enumerate(batch)
            ])  # fmt: skip
        search_texts = [search_text_of(r, t, title=target.title) for r, t in zip(batch, texts, strict=True)]
        made = _filled(known, search_texts, texts, embedder=embedder, with_tokens=keep_tokens is not None)
        if keep_tokens is not None:
            keep_tokens([each.tokens for each in made if each.tokens is not None])
        records = [
            record(texts[i], r, terms=terms[at + i], vector=made[i].vector, target=target) for i, r in enumerate(batch)
        ]
        store.upsert(records, space=target.space, scope=target.scope)
        yield at + len(batch)
    held = store.count(space=target.space, scope=target.scope, version=target.version, generation=target.generation)
    if held != len(ranges):
        raise IndexMismatch(f"The index holds {held} of {len(ranges)} passages of this document.")


def _filled(
    known: Sequence[Made | None], search_texts: Sequence[str], texts: Sequence[str], *, embedder: Embedder,
    with_tokens: bool,
) -> list[Made]:  # fmt: skip
    """Return what is known of each chunk, and of the others what the embedder makes of them now."""
    new = [i for i, made in enumerate(known) if made is None]
    fresh = embed([search_texts[i] for i in new], [texts[i] for i in new], embedder=embedder, with_tokens=with_tokens)
    rest = iter(fresh)
    return [next(rest) if made is None else made for made in known]


def embed(
    search_texts: Sequence[str], texts: Sequence[str], *, embedder: Embedder, with_tokens: bool
) -> list[Made]:  # fmt: skip
    """Return what the embedder makes of search texts, which end with ``texts``; token vectors where it has them."""
    if not search_texts:
        return []
    if not with_tokens or not has_tokens(embedder):
        return [Made(vector=vector, tokens=None) for vector in embedder.embed_passages(search_texts)]
    vectors, states = embedder.embed_with_tokens(search_texts)
    prefixed = [(whole, len(whole) - len(text)) for whole, text in zip(search_texts, texts, strict=True)]
    packed = [pack(chunk) for chunk in tokens_of(embedder, prefixed, states)]
    return [Made(vector=vector, tokens=tokens) for vector, tokens in zip(vectors, packed, strict=True)]
