"""What retrieval joins against: live rows of the scope and nothing else."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from knowledge.documents import files, live, searching, selectors, services
from knowledge.documents.indexes import indexing
from knowledge.documents.models import Chunk, DocumentVersion, TermStatistic
from knowledge.types import Query, Scope

pytestmark = pytest.mark.django_db(transaction=True)

live_rows = live.LiveRows()


def found(keys: Any, scope: Scope) -> set[str]:
    return set(live_rows.passages(list(keys), scope=scope))


def test_row_says_where_a_passage_lies(world: Any) -> None:
    document = world.add("# Leave\n\n## Illness\n\nCall before nine.\n", "leave.md", title="House rules")
    [key] = world.keys()
    row = live_rows.passages([key], scope=world.scope)[key]
    assert (row.document, row.version_id, row.version) == (str(document.pk), str(document.current_version_id), 1)
    assert (row.title, row.knowledge_base) == ("House rules", str(world.base.pk))
    assert row.heading_path == ("Leave", "Illness")
    assert "Call before nine." in selectors.version_text(document.current_version)[row.start : row.end]


def test_unknown_keys_and_empty_scopes_give_nothing(world: Any) -> None:
    world.add("Words.")
    keys = world.keys()
    assert found(keys, world.scope) == keys
    assert found([], world.scope) == set()
    assert found([str(world.base.pk)], world.scope) == set()
    assert found(keys, replace(world.scope, knowledge_bases=frozenset())) == set()
    assert found(keys, replace(world.scope, documents=frozenset())) == set()


def test_foreign_rows_are_dropped_whatever_the_scope_claims(world: Any, other_world: Any) -> None:
    world.add("Words.")
    keys = world.keys()
    assert found(keys, other_world.scope) == set()
    assert found(keys, replace(other_world.scope, knowledge_bases=world.scope.knowledge_bases)) == set()
    assert found(keys, replace(world.scope, knowledge_bases=other_world.scope.knowledge_bases)) == set()


def test_scope_of_documents_drops_the_others(world: Any) -> None:
    first = world.add("The otter.", "a.md")
    world.add("The heron.", "b.md")
    only = replace(world.scope, documents=frozenset({str(first.pk)}))
    assert len(found(world.keys(), only)) == 1
    assert {p.document for p in searching.search(Query(text="heron"), scope=only).passages} <= {str(first.pk)}


def test_archived_versions_are_dropped_though_their_rows_are_there(world: Any) -> None:
    world.add("The first wording.")
    old = world.keys()
    document = world.add("The second wording.")
    version = document.versions.get(number=1)
    generation = world.base.__class__.objects.get(pk=world.base.pk).live_generation
    parsed = selectors.version_parsed(version)
    ranges = indexing.stages.chunk(
        parsed, title="t", chunker=indexing.wiring.chunker(), embedder=indexing.wiring.embedder()
    )
    Chunk.objects.bulk_create(indexing.chunk_rows(version, generation, ranges, digests={}))
    assert old <= world.rows()
    assert found(old, world.scope) == set()


def test_rows_that_are_being_deleted_are_dropped(world: Any) -> None:
    document = world.add("The otter.", "a.md")
    world.add("The heron.", "b.md")
    keys = world.keys()
    services.delete_document(document=document)
    assert len(found(keys, world.scope)) == 1
    world.base.__class__.objects.update(deleting=True)
    assert found(keys, world.scope) == set()


def test_rows_of_another_generation_are_dropped(world: Any) -> None:
    world.add("Words.")
    keys = world.keys()
    world.base.refresh_from_db()
    other = world.base.live_generation
    other.pk = None
    other._state.adding = True
    other.save(force_insert=True)
    world.base.live_generation = other
    world.base.save()
    assert found(keys, world.scope) == set()


def test_generations_are_the_live_ones_of_the_scope(world: Any, other_world: Any) -> None:
    assert live.LiveIndex().generations(world.scope) == []
    world.add("Words.")
    other_world.add("Words.")
    world.base.refresh_from_db()
    assert live.LiveIndex().generations(world.scope) == [(world.space, [str(world.base.live_generation_id)])]
    stolen = replace(world.scope, knowledge_bases=other_world.scope.knowledge_bases)
    assert live.LiveIndex().generations(stolen) == []
    assert live.LiveIndex().generations(replace(world.scope, knowledge_bases=frozenset())) == []


def test_search_never_crosses_the_tenants(world: Any, other_world: Any) -> None:
    world.add("The otter sleeps at noon.")
    other_world.add("The otter swims at night.")
    assert {p.text for p in world.search("otter")} == {"The otter sleeps at noon."}
    assert {p.text for p in other_world.search("otter")} == {"The otter swims at night."}


def test_parsed_document_comes_back_as_it_was_stored(world: Any) -> None:
    document = world.add("# Leave\n\nThirty days.\n\n- one\n- two\n")
    version = document.current_version
    parsed, layout = selectors.version_parsed(version), selectors.version_layout(version)
    assert parsed.text == selectors.version_text(version)
    assert (parsed.parser, parsed.media_type) == (version.parser, "text/markdown")
    assert layout.blocks == parsed.blocks
    assert [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind == "list_item"] == ["- one", "- two"]
    assert selectors.version_boxes(version) is None


def test_texts_are_kept_within_their_budget(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [world.add(f"{word} " * 10, f"{word}.txt").current_version for word in ("otter", "heron", "wren")]
    cache = selectors.TextCache(budget=110)
    texts = [cache(str(version.pk)) for version in versions]
    assert [text.split()[0] for text in texts] == ["otter", "heron", "wren"]
    reads: list[object] = []
    real = files.read
    monkeypatch.setattr(files, "read", lambda *a: reads.append(a) or real(*a))
    cache(str(versions[2].pk))
    assert reads == []
    cache(str(versions[0].pk))
    assert len(reads) == 1


def test_text_of_a_version_that_was_just_deleted_is_empty(world: Any) -> None:
    document = world.add("The otter.")
    version: DocumentVersion = document.current_version
    cache = selectors.TextCache()
    files.remove(version, files.TEXT)
    assert cache(str(version.pk)) == ""
    services.delete_document(document=document)
    world.work()
    assert cache(str(version.pk)) == ""


def test_chunks_of_a_range_are_those_that_touch_it(world: Any) -> None:
    text = "".join(f"# Part {part}\n\n{'Words of it. ' * 60}\n\n" for part in range(4))
    document = world.add(text)
    version = DocumentVersion.objects.select_related("document__knowledge_base").get(pk=document.current_version_id)
    chunks = selectors.live_chunks(version, 0, len(text))
    assert len(chunks) >= 4
    second = chunks[1]
    assert [row.pk for row in selectors.live_chunks(version, second.start, second.start + 1)] == [
        row.pk for row in chunks if row.start <= second.start < row.end
    ]
    assert selectors.live_chunks(version, len(text) + 1, len(text) + 9) == []
    Chunk.objects.filter(pk=second.pk).update(generation=indexing.IndexGeneration.objects.create(
        knowledge_base=world.base, dimension=3, space="older"
    ))  # fmt: skip
    assert second.pk not in {row.pk for row in selectors.live_chunks(version, 0, len(text))}


def test_a_version_keeps_the_reason_why_it_failed(world: Any) -> None:
    document = world.add(b"%PDF-1.4\nnothing", "notes.pdf")
    first = document.versions.get()
    first.document = document
    assert selectors.failure_of(first) == document.error != ""
    document = world.add(b"%PDF-1.4\nnothing else", "notes.pdf")
    older, newest = document.versions.order_by("number")
    for version in (older, newest):
        version.document = document
    document.error = "Another reason."
    assert selectors.failure_of(newest) == "Another reason."
    assert selectors.failure_of(older).startswith("The PDF is damaged")
    good = world.add("Words.", "good.md")
    assert selectors.failure_of(good.current_version) == ""


def test_near_terms_are_those_of_the_scope_by_letter_and_length(world: Any) -> None:
    world.base.refresh_from_db()
    world.add("Words.")
    world.base.refresh_from_db()
    generation = world.base.live_generation
    for term, frequency in (("manag", 4), ("manage", 2), ("manatee", 1), ("zebra", 3), ("mango", 0), ("änderung", 1)):
        TermStatistic.objects.create(generation=generation, term=term, frequency=frequency)
    scope = world.scope
    assert live.LiveIndex().near_terms("m", 5, 6, scope) == {"manag": 4, "manage": 2}
    assert live.LiveIndex().near_terms("z", 1, 9, scope) == {"zebra": 3}
    assert live.LiveIndex().near_terms("ä", 1, 9, scope) == {"änderung": 1}
    assert live.LiveIndex().near_terms("m", 1, 9, replace(scope, knowledge_bases=frozenset())) == {}
    assert live.LiveIndex().near_terms("m", 1, 9, replace(scope, tenant=str(uuid4()))) == {}


def test_a_search_asks_for_its_generations_once(world: Any, django_assert_num_queries: Any) -> None:
    world.add("An otter sleeps.")
    world.base.refresh_from_db()
    index = live.LiveIndex()
    with django_assert_num_queries(2):
        assert index.generations(world.scope) == [(world.space, [str(world.base.live_generation_id)])]
        assert index.languages(world.scope) == {"en"}
        assert index.for_terms(["otter"], scope=world.scope).document_frequency == {"otter": 1}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite")
def test_live_rows_are_looked_up_by_their_keys(world: Any, django_assert_num_queries: Any) -> None:
    """Not by reading all chunks of the generation, which SQLite would do of itself."""
    world.add("An otter sleeps.")
    with django_assert_num_queries(1) as asked:
        assert live_rows.passages(list(world.keys()), scope=world.scope)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {asked.captured_queries[0]['sql']}")
        plan = [row[3] for row in cursor.fetchall()]
    assert "SEARCH chunk USING INDEX sqlite_autoindex_documents_chunk_1 (id=?)" in plan[0]


def test_texts_that_nobody_asked_for_in_a_while_are_dropped(world: Any) -> None:
    versions = [str(world.add(f"The {word} sleeps.", f"{word}.md").current_version_id) for word in ("otter", "heron")]
    cache = selectors.TextCache(seconds=0.2)
    cache(versions[0])
    assert cache.holds(versions) == 1
    time.sleep(0.25)
    cache(versions[1])
    assert (cache.holds(versions), cache.holds(versions[:1])) == (1, 0)
    cache.forget(versions)
    assert cache.holds(versions) == 0
