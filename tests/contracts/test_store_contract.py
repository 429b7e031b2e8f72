"""What every vector store must do, run against each of them: LanceDB (in memory, on disk), Weaviate."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from knowledge.analysis import index_terms, terms
from knowledge.errors import StoreError
from knowledge.stores.base import Store
from knowledge.types import IndexRecord, Scope, Vector

SPACE = "test_8_abcdef01"
DIMENSION = 8


def uid() -> str:
    return str(uuid4())


def unit(*values: float) -> Vector:
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[: len(values)] = values
    return vector / np.float32(np.linalg.norm(vector))


def open_store(settings: dict[str, Any]) -> Store:
    module, _, name = settings["class"].rpartition(".")
    store: Store = getattr(import_module(module), name)(**settings["arguments"])
    return store


@pytest.fixture
def store(store_settings: dict[str, Any]) -> Iterator[Store]:
    opened = open_store(store_settings)
    yield opened
    opened.close()


class Corpus:
    """Ids of one tenant with one base, and a maker of records in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tenant, self.base, self.generation = uid(), uid(), uid()
        self.document, self.version = uid(), uid()

    @property
    def scope(self) -> Scope:
        return Scope(tenant=self.tenant, knowledge_bases=frozenset({self.base}))

    def record(self, text: str, vector: Vector | None = None, **values: Any) -> IndexRecord:
        record = IndexRecord(
            key=uid(), knowledge_base=self.base, generation=self.generation, document=self.document,
            version=self.version, ordinal=0, text=text, terms=index_terms("", (), text),
            vector=unit(1.0) if vector is None else vector,
        )  # fmt: skip
        return replace(record, **values)

    def add(self, *records: IndexRecord, scope: Scope | None = None) -> int:
        return self.store.upsert(records, space=SPACE, scope=scope or self.scope)

    def near(self, vector: Vector, *, limit: int = 10, scope: Scope | None = None, **values: Any) -> list[str]:
        values = {"generations": [self.generation], "space": SPACE, **values}
        return [hit.text for hit in self.store.search_vector(vector, limit=limit, scope=scope or self.scope, **values)]

    def find(self, query: str, *, limit: int = 10, scope: Scope | None = None, **values: Any) -> list[str]:
        values = {"generations": [self.generation], "space": SPACE, **values}
        hits = self.store.search_keyword(terms(query), limit=limit, scope=scope or self.scope, **values)
        return [hit.text for hit in hits]

    def count(self, **values: Any) -> int:
        return self.store.count(**{"space": SPACE, "scope": self.scope, **values})

    def delete(self, **values: Any) -> int:
        return self.store.delete(**{"space": SPACE, "scope": self.scope, **values})


@pytest.fixture
def corpus(store: Store) -> Iterator[Corpus]:
    made = Corpus(store)
    yield made
    store.delete_tenant(tenant=made.tenant)


# --- writing


def test_upsert_returns_how_many_are_held(corpus: Corpus) -> None:
    assert corpus.add(corpus.record("one"), corpus.record("two")) == 2
    assert corpus.count() == 2
    assert corpus.add() == 0


def test_same_key_overwrites(corpus: Corpus) -> None:
    first = corpus.record("heron", unit(1, 0))
    corpus.add(first)
    assert corpus.add(replace(first, text="kestrel", terms="kestrel", vector=unit(0, 1))) == 1
    assert corpus.count() == 1
    assert corpus.find("kestrel") == ["kestrel"]
    assert corpus.find("heron") == []
    assert corpus.near(unit(0, 1)) == ["kestrel"]


def test_a_key_given_twice_in_one_write_keeps_the_last(corpus: Corpus) -> None:
    first = corpus.record("heron")
    assert corpus.add(first, replace(first, text="kestrel", terms="kestrel")) == 1
    assert corpus.find("kestrel heron") == ["kestrel"]


