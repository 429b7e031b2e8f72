from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from knowledge.stores.snapshot import K1, B, Snapshot
from knowledge.types import IndexRecord, Scope

Make = Callable[..., IndexRecord]
COLUMNS = ("key", "knowledge_base", "generation", "document", "version", "text", "terms")


def snapshot_of(records: Sequence[IndexRecord]) -> Snapshot:
    columns: dict[str, object] = {name: [getattr(record, name) for record in records] for name in COLUMNS}
    values = pa.array(np.concatenate([record.vector for record in records]), pa.float32())
    columns["vector"] = pa.FixedSizeListArray.from_arrays(values, len(records[0].vector))
    return Snapshot(pa.table(columns), version=1)


def test_keyword_scores_are_bm25(make: Make, scope: Scope, generations: list[str]) -> None:
    texts = ["a a b", "a c", "c c c c d"]
    hits = snapshot_of([make(text) for text in texts]).search_keyword(
        ["a", "d", "a", "unknown"], generations=generations, limit=10, scope=scope
    )
    average = sum(len(text.split()) for text in texts) / 3

    def expected(text: str) -> float:
        words, score = text.split(), 0.0
        for term in ("a", "d"):
            holding = sum(term in other.split() for other in texts)
            count = words.count(term)
            idf = math.log(1 + (3 - holding + 0.5) / (holding + 0.5))
            score += idf * count * (K1 + 1) / (count + K1 * (1 - B + B * len(words) / average))
        return score

    assert {hit.text: hit.score for hit in hits} == pytest.approx({text: expected(text) for text in texts}, rel=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_statistics_are_of_the_rows_in_scope(make: Make, scope: Scope, generations: list[str]) -> None:
    inside = [make("a b"), make("c d")]
    outside = [make("a a", generation="00000000-0000-0000-0000-000000000000") for _ in range(20)]
    query = {"generations": generations, "limit": 5, "scope": scope}
    alone = snapshot_of(inside).search_keyword(["a"], **query)  # type: ignore[arg-type]
    among = snapshot_of([*outside, *inside]).search_keyword(["a"], **query)  # type: ignore[arg-type]
    assert [hit.text for hit in among] == [hit.text for hit in alone] == ["a b"]
    assert among[0].score == pytest.approx(alone[0].score, rel=1e-5)


def test_cosine_is_of_any_length(make: Make, scope: Scope, generations: list[str]) -> None:
    vector = np.arange(8, dtype=np.float32)
    snapshot = snapshot_of([make("long", vector=vector * 9), make("zero", vector=vector * 0)])
    hits = snapshot.search_vector(vector, generations=generations, limit=5, scope=scope)
    assert [(hit.text, round(hit.score, 5)) for hit in hits] == [("long", 1.0), ("zero", 0.0)]


def test_best_rows_survive_the_limit_and_ties_keep_their_order(
    make: Make, scope: Scope, generations: list[str]
) -> None:
    records = [make(f"heron {i}", vector=np.eye(8, dtype=np.float32)[i % 2]) for i in range(30)]
    hits = snapshot_of(records).search_vector(
        np.eye(8, dtype=np.float32)[1], generations=generations, limit=15, scope=scope
    )
    assert [hit.text for hit in hits] == [f"heron {i}" for i in range(1, 30, 2)]


def test_rows_with_no_terms_and_unknown_scopes_are_fine(make: Make, scope: Scope, generations: list[str]) -> None:
    snapshot = snapshot_of([make(""), make("heron")])
    assert len(snapshot.search_keyword(["heron"], generations=generations, limit=5, scope=scope)) == 1
    assert snapshot.search_keyword(["heron"], generations=["unknown"], limit=5, scope=scope) == []
    elsewhere = Scope(tenant=scope.tenant, knowledge_bases=frozenset({"unknown"}))
    assert snapshot.search_vector(np.ones(8, np.float32), generations=generations, limit=5, scope=elsewhere) == []


def test_each_scope_has_a_mask_of_its_own(make: Make, scope: Scope, generations: list[str]) -> None:
    """The mask of the latest search is kept for the next one, which may be another's."""
    documents = [str(uuid4()) for _ in range(3)]
    records = [make(f"heron {i}", document=document) for i, document in enumerate(documents)]
    snapshot = snapshot_of(records)
    for wanted in (documents[:1], documents[1:], documents, documents[:1]):
        part = replace(scope, documents=frozenset(wanted))
        for found in (
            snapshot.search_vector(records[0].vector, generations=generations, limit=9, scope=part),
            snapshot.search_keyword(["heron"], generations=generations, limit=9, scope=part),
        ):
            assert {hit.document for hit in found} == set(wanted)
    assert snapshot.search_keyword(["heron"], generations=[str(uuid4())], limit=9, scope=part) == []
