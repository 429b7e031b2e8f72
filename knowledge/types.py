"""Leaf dataclasses every stage of the knowledge package speaks in.

No Django, no I/O. All offsets are Unicode code points into the canonical text of one document
version, end exclusive. Ids are strings (UUIDs in their canonical form).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""``(dimension,)`` or ``(n, dimension)`` float32, rows L2-normalised."""

Rect: TypeAlias = tuple[int, float, float, float, float]
"""``(page, x0, y0, x1, y1)``; page is 1-based, coordinates are PDF user space points, y upwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one request may read. An empty scope matches nothing, never everything."""

    tenant: str
    knowledge_bases: frozenset[str]
    documents: frozenset[str] | None = None  # None: every document of those bases
    without: frozenset[str] = frozenset()  # but not these: they are out of their validity

    @property
    def is_empty(self) -> bool:
        return not self.tenant or not self.knowledge_bases or self.documents == frozenset()

    def includes(self, *, knowledge_base: str, document: str) -> bool:
        """Whether a document of the tenant lies in it."""
        named = self.documents is None or document in self.documents
        return named and knowledge_base in self.knowledge_bases and document not in self.without


# --- parsing ---------------------------------------------------------------------------------


class BlockKind(StrEnum):
    TITLE = "title"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    CAPTION = "caption"
    CODE = "code"
    FOOTNOTE = "footnote"
    FURNITURE = "furniture"  # repeated page headers and footers; kept in the text, never indexed
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One structural unit of the canonical text."""

    ordinal: int
    kind: BlockKind
    start: int
    end: int
    level: int | None = None  # headings: 1 is the highest
    heading_path: tuple[str, ...] = ()  # headings above this block, outermost first
    page_first: int | None = None  # 1-based; None when the format has no pages
    page_last: int | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)  # e.g. {"row": 3, "cells": [[s, e], ...]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: its range in the canonical text, its geometry in points, and how its text was come by.

    Few characters beside an image, or many bad ones, call for text recognition.
    """

    number: int
    start: int
    end: int
    width: float
    height: float
    rotation: int = 0
    view_box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    characters: int = 0  # without white space
    bad: int = 0  # of these: control, private use or replacement characters
    has_image: bool = False  # images cover at least a fifth of it
    source: str = "text"  # "text", "ocr" (recognised by us), "ocr-layer" (by whoever made the file), "none"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CharBoxes:
    """A box for every character of the canonical text; ``page`` 0 marks a character without one.

    ``page`` is ``(len(text),)`` uint16, ``xyxy`` is ``(len(text), 4)`` float32 in PDF user space.
    """

    page: npt.NDArray[np.uint16]
    xyxy: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParsedDocument:
    """What a parser makes of the bytes of one version."""

    text: str
    blocks: tuple[Block, ...]
    parser: str  # name of the plug-in
    parser_version: str
    media_type: str
    title: str | None = None  # the document's own title, when it states one
    pages: tuple[Page, ...] = ()
    boxes: CharBoxes | None = None
    warnings: tuple[str, ...] = ()  # sentences for people, e.g. "Page 3 has no text layer."


# --- chunking --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRange:
    """An indexed range of canonical text. Overlap is an overlapping range, never pasted text."""

    ordinal: int
    start: int
    end: int
    heading_path: tuple[str, ...] = ()
    page_first: int | None = None
    page_last: int | None = None
    tokens: int = 0  # word pieces of the embedding model, without special tokens
    context: str | None = None
    """What its search text has before the text, such as the header of the table it begins in; None: title and
    headings."""


# --- embedding and stores ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSpec:
    """What must be equal for two vectors to be comparable; recorded with every generation."""

    model: str
    dimension: int
    model_hash: str  # sha256 of the weights, or "remote" for a hosted model
    precision: str  # "float32", "bfloat16", ...
    max_tokens: int

    @property
    def space(self) -> str:
        """A short identifier, safe as a table or collection name: same space, same table."""
        import hashlib

        digest = hashlib.sha256(f"{self.model}\0{self.dimension}\0{self.model_hash}".encode()).hexdigest()
        stem = "".join(c if c.isalnum() else "_" for c in self.model.rsplit("/", 1)[-1].lower())[:24]
        return f"{stem}_{self.dimension}_{digest[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexRecord:
    """One chunk as written to a store. ``key`` is our own chunk key (a UUID), so a retry overwrites."""

    key: str
    knowledge_base: str
    generation: str
    document: str
    version: str
    ordinal: int
    text: str  # the canonical slice, exactly
    terms: str  # analysed title + headings + text, space separated (knowledge.analysis)
    vector: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One record a store returned for a query, before it is joined against live rows."""

    key: str
    document: str
    version: str
    knowledge_base: str
    text: str
    terms: str
    score: float  # vector search: cosine; keyword search: the engine's own, only its order is used
    vector: Vector | None = field(default=None, compare=False, repr=False)
    """Set by the keyword search, so that a record found by its words alone gets its exact cosine too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    name: str
    version: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What a store measures of one tenant's table or collection; None where only its server could say."""

    rows: int | None  # None: the tenant sleeps, and was not woken to be counted
    dimension: int | None = None
    bytes: int | None = None  # on this disk, all versions and indexes
    files: int | None = None
    versions: int | None = None  # states of the table that are kept
    oldest: datetime | None = None  # when the oldest of them was written
    unindexed: Mapping[str, int] = field(default_factory=dict)  # rows that an index lacks, by its name
    dirty: bool = False  # deleted text may still be in its files
    state: str = ""  # of the tenant, where the engine has such: active, inactive, offloaded


