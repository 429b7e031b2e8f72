"""Every kind of difference between database, index and files is planted, found and mended, over each store."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from document_world import World

from knowledge import wiring
from knowledge.documents import services, tasks
from knowledge.documents.indexes import leftovers, reconcile, statistics
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexEntry,
    IndexGeneration,
    KnowledgeBase,
    TermStatistic,
)
from knowledge.documents.signals import document_changed
from knowledge.stores.base import Store
from knowledge.tenants.access import system_actor
from knowledge.tenants.models import Tenant
from knowledge.types import IndexRecord, Scope

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("store_settings", ["lance", "weaviate"], indirect=True),
]

LONG_AGO = time.time() - 7200
TEXT = "## Otter {0}\n\nThe otter rule number {0} is explained here.\n\n"


@pytest.fixture(scope="module", autouse=True)
def _parts() -> Iterator[None]:
    """No parser child outlives the tests."""
    yield
    wiring.reset()


@pytest.fixture
def store(store_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    module, _, name = store_settings["class"].rpartition(".")
    opened: Store = getattr(import_module(module), name)(**store_settings["arguments"])
    monkeypatch.setattr(wiring, "store", lambda: opened)
    searching = (os.getpid(), "retrieval")  # what searches hold, with the store of another test
    wiring._built.pop(searching, None)
    yield opened
    wiring._built.pop(searching, None)
    for tenant in opened.tenants():
        opened.delete_tenant(tenant=tenant)
    opened.close()


@pytest.fixture
def world(store: Store, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A base with two documents of which one has two versions, over the store."""
    monkeypatch.setattr(tasks, "publish", lambda *_, **__: True)
    monkeypatch.setattr(document_changed, "receivers", [])
    actor = system_actor(tenant)
    made = World(actor, services.create_knowledge_base(actor=actor, name="Handbook"))
    made.add("The first wording about herons.", "heron.md")
    made.add("The second wording about herons.", "heron.md")
    made.add("".join(TEXT.format(n) for n in range(3)), "otter.md")
    made.base.refresh_from_db()
    return made


def compare(world: World, *, repair: bool = False, deep: bool = True) -> reconcile.Report:
    return reconcile.reconcile(tenant=world.base.tenant, repair=repair, deep=deep)


def otter() -> DocumentVersion:
    return DocumentVersion.objects.select_related("document").get(document__name="otter.md")


def folder(version: DocumentVersion) -> Path:
    return Path(default_storage.path(version.folder))


def rows(version: DocumentVersion) -> list[Chunk]:
    return list(Chunk.objects.filter(version=version).order_by("ordinal"))


def overwrite(world: World, **changes: Any) -> str:
    """Write one record of the otter's again with something else in it; return its key."""
    row = rows(otter())[1]
    [hit] = wiring.store().fetch([str(row.pk)], space=world.space, scope=world.scope)
    facts: dict[str, Any] = {
        "key": hit.key, "knowledge_base": hit.knowledge_base, "generation": str(row.generation_id),
        "document": hit.document, "version": hit.version, "ordinal": row.ordinal, "text": hit.text, "terms": hit.terms,
        "vector": hit.vector,
    }  # fmt: skip
    wiring.store().upsert([IndexRecord(**{**facts, **changes})], space=world.space, scope=world.scope)
    return hit.key


def record_of(world: World, **names: str) -> None:
    """Write a record that no row asks for."""
    facts = {name: str(uuid4()) for name in ("key", "generation", "document", "version")} | {
        "knowledge_base": str(world.base.pk)
    }
    space = names.pop("space", world.space)
    vector = np.ones(8 if space != world.space else 384, dtype=np.float32)
    record = IndexRecord(**{**facts, **names}, ordinal=0, text="ghost", terms="ghost", vector=vector)
    scope = Scope(tenant=str(world.actor.tenant_id), knowledge_bases=frozenset({record.knowledge_base}))
    wiring.store().upsert([record], space=space, scope=scope)