def test_text_comes_back_exactly(corpus: Corpus) -> None:
    text = "  Zeile\n\n\t東京 naïve 🦆 \u200f'\"\\ end "
    record = corpus.record(text)
    corpus.add(record)
    (hit,) = corpus.store.fetch([record.key, uid()], space=SPACE, scope=corpus.scope)
    expected = (record.key, record.document, record.version, record.knowledge_base, text, record.terms)
    assert hit.vector is not None
    np.testing.assert_allclose(hit.vector, record.vector, atol=1e-6)
    assert (hit.key, hit.document, hit.version, hit.knowledge_base, hit.text, hit.terms) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vector_that_is_not_finite_is_refused(corpus: Corpus, bad: float) -> None:
    vector = unit(1)
    vector[3] = bad
    with pytest.raises(StoreError):
        corpus.add(corpus.record("fine"), corpus.record("broken", vector))
    assert corpus.count() == 0


def test_vectors_of_another_dimension_are_refused(corpus: Corpus) -> None:
    corpus.add(corpus.record("eight"))
    with pytest.raises(StoreError):
        corpus.add(corpus.record("three", np.ones(3, dtype=np.float32)))
    with pytest.raises(StoreError):
        corpus.add(corpus.record("eight"), corpus.record("three", np.ones(3, dtype=np.float32)))
    assert corpus.count() == 1


def test_record_outside_the_scope_is_refused(corpus: Corpus) -> None:
    with pytest.raises(StoreError):
        corpus.add(corpus.record("foreign base", knowledge_base=uid()))
    narrow = Scope(tenant=corpus.tenant, knowledge_bases=frozenset({corpus.base}), documents=frozenset({uid()}))
    with pytest.raises(StoreError):
        corpus.add(corpus.record("foreign document"), scope=narrow)
    nothing = Scope(tenant=corpus.tenant, knowledge_bases=frozenset())
    with pytest.raises(StoreError):
        corpus.add(corpus.record("no base at all"), scope=nothing)
    assert corpus.count() == 0


EVIL = ["x' OR '1'='1", "*", "../../etc", "", "%", "A" * 36, "') OR true --"]


@pytest.mark.parametrize("evil", EVIL)
def test_ids_that_are_not_uuids_are_refused(corpus: Corpus, evil: str) -> None:
    corpus.add(corpus.record("treasure"))
    with pytest.raises(StoreError):
        corpus.add(corpus.record("evil", key=evil))
    with pytest.raises(StoreError):
        corpus.find("treasure", generations=[evil])
    with pytest.raises(StoreError):
        corpus.count(version=evil)
    with pytest.raises(StoreError):
        corpus.delete(versions=[evil])
    with pytest.raises(StoreError):
        corpus.delete(keys=[evil])
    for scope in (
        Scope(tenant=corpus.tenant, knowledge_bases=frozenset({evil})),
        Scope(tenant=corpus.tenant, knowledge_bases=frozenset({corpus.base}), documents=frozenset({evil})),
        Scope(tenant=evil or "/", knowledge_bases=frozenset({corpus.base})),
    ):
        with pytest.raises(StoreError):
            corpus.near(unit(1), scope=scope)
        with pytest.raises(StoreError):
            corpus.delete(scope=scope)
    assert corpus.count() == 1


# --- the walls