# --- retrieval -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One earlier message of the conversation."""

    role: str  # "user" or "assistant"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What a language model made of a question before it was searched; the settings say what of it is used."""

    standalone: str = ""  # the question as it would be asked without the turns before; empty: as it was asked
    wordings: tuple[str, ...] | None = None  # other wordings that are searched too; None: nobody was asked
    parts: tuple[str, ...] | None = None  # questions it consists of; None: nobody was asked
    notes: tuple[str, ...] = ()  # sentences for people: what went wrong
    prompt_tokens: int = 0  # that the language model read and wrote for this
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    text: str
    history: tuple[Turn, ...] = ()  # oldest first
    limit: int = 10
    token_budget: int | None = None  # tokens of passage text that may be returned in all
    merge_neighbours: bool = False  # True for prompts; False where single passages are judged
    explain: bool = False  # True for people who ask why: the result then says what became of every candidate
    rewritten: Rewritten | None = None  # None: no language model was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Another returned passage that says nearly the same, and the few words that differ, as ``(here, there)``."""

    key: str
    differences: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk (or merged neighbouring chunks) that retrieval returned, joined against live rows."""

    key: str
    document: str
    version_id: str
    version: int  # the version's number, as in the public API
    knowledge_base: str
    title: str
    heading_path: tuple[str, ...]
    page_first: int | None
    page_last: int | None
    start: int
    end: int
    text: str
    tokens: int
    score: float  # 0..1; higher is better
    scores: Mapping[str, float] = field(default_factory=dict)  # vector, keyword, fused, rerank where it was reranked
    written: datetime | None = None  # when its version was made
    copies: tuple[str, ...] = ()  # keys of passages elsewhere that say the same and were left out for it
    variants: tuple[Variant, ...] = ()


class Fate(StrEnum):
    """What became of a candidate."""

    RETURNED = "returned"
    JOINED = "joined"  # with a returned neighbour
    REPEATED = "repeated"  # another passage holds the same range or says the same
    OVER_BUDGET = "over_budget"  # its tokens would not fit any more
    BELOW_FLOOR = "below_floor"
    UNLIKELY = "unlikely"  # good enough by itself, but the chance of an answer is below the threshold
    BEYOND_LIMIT = "beyond_limit"  # enough better ones were found
    NOT_LIVE = "not_live"  # the index holds it; the database no longer does, or not like this


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A candidate of the search, and what became of it."""

    key: str
    fate: Fate
    scores: Mapping[str, float]  # vector, keyword, fused, rerank where it was reranked
    ranks: Mapping[str, int]  # 1-based among all candidates: vector, keyword where words match, fused, final where live
    passage: Passage | None = None  # None where it is not live
    by: str = ""  # key of the returned passage that repeats or holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    terms: Mapping[str, float]  # index term -> what the question makes it count
    idf: Mapping[str, float]  # of the same terms, in the scope
    chunks: int  # live, in the scope
    searched: tuple[str, ...] = ()  # what the terms are called in the index in any of the languages
    languages: tuple[str, ...] = ("en",)  # in which documents of the scope were analysed
    considered: tuple[Considered, ...]  # in the final order; what was not ranked follows by its fused score


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalResult:
    query: str  # as searched, for people
    passages: tuple[Passage, ...]
    timings: Mapping[str, float]  # stage -> milliseconds
    candidates: int = 0  # distinct records both searches returned, before the join and the cut
    notes: tuple[str, ...] = ()  # sentences for people: what was left out, and why
    answerable: float = 0.0  # chance, 0..1, that the answer is in what was found; one signal, not a verdict
    uncalibrated: float | None = None  # the same on the scale for all, where the best passage's base has its own curve
    threshold: float = 0.0  # below which nothing is returned
    related: tuple[Passage, ...] = ()  # the nearest passages, where nothing is returned
    explanation: Explanation | None = None  # where the query asked for it
    also: tuple[str, ...] = ()  # what else was searched: other wordings, terms of the best passages, or the parts
    outline: Callable[[], tuple[Considered, ...]] = field(default=tuple, compare=False, repr=False)
    """What became of the passages that were ranked, in that order. Called by who keeps it: a moment's work."""