def aged(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


def strange_file(name: str, *, old: bool = False) -> None:
    path = folder(otter()) / name
    path.write_bytes(b"left over")
    if old:
        aged(path)


def spare_rows(world: World) -> None:
    first = DocumentVersion.objects.get(document__name="heron.md", number=1)
    Chunk.objects.create(
        id=uuid4(), version=first, generation=world.base.live_generation, ordinal=0, start=0, end=5
    )  # fmt: skip


def lost_folder(world: World) -> None:
    path = Path(default_storage.path(f"{world.actor.tenant_id}/{uuid4()}/{uuid4()}/original"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nobody's")
    aged(path)


def no_rows(world: World) -> None:
    Chunk.objects.filter(version=otter()).delete()


def other_counts(world: World) -> None:
    IndexGeneration.objects.update(chunks=99, terms=1)


def other_terms(world: World) -> None:
    TermStatistic.objects.filter(term="otter").update(frequency=9)
    TermStatistic.objects.create(generation=world.base.live_generation, term="ghost", frequency=1)
    TermStatistic.objects.filter(term="rule").delete()


def other_counts_beside(world: World) -> None:
    """The counts beside a version are readable and not those of its words."""
    path = folder(otter()) / f"terms-{world.base.live_generation_id}.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"chunks": 3, "terms": 3, "frequency": {"ghost": 3}}).encode()))


def cut(name: str) -> Callable[[World], None]:
    def plant(world: World) -> None:
        [path] = folder(otter()).glob(name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return plant


def remove(name: str) -> Callable[[World], None]:
    def plant(world: World) -> None:
        [path] = folder(otter()).glob(name)
        path.unlink()

    return plant


KINDS: dict[str, tuple[str, Callable[[World], object]]] = {
    "a record is missing": (
        "missing",
        lambda w: wiring.store().delete(space=w.space, scope=w.scope, keys=[str(rows(otter())[0].pk)]),
    ),
    "a record nobody asks for": ("orphans", record_of),
    "records of a base that is gone": ("orphans", lambda w: record_of(w, knowledge_base=str(uuid4()))),
    "records in a space of no generation": ("orphans", lambda w: record_of(w, space="elsewhere_8_aa")),
    "a record with another text": ("wrong", lambda w: overwrite(w, text="Something else.")),
    "a record with other words": ("wrong", lambda w: overwrite(w, terms="ghost words")),
    "a record of another generation": ("wrong", lambda w: overwrite(w, generation=str(uuid4()))),
    "a record of another version": ("wrong", lambda w: overwrite(w, version=str(uuid4()))),
    "a record of another document": ("wrong", lambda w: overwrite(w, document=str(uuid4()))),
    "rows of passages are gone": ("missing", no_rows),
    "rows of a version that is not searched": ("spare", spare_rows),
    "an entry is gone": ("missing", lambda w: IndexEntry.objects.filter(version=otter()).delete()),
    "totals are wrong": ("statistics", other_counts),
    "words are counted wrong": ("statistics", other_terms),
    "counts beside a version are wrong": ("wrong", other_counts_beside),
    "counts beside a version are gone": ("derived", remove("terms-*")),
    "token vectors are gone": ("derived", remove("tokens-*")),
    "token vectors are cut off": ("derived", cut("tokens-*")),
    "counts of a generation that is gone": ("folders", lambda _: strange_file(f"terms-{uuid4()}.json.gz")),
    "token vectors of a generation that is gone": ("folders", lambda _: strange_file(f"tokens-signs-1-{uuid4()}.bin")),
    "a half-written file": ("folders", lambda _: strange_file(".new-abc", old=True)),
    "files of a document that is gone": ("folders", lost_folder),
    "a text is missing": ("texts", remove("text.txt")),
    "a text was changed": ("texts", cut("text.txt")),
    "a layout is missing": ("texts", remove("layout.json.gz")),
}  # fmt: skip


def whole(world: World) -> None:
    """Everything is as it was: nothing differs, keys are rows, statistics are counts, searches find both documents."""
    assert compare(world).differences == {}
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()
    assert "otter.md" in world.titles("otter rule number")
    assert "heron.md" in world.titles("second wording herons")


def test_nothing_differs_at_first(world: World) -> None:
    whole(world)
    assert compare(world).records == len(world.rows())


@pytest.mark.parametrize("kind", KINDS)
def test_difference_is_found_and_mended(world: World, kind: str) -> None:
    name, plant = KINDS[kind]
    before = world.keys()
    plant(world)
    found = compare(world)
    assert found.differences.get(name), (kind, found.differences)
    assert compare(world, repair=True).lost == []
    whole(world)
    assert world.keys() == before


def test_all_differences_at_once(world: World) -> None:
    clashing = {
        "a text is missing",
        "rows of passages are gone",
        "counts beside a version are gone",
        "token vectors are gone",
    }
    for kind, (_, plant) in KINDS.items():
        if kind not in clashing:
            plant(world)
    compare(world, repair=True)
    compare(world, repair=True)  # a version whose text had to be read first is compared anew
    whole(world)


def test_file_that_is_just_being_written_is_left_alone(world: World) -> None:
    strange_file(".new-abc")
    assert compare(world, repair=True).agrees
    assert (folder(otter()) / ".new-abc").exists()


def test_lost_original_is_told_to_a_person(world: World) -> None:
    (folder(otter()) / "original").unlink()
    for _ in range(2):
        [sentence] = compare(world, repair=True).lost
        assert sentence.startswith("otter.md (version 1, ")
        assert sentence.endswith("has lost its original file: upload it again, or delete it.")


def test_text_that_is_read_in_another_way_today_is_told_and_not_replaced(world: World) -> None:
    DocumentVersion.objects.filter(pk=otter().pk).update(text_sha256="0" * 64)
    before = (folder(otter()) / "text.txt").read_bytes()
    [sentence] = compare(world, repair=True).lost
    assert "is read in another way today: upload it again" in sentence
    assert (folder(otter()) / "text.txt").read_bytes() == before


def test_empty_table_is_found_and_removed(world: World, store: Store) -> None:
    record_of(world, space="elsewhere_8_aa")
    compare(world, repair=True)
    assert store.spaces(tenant=str(world.actor.tenant_id)) == [world.space]
    whole(world)


def test_quick_comparison_reads_no_record(world: World, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    overwrite(world, text="Something else.")
    asked: list[int] = []
    real = store.fetch
    monkeypatch.setattr(store, "fetch", lambda keys, **named: (asked.append(len(keys)), real(keys, **named))[1])
    assert compare(world, deep=False).agrees
    assert sum(asked) == 0
    assert not compare(world).agrees


def test_another_generation_of_the_base_is_compared_too(world: World) -> None:
    from knowledge.documents.indexes import building, generations

    beside = generations.start(base=world.base, chunker="fixed:target=100")
    building.run(job_id=beside.jobs.get().pk)
    beside.refresh_from_db()
    assert (beside.state, compare(world).differences) == ("ready", {})
    [gone, *_] = [str(row.pk) for row in Chunk.objects.filter(generation=beside)]
    wiring.store().delete(space=world.space, scope=world.scope, keys=[gone])
    IndexGeneration.objects.filter(pk=beside.pk).update(terms=1)
    found = compare(world)
    assert (found.missing, found.statistics) == ([gone], [str(beside.pk)])
    compare(world, repair=True)
    assert compare(world).differences == {}
    assert not statistics.differ(beside)


def test_what_organisations_left_that_are_gone_is_found_and_removed(
    world: World, store: Store, other_tenant: Any
) -> None:
    record_of(world)
    leftovers.leftovers(repair=True)  # of other tests
    actor = system_actor(other_tenant)
    gone, own = str(other_tenant.pk), str(world.actor.tenant_id)
    World(actor, services.create_knowledge_base(actor=actor, name="Theirs")).add("The wren sings.")
    KnowledgeBase.objects.filter(tenant=other_tenant).delete()
    Tenant.objects.filter(pk=gone).delete()
    for path in Path(default_storage.path(gone)).rglob("*"):
        aged(path)
    found = leftovers.leftovers(repair=False)
    assert (found.folders, found.tenants, found.agrees) == ([gone], [gone], False)
    found = leftovers.leftovers(repair=True)
    if not store.own:  # another installation may use the same server
        assert store.tenants() == sorted([gone, own])
        assert f"--forget {gone}" in found.told[0]
        found = leftovers.leftovers(repair=True, forget=[gone])
    assert (found.told, store.tenants()) == ([], [own])
    assert leftovers.leftovers(repair=False).agrees
    compare(world, repair=True)
    whole(world)


def test_cut_off_upload_is_removed_after_an_hour(world: World, settings: Any, tmp_path: Path) -> None:
    tmp_path /= "uploads"
    tmp_path.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    for name in ("old.upload.md", "new.upload.md"):
        (tmp_path / name).write_bytes(b"half a file")
    aged(tmp_path / "old.upload.md")
    found = leftovers.leftovers(repair=True)
    assert found.uploads == [str(tmp_path / "old.upload.md")]
    assert [path.name for path in tmp_path.iterdir()] == ["new.upload.md"]


# --- rebuilding --------------------------------------------------------------------------------------


def test_no_question_asked_during_a_rebuild_is_empty(world: World) -> None:
    stop, asked, wrong = threading.Event(), [0], list[str]()

    def ask() -> None:
        try:
            while not stop.is_set():
                found = {passage.title for passage in world.search("otter rule number explained")}
                asked[0] += 1
                if "otter.md" not in found:
                    wrong.append(f"question {asked[0]}: {found}")
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(3):
            assert reconcile.rebuild(base=world.base) == (2, 4)
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert asked[0] >= 10
    whole(world)


def test_rebuild_mends_everything_that_is_derived(world: World) -> None:
    for kind in ("a record is missing", "a record nobody asks for", "a record with another text",
                 "a record of another generation", "words are counted wrong", "token vectors are gone"):  # fmt: skip
        KINDS[kind][1](world)
    assert reconcile.rebuild(base=world.base) == (2, 4)
    whole(world)


def test_wrong_statistics_keep_no_document_from_being_deleted(world: World) -> None:
    IndexGeneration.objects.update(chunks=0, terms=1)
    services.delete_document(document=Document.objects.get(name="otter.md"))
    world.work()
    assert compare(world, repair=True).statistics
    assert world.stated() == world.counted()


def test_document_left_alone_by_a_comparison_while_it_is_deleted(world: World) -> None:
    document = Document.objects.get(name="otter.md")
    services.delete_document(document=document)
    assert compare(world, repair=True).spare == []
    world.work()
    assert compare(world).agrees