def test_tenants_bases_and_documents_are_walls(corpus: Corpus) -> None:
    other_base, other_document = uid(), uid()
    wide = Scope(tenant=corpus.tenant, knowledge_bases=frozenset({corpus.base, other_base}))
    corpus.add(
        corpus.record("own canary"),
        corpus.record("base canary", knowledge_base=other_base),
        corpus.record("document canary", document=other_document),
        scope=wide,
    )
    stranger = Corpus(corpus.store)
    stranger.base = corpus.base
    stranger.add(stranger.record("tenant canary", generation=corpus.generation))
    one = Scope(tenant=corpus.tenant, knowledge_bases=frozenset({corpus.base}), documents=frozenset({other_document}))
    for search in (corpus.find, lambda _, scope: corpus.near(unit(1), scope=scope)):
        assert sorted(search("canary", scope=corpus.scope)) == ["document canary", "own canary"]
        assert len(search("canary", scope=wide)) == 3
        assert search("canary", scope=one) == ["document canary"]
    assert corpus.count(scope=one) == 1
    assert len(list(corpus.store.keys(space=SPACE, scope=corpus.scope))) == 2
    assert corpus.delete(scope=one) == 1
    corpus.store.delete_tenant(tenant=corpus.tenant)
    assert stranger.count() == 1
    stranger.store.delete_tenant(tenant=stranger.tenant)


@pytest.mark.parametrize("more", [0, 2_500], ids=["named", "more than a search names"])
def test_documents_that_a_scope_leaves_out_take_nobody_s_place(corpus: Corpus, more: int) -> None:
    out, kept = uid(), uid()
    corpus.add(
        *[corpus.record("heron near", document=out, vector=unit(1)) for _ in range(12)],
        corpus.record("heron far", document=kept, vector=unit(1) + unit(2) / 2),
    )
    scope = replace(corpus.scope, without=frozenset({out, *[uid() for _ in range(more)]}))
    assert corpus.near(unit(1), limit=2, scope=scope) == ["heron far"]
    assert corpus.find("heron", limit=2, scope=scope) == ["heron far"]
    assert corpus.count(scope=scope) == 1
    assert [document for _, document, _ in corpus.store.keys(space=SPACE, scope=scope)] == [kept]
    only = replace(scope, documents=frozenset({out}))
    assert corpus.near(unit(1), scope=only) == corpus.find("heron", scope=only) == []


@pytest.mark.parametrize("kind", ["no tenant", "no base", "no document"])
def test_empty_scope_matches_nothing(corpus: Corpus, kind: str) -> None:
    record = corpus.record("heron")
    corpus.add(record)
    scope = {
        "no tenant": Scope(tenant="", knowledge_bases=frozenset({corpus.base})),
        "no base": Scope(tenant=corpus.tenant, knowledge_bases=frozenset()),
        "no document": replace(corpus.scope, documents=frozenset()),
    }[kind]
    assert corpus.near(unit(1), scope=scope) == []
    assert corpus.find("heron", scope=scope) == []
    assert corpus.store.fetch([record.key], space=SPACE, scope=scope) == []
    assert corpus.count(scope=scope) == 0
    assert list(corpus.store.keys(space=SPACE, scope=scope)) == []
    assert corpus.delete(scope=scope) == 0
    assert corpus.count() == 1


def test_fetch_does_not_reach_over_the_wall(corpus: Corpus) -> None:
    record = corpus.record("heron")
    corpus.add(record)
    elsewhere = Scope(tenant=corpus.tenant, knowledge_bases=frozenset({uid()}))
    assert corpus.store.fetch([record.key], space=SPACE, scope=elsewhere) == []


def test_a_generation_is_listed_and_deleted_alone(corpus: Corpus) -> None:
    kept, gone = corpus.record("heron"), corpus.record("kestrel", generation=uid())
    corpus.add(kept, gone)
    listed = corpus.store.keys(space=SPACE, scope=corpus.scope, generation=gone.generation)
    assert [key for key, _, _ in listed] == [gone.key]
    assert corpus.delete(generation=gone.generation, versions=[uid()]) == 0
    assert corpus.delete(generation=gone.generation, versions=[corpus.version]) == 1
    assert [key for key, _, _ in corpus.store.keys(space=SPACE, scope=corpus.scope)] == [kept.key]
    assert corpus.delete(generation=kept.generation) == 1


def test_only_named_generations_are_searched(corpus: Corpus) -> None:
    shadow = uid()
    corpus.add(corpus.record("live heron"), corpus.record("shadow heron", generation=shadow))
    assert corpus.find("heron") == ["live heron"]
    assert corpus.near(unit(1)) == ["live heron"]
    assert corpus.find("heron", generations=[shadow]) == ["shadow heron"]
    assert len(corpus.near(unit(1), generations=[shadow, corpus.generation])) == 2
    assert corpus.find("heron", generations=[]) == corpus.near(unit(1), generations=[]) == []
    assert corpus.count(generation=shadow) == 1


def test_unknown_space_and_tenant_give_nothing(corpus: Corpus) -> None:
    assert corpus.near(unit(1), space="never_made") == []
    assert corpus.find("heron", space="never_made") == []
    assert corpus.count(space="never_made") == corpus.delete(space="never_made") == 0
    assert corpus.near(unit(1)) == corpus.find("heron") == []
    assert list(corpus.store.keys(space=SPACE, scope=corpus.scope)) == []
    assert corpus.store.fetch([uid()], space=SPACE, scope=corpus.scope) == []
    assert corpus.store.spaces(tenant=corpus.tenant) == []
    corpus.store.optimize(space=SPACE, tenant=corpus.tenant)
    with pytest.raises(StoreError):
        corpus.count(space="../evil")


# --- searching


def test_vectors_come_in_order_of_cosine(corpus: Corpus) -> None:
    corpus.add(
        corpus.record("far", unit(0, 1)), corpus.record("exact", unit(1, 0)), corpus.record("near", unit(1, 0.2)),
        corpus.record("opposite", unit(-1, 0)),
    )  # fmt: skip
    assert corpus.near(unit(1)) == ["exact", "near", "far", "opposite"]
    hits = corpus.store.search_vector(
        unit(1), space=SPACE, generations=[corpus.generation], limit=3, scope=corpus.scope
    )
    assert [round(hit.score, 3) for hit in hits] == [1.0, 0.981, 0.0]


def test_keyword_finds_a_fresh_row_at_once(corpus: Corpus) -> None:
    corpus.add(corpus.record("The heron stands in the river."))
    assert corpus.find("herons") == ["The heron stands in the river."]
    corpus.store.optimize(space=SPACE, tenant=corpus.tenant)
    corpus.add(corpus.record("A kestrel hovers."))
    assert corpus.find("kestrel") == ["A kestrel hovers."]
    assert sorted(corpus.find("kestrel heron")) == ["A kestrel hovers.", "The heron stands in the river."]
    assert len(corpus.near(unit(1))) == 2


def test_keyword_hits_carry_their_vector(corpus: Corpus) -> None:
    corpus.add(corpus.record("heron", unit(1, 2, 3)))
    (hit,) = corpus.store.search_keyword(
        ["heron"], space=SPACE, generations=[corpus.generation], limit=5, scope=corpus.scope
    )
    assert hit.vector is not None
    assert np.allclose(hit.vector, unit(1, 2, 3), atol=1e-6)
    assert hit.score > 0


def test_more_and_rarer_terms_rank_higher(corpus: Corpus) -> None:
    corpus.add(*[corpus.record(f"common filler number{i}") for i in range(8)])
    corpus.add(corpus.record("common rare filler"), corpus.record("rare jewel filler"))
    assert corpus.find("common rare", limit=2) == ["common rare filler", "rare jewel filler"]


@pytest.mark.parametrize("query", ["AB-12/3", "ab-12/3", "v1.2.3", "foo_bar", "東京", "naïve", "1,234,567", "1234567"])
def test_identifiers_numbers_and_scripts_are_found(corpus: Corpus, query: str) -> None:
    text = "Order AB-12/3 of release v1.2.3 calls foo_bar in 東京都 with naïve trust, 1,234,567 times."
    corpus.add(corpus.record(text), corpus.record("Nothing to see here."))
    assert corpus.find(query) == [text]


@pytest.mark.parametrize(
    "query", ["", "   ", "the of and", "'; DROP TABLE", '"unclosed', "heron AND NOT (", "a:b^2 ~*?"]
)
def test_odd_queries_are_only_words(corpus: Corpus, query: str) -> None:
    corpus.add(corpus.record("quiet water"))
    assert corpus.find(query) == []


def test_limit_is_kept(corpus: Corpus) -> None:
    corpus.add(*[corpus.record(f"heron {i}") for i in range(12)])
    assert len(corpus.find("heron", limit=5)) == len(corpus.near(unit(1), limit=5)) == 5
    assert corpus.find("heron", limit=0) == corpus.near(unit(1), limit=0) == []


def test_five_thousand_rows(corpus: Corpus) -> None:
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(5_000, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    versions = [uid() for _ in range(5)]
    records = [
        corpus.record(f"passage serial{i} of group{i % 50}", vectors[i], version=versions[i % 5], ordinal=i)
        for i in range(5_000)
    ]
    assert corpus.add(*records) == corpus.count() == 5_000
    assert len(set(corpus.store.keys(space=SPACE, scope=corpus.scope))) == 5_000
    assert corpus.find("serial4321") == ["passage serial4321 of group21"]
    assert len(corpus.find("group21", limit=200)) == 100
    best = np.argsort(-(vectors @ vectors[77]))[:10]
    assert corpus.near(vectors[77]) == [records[i].text for i in best]
    assert corpus.count(version=versions[0]) == 1_000
    assert corpus.delete(versions=versions[:2]) == 2_000
    assert corpus.count() == 3_000
    assert corpus.near(vectors[75], limit=1) != [records[75].text]


# --- deleting


def test_delete_by_version_key_and_all_with_counts(corpus: Corpus) -> None:
    old, new = uid(), uid()
    records = [corpus.record(f"old {i}", version=old) for i in range(3)]
    records += [corpus.record(f"new {i}", version=new) for i in range(3)]
    corpus.add(*records)
    assert corpus.delete(versions=[]) == corpus.delete(keys=[]) == 0
    assert corpus.delete(versions=[old]) == 3
    assert corpus.delete(versions=[old]) == 0
    assert corpus.count(version=old) == 0
    assert corpus.delete(keys=[records[3].key, uid()]) == 1
    assert sorted(corpus.find("new old")) == ["new 1", "new 2"]
    assert corpus.delete() == 2
    assert corpus.count() == 0
    assert corpus.near(unit(1)) == []


def test_keys_name_document_and_version(corpus: Corpus) -> None:
    record = corpus.record("heron")
    corpus.add(record, corpus.record("elsewhere", document=uid()))
    scope = replace(corpus.scope, documents=frozenset({record.document}))
    assert list(corpus.store.keys(space=SPACE, scope=scope)) == [(record.key, record.document, record.version)]


def test_bases_are_named_that_hold_records_and_no_others(corpus: Corpus) -> None:
    others = [uid() for _ in range(120)]
    wide = Scope(tenant=corpus.tenant, knowledge_bases=frozenset({corpus.base, *others}))
    corpus.add(corpus.record("own"), *[corpus.record("other", knowledge_base=base) for base in others], scope=wide)
    stranger = Corpus(corpus.store)
    stranger.add(stranger.record("of another tenant"))
    named = {"space": SPACE, "tenant": corpus.tenant}
    assert corpus.store.bases(**named) == sorted([corpus.base, *others])
    corpus.delete()
    assert corpus.store.bases(**named) == sorted(others)
    corpus.delete(scope=Scope(tenant=corpus.tenant, knowledge_bases=frozenset(others)))
    assert corpus.store.bases(**named) == []
    assert corpus.store.bases(space="never_made", tenant=corpus.tenant) == []
    assert corpus.store.bases(space=SPACE, tenant=uid()) == []
    stranger.store.delete_tenant(tenant=stranger.tenant)


@pytest.mark.parametrize("evil", EVIL)
def test_bases_of_a_tenant_that_is_no_uuid_are_refused(corpus: Corpus, evil: str) -> None:
    corpus.add(corpus.record("treasure"))
    with pytest.raises(StoreError):
        corpus.store.bases(space=SPACE, tenant=evil)


def test_deleted_tenant_is_gone_and_may_return(corpus: Corpus) -> None:
    corpus.add(corpus.record("before"))
    assert corpus.near(unit(1)) == ["before"]
    assert corpus.store.spaces(tenant=corpus.tenant) == [SPACE]
    corpus.store.delete_tenant(tenant=corpus.tenant)
    assert corpus.store.spaces(tenant=corpus.tenant) == []
    assert corpus.near(unit(1)) == corpus.find("before") == []
    corpus.add(corpus.record("after"))
    assert corpus.near(unit(1)) == ["after"]
    assert corpus.find("before") == []


def test_optimize_changes_no_answer(corpus: Corpus) -> None:
    records = [corpus.record(f"heron {i}", unit(1, i)) for i in range(20)]
    corpus.add(*records)
    corpus.delete(keys=[records[0].key])
    before = corpus.find("heron", limit=50), corpus.near(unit(1), limit=50)
    for _ in range(2):
        corpus.store.optimize(space=SPACE, tenant=corpus.tenant)
    after = corpus.find("heron", limit=50), corpus.near(unit(1), limit=50)
    assert sorted(after[0]) == sorted(before[0])
    assert after[1] == before[1]
    assert corpus.count() == 19


def test_health_names_a_version_and_is_well(store: Store) -> None:
    health = store.health()
    assert health.ok, health.detail
    assert health.name == store.name
    assert health.version[0].isdigit()


# --- whole records and facts


def by_key(records: Iterable[IndexRecord]) -> dict[str, IndexRecord]:
    return {record.key: record for record in records}


def test_records_come_back_whole(corpus: Corpus) -> None:
    written = [corpus.record(f"Reiher \u200f東京 {i}", unit(1, i), ordinal=i) for i in range(1_205)]  # several batches
    corpus.add(*written)
    found = by_key(corpus.store.records(space=SPACE, scope=corpus.scope))
    assert found.keys() == by_key(written).keys()
    for record in written:
        same = found[record.key]
        for name in ("knowledge_base", "generation", "document", "version", "ordinal", "text", "terms"):
            assert getattr(same, name) == getattr(record, name)
        assert np.allclose(same.vector, record.vector, atol=1e-6)
    some = [written[7].key, written[1_100].key, uid()]
    assert by_key(corpus.store.records(space=SPACE, scope=corpus.scope, keys=some)).keys() == set(some[:2])


def test_records_keep_to_the_scope(corpus: Corpus) -> None:
    other_base, other_document = uid(), uid()
    wide = Scope(tenant=corpus.tenant, knowledge_bases=frozenset({corpus.base, other_base}))
    own, foreign = corpus.record("own"), corpus.record("other base", knowledge_base=other_base)
    elsewhere = corpus.record("other document", document=other_document)
    corpus.add(own, foreign, elsewhere, scope=wide)
    keys = [own.key, foreign.key, elsewhere.key]
    one = replace(corpus.scope, documents=frozenset({other_document}))
    for scope, expected in ((corpus.scope, {own.key, elsewhere.key}), (one, {elsewhere.key}), (wide, set(keys))):
        assert by_key(corpus.store.records(space=SPACE, scope=scope)).keys() == expected
        assert by_key(corpus.store.records(space=SPACE, scope=scope, keys=keys)).keys() == expected
    nothing = Scope(tenant=corpus.tenant, knowledge_bases=frozenset())
    stranger = replace(corpus.scope, tenant=uid())
    for scope in (nothing, stranger):
        assert list(corpus.store.records(space=SPACE, scope=scope)) == []
        assert list(corpus.store.records(space=SPACE, scope=scope, keys=keys)) == []
    assert list(corpus.store.records(space="never_made", scope=corpus.scope)) == []
    assert list(corpus.store.records(space=SPACE, scope=corpus.scope, keys=[])) == []
    with pytest.raises(StoreError):
        corpus.store.records(space=SPACE, scope=corpus.scope, keys=["x' OR '1'='1"])


def test_facts_count_what_is_there(corpus: Corpus) -> None:
    where = {"space": SPACE, "tenant": corpus.tenant}
    assert corpus.store.facts(**where) is None
    assert not corpus.store.needs_upkeep(**where)
    for i in range(3):
        corpus.add(corpus.record(f"heron {i}"))
    facts = corpus.store.facts(**where)
    assert facts is not None
    assert facts.rows == 3
    corpus.store.optimize(**where)
    assert not corpus.store.needs_upkeep(**where)
    facts = corpus.store.facts(**where)
    assert facts is not None
    assert (facts.rows, facts.dirty, facts.versions in (1, None)) == (3, False, True)
    assert not any(facts.unindexed.values())
    with pytest.raises(StoreError):
        corpus.store.facts(space="../evil", tenant=corpus.tenant)
    with pytest.raises(StoreError):
        corpus.store.facts(space=SPACE, tenant="../evil")


# --- several processes


PROCESS = """
import json, sys
import numpy as np
from importlib import import_module
from uuid import UUID, uuid4
from knowledge.types import IndexRecord, Scope

order = json.loads(sys.argv[1])
module, _, name = order["settings"]["class"].rpartition(".")
store = getattr(import_module(module), name)(**order["settings"]["arguments"])
scope = Scope(tenant=order["tenant"], knowledge_bases=frozenset([order["base"]]))
where = {"space": order["space"], "scope": scope}
vector = np.zeros(8, dtype=np.float32)
vector[0] = 1
problems = []
for turn in range(order["turns"]):
    if order["role"] == "write":
        version = str(uuid4())
        records = [
            IndexRecord(key=str(uuid4()), knowledge_base=order["base"], generation=order["generation"],
                        document=order["document"], version=version, ordinal=i, text=f"heron {turn} {i}",
                        terms=f"heron t{turn}", vector=vector)
            for i in range(10)
        ]
        if store.upsert(records, **where) != 10:
            problems.append("written rows are missing")
        if turn % 2 and store.delete(versions=[version], **where) != 10:
            problems.append("deleted rows were not counted")
        if order["optimize"] and turn % 3 == 2:
            store.optimize(space=order["space"], tenant=order["tenant"])
    else:
        search = {"generations": [order["generation"]], "limit": 1000, **where}
        for hits in (store.search_vector(vector, **search), store.search_keyword(["heron"], **search)):
            if len(hits) < 5:  # the rows that were there before and are never deleted
                problems.append(f"only {len(hits)} rows seen")
            if any(not hit.text.startswith("heron") for hit in hits):
                problems.append("a torn row was seen")
store.close()
print(json.dumps(problems))
"""


def test_writers_and_readers_in_several_processes(corpus: Corpus, store_settings: dict[str, Any]) -> None:
    corpus.add(*[corpus.record(f"heron {i}") for i in range(5)])
    order = {
        "settings": store_settings, "tenant": corpus.tenant, "base": corpus.base, "generation": corpus.generation,
        "document": corpus.document, "space": SPACE,
    }  # fmt: skip
    roles = [
        {"role": "write", "turns": 12, "optimize": True},
        {"role": "write", "turns": 12, "optimize": False},
        {"role": "read", "turns": 40, "optimize": False},
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, json.dumps({**order, **role})],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for role in roles
    ]  # fmt: skip
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert json.loads(out) == []
    expected = 5 + 2 * 6 * 10  # every second turn of each writer deleted its rows again
    assert corpus.count() == expected
    assert len(corpus.find("heron", limit=1_000)) == len(corpus.near(unit(1), limit=1_000)) == expected
