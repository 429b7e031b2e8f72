"""Index generations: built beside the live one, current with every change, switched, gone back from, removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import files, jobs, services, tasks
from knowledge.documents.indexes import building, generations, indexing, reconcile
from knowledge.documents.live import LiveRows
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexEntry,
    IndexGeneration,
    IndexJob,
    KnowledgeBase,
    TermStatistic,
)
from knowledge.errors import GenerationRefused, StoreBusy, StoreUnavailable
from knowledge.ingestion import stages
from knowledge.types import ChunkRange

pytestmark = pytest.mark.django_db(transaction=True)

State = IndexGeneration.State
OTHER = "structural:target=200"


@pytest.fixture
def filled(world: Any, sections: Callable[..., str]) -> Any:
    world.add(sections("otter", 3), "a.md")
    world.add(sections("heron", 2), "b.md")
    world.base.refresh_from_db()
    return world


def work() -> int:
    """Run every due index job as workers would; return how many there were."""
    due = list(IndexJob.objects.due(now=timezone.now()).order_by("created"))
    for job in due:
        building.run(job_id=job.pk)
    return len(due)


def live(world: Any) -> Any:
    return KnowledgeBase.objects.get(pk=world.base.pk).live_generation


def built(world: Any, **choice: Any) -> IndexGeneration:
    """Begin another generation and build it."""
    generation = generations.start(base=world.base, **{"chunker": OTHER, **choice})
    work()
    return IndexGeneration.objects.get(pk=generation.pk)


def records(world: Any, generation: IndexGeneration) -> set[str]:
    held = wiring.store().keys(space=generation.space, scope=world.scope, generation=str(generation.pk))
    return {key for key, _document, _version in held}


def chunk_rows(generation: IndexGeneration) -> set[str]:
    return {str(pk) for pk in Chunk.objects.filter(generation=generation).values_list("pk", flat=True)}


def agrees(world: Any, generation: IndexGeneration) -> bool:
    """Whether records, rows, entries and statistics of a generation are those of the searchable versions."""
    entries = set(IndexEntry.objects.filter(generation=generation).values_list("version", flat=True))
    versions = set(generations.searchable(world.base.pk).values_list("pk", flat=True))
    row = IndexGeneration.objects.get(pk=generation.pk)
    return (
        entries == versions
        and records(world, generation) == chunk_rows(generation)
        and row.chunks == len(chunk_rows(generation))
        and (row.chunks > 0) == TermStatistic.objects.filter(generation=generation).exists()
    )


# --- building


def test_generation_is_built_beside_the_live_one_which_answers_meanwhile(filled: Any) -> None:
    before, first = live(filled), filled.search("otter rule")
    generation = generations.start(base=filled.base, chunker=OTHER)
    assert (generation.state, live(filled)) == (State.BUILDING, before)
    assert filled.search("otter rule") == first
    assert work() == 1
    generation.refresh_from_db()
    assert (generation.state, live(filled)) == (State.READY, before)
    assert agrees(filled, generation)
    assert agrees(filled, before)
    assert filled.search("otter rule") == first
    job = generation.jobs.get()
    assert (job.state, job.progress, job.report) == (IndexJob.State.DONE, 1.0, {"documents": 2, "withdrawn": 0})


def test_switch_and_way_back_are_one_transaction_each(filled: Any) -> None:
    before = live(filled)
    generation = built(filled)
    assert generations.make_live(generation) is True
    assert live(filled) == generation
    assert filled.search("otter rule")[0].title == "a.md"
    assert IndexGeneration.objects.get(pk=before.pk).state == State.RETIRED
    shown = Document.objects.get(name="a.md").current_version.chunk_count
    assert shown == Chunk.objects.filter(generation=generation, version__document__name="a.md").count()
    assert generations.make_live(before) is True
    assert live(filled) == before
    assert IndexGeneration.objects.get(pk=generation.pk).state == State.RETIRED


def test_switch_when_ready_happens_by_itself(filled: Any) -> None:
    generation = built(filled, switch=True)
    assert live(filled) == generation
    assert not generation.switch_when_ready


def test_generation_asked_for_before_it_is_whole_becomes_live_when_it_is(filled: Any) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    assert generations.make_live(generation) is False
    assert live(filled) != generation
    work()
    assert live(filled) == generation


def test_base_without_documents_has_a_generation_at_once(world: Any) -> None:
    assert built(world, chunker="", switch=True) == live(world)
    assert world.add("The otter sleeps.").status == "ready"


@pytest.mark.parametrize("choice", [{"chunker": ""}, {"chunker": "structural:"}])
def test_the_same_again_is_refused(filled: Any, choice: dict[str, str]) -> None:
    if choice["chunker"]:
        generations.make_live(built(filled))
        choice = {"chunker": "structural"}
    with pytest.raises(GenerationRefused, match="already|switch to it"):
        generations.start(base=filled.base, **choice)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"chunker": "nothing"}, "There is no chunker 'nothing'"),
        ({"chunker": "structural:target=x"}, "must be a number"),
        ({"embedding": "unknown/model"}, "The settings name no embedding model 'unknown/model'; they name local"),
    ],
)
def test_what_is_not_there_is_refused_in_words(filled: Any, choice: dict[str, str], words: str) -> None:
    with pytest.raises(GenerationRefused, match=words):
        generations.start(base=filled.base, **choice)
    assert filled.base.generations.count() == 1


def test_one_is_built_at_a_time(filled: Any) -> None:
    generations.start(base=filled.base, chunker=OTHER)
    with pytest.raises(GenerationRefused, match="Another index is being built"):
        generations.start(base=filled.base, chunker="structural:target=300")


# --- changes meanwhile, in every state of the generation


def change(world: Any, sections: Callable[..., str]) -> None:
    world.add(sections("otter", 4), "a.md")
    world.add("The kestrel hovers.", "c.md")
    services.delete_document(document=Document.objects.get(name="b.md"))
    world.work()


@pytest.mark.parametrize("when", ["while it is built", "when it is ready", "when it was left"])
def test_changes_are_taken_in(filled: Any, sections: Callable[..., str], when: str) -> None:
    before = live(filled)
    if when == "while it is built":
        other = generations.start(base=filled.base, chunker=OTHER)
    else:
        other = built(filled)
        if when == "when it was left":
            generations.make_live(other)
            other = before
    change(filled, sections)
    while work():
        pass
    assert agrees(filled, other)
    assert agrees(filled, live(filled))
    assert generations.make_live(other) is True
    assert filled.titles("kestrel hovers otter rule") == {"a.md", "c.md"}
    assert filled.titles("heron rule") & {"b.md"} == set()


def test_version_replaced_while_it_is_taken_in_is_not_entered(
    filled: Any, sections: Callable[..., str], after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    after_batch(lambda: filled.add(sections("otter", 1), "a.md"))
    while work():
        pass
    assert agrees(filled, generation)
    assert agrees(filled, live(filled))


def test_document_deleted_while_it_is_taken_in_leaves_nothing(
    filled: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    document = Document.objects.get(name="a.md")
    folders = [version.folder for version in document.versions.all()]

    def delete() -> None:
        services.delete_document(document=document)
        filled.work()

    after_batch(delete)
    while work():
        pass
    assert agrees(filled, generation)
    assert [files.folders(folder) for folder in folders] == [[]]
    assert [files.last_written(folder) for folder in folders] == [None]


def test_title_given_while_it_is_taken_in_is_the_one_that_is_searched(
    filled: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    document = Document.objects.get(name="a.md")
    after_batch(lambda: services.describe_document(document=document, title="Wombats at night", metadata={}))
    for _ in range(3):
        work()
        filled.work()
    assert generations.make_live(generation) is True
    assert filled.search("wombats")[0].title == "Wombats at night"
    assert agrees(filled, generation)


def test_upload_under_way_at_the_switch_goes_into_the_new_generation(
    filled: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = built(filled)
    filled.upload("The kestrel hovers.", "c.md")
    after_batch(lambda: generations.make_live(generation))
    filled.work()
    assert live(filled) == generation
    assert filled.titles("kestrel") >= {"c.md"}
    assert agrees(filled, generation)


def test_old_versions_are_no_part_of_a_new_generation(filled: Any, sections: Callable[..., str]) -> None:
    filled.add(sections("otter", 1), "a.md")
    assert agrees(filled, built(filled))


# --- searches meanwhile


@pytest.mark.parametrize("other", ["of the same space", "of another space"])
def test_search_that_meets_a_switch_finds_what_it_should(
    filled: Any, settings: Any, scripted_model: Any, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    if other == "of another space":
        settings.EMBEDDING_ADDRESSES = {"hosted_vllm/scripted-embed": scripted_model.url}
    generation = built(filled, **({"embedding": "hosted_vllm/scripted-embed"} if settings.EMBEDDING_ADDRESSES else {}))
    assert (generation.space != live(filled).space) == (other == "of another space")
    expected = {p.title for p in filled.search("otter rule number 2")}
    real, waiting = LiveRows.passages, [generation]

    def passages(self: Any, keys: Any, *, scope: Any) -> Any:
        if waiting:
            generations.make_live(waiting.pop())
        return real(self, keys, scope=scope)

    monkeypatch.setattr(LiveRows, "passages", passages)
    found = filled.search("otter rule number 2")
    assert live(filled) == generation
    assert found[0].title == "a.md"
    assert {p.title for p in found} == expected
    row = Chunk.objects.get(pk=found[0].key)
    assert row.generation_id == generation.pk


# --- removal


def test_generation_whose_removal_ends_while_it_is_built_leaves_nothing(
    filled: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)

    def remove() -> None:
        generations.remove(generation)
        work()
        filled_again(filled, generation)

    after_batch(remove)
    work()
    assert not IndexGeneration.objects.filter(pk=generation.pk).exists()
    assert not records(filled, generation)


def filled_again(world: Any, generation: IndexGeneration) -> None:
    """Write a record of the generation, as a builder does whose last batch was on its way."""
    version = DocumentVersion.objects.select_related("document__knowledge_base").first()
    target = indexing.target_of(version, generation)
    wiring.store().upsert(
        [stages.record("late", ChunkRange(ordinal=0, start=0, end=4), terms="late", vector=np.ones(384, np.float32),
                       target=target)],
        space=generation.space, scope=world.scope,
    )  # fmt: skip


def test_version_replaced_while_others_are_taken_in_is_taken_out_by_the_same_job(
    filled: Any, sections: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    real, waiting = indexing.index, ["second"]

    def index(version: Any, *args: Any, **more: Any) -> Any:
        if more["job"].pk == generation.jobs.get().pk and waiting and version.document.name == "b.md":
            waiting.pop()
            filled.add(sections("otter", 1), "a.md")
        return real(version, *args, **more)

    monkeypatch.setattr(indexing, "index", index)
    assert work() == 1
    assert agrees(filled, generation)


def test_removed_generation_leaves_nothing(filled: Any) -> None:
    before = live(filled)
    generation = built(filled)
    generations.make_live(generation)
    names = [v.folder for v in DocumentVersion.objects.all()]
    generations.remove(before)
    work()
    assert not IndexGeneration.objects.filter(pk=before.pk).exists()
    assert not records(filled, before)
    assert agrees(filled, generation)
    left = [name for folder in names for name in files.default_storage.listdir(folder)[1] if str(before.pk) in name]
    assert left == []
    assert filled.search("otter rule")[0].title == "a.md"


def test_generation_in_use_is_not_removed(filled: Any) -> None:
    with pytest.raises(GenerationRefused, match="in use"):
        generations.remove(live(filled))


def test_generation_is_removed_while_it_is_built(
    filled: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    after_batch(lambda: generations.remove(generation))
    work()
    work()
    assert filled.base.generations.count() == 1
    assert not records(filled, generation)
    with pytest.raises(GenerationRefused):
        generations.make_live(generation)


def test_left_generation_goes_after_some_days(filled: Any, settings: Any) -> None:
    before = live(filled)
    generations.make_live(built(filled))
    tasks.follow_generations()
    assert not before.jobs.filter(kind="collect").exists()
    settings.KEEP_GENERATIONS_DAYS = 0
    tasks.follow_generations()
    work()
    assert list(filled.base.generations.all()) == [live(filled)]


# --- its share of the workers


@pytest.mark.parametrize(
    ("worked", "waiting", "expected"),
    [(0, True, False), (6, False, False), (6, True, True), (200, False, False), (301, False, True)],
)
def test_job_gives_its_process_away(filled: Any, worked: float, waiting: bool, expected: bool) -> None:
    if waiting:
        filled.upload("Words that wait.", "c.md")
    assert building._is_over(worked) is expected


def test_job_that_gave_its_process_away_goes_on(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    with monkeypatch.context() as patch:
        patch.setattr(building, "_is_over", lambda _: True)
        work()
    job = generation.jobs.get()
    assert (job.state, job.attempts, job.progress) == (IndexJob.State.QUEUED, 0, 0.5)
    work()
    assert agrees(filled, generation)


# --- faults


def test_build_that_was_killed_goes_on_where_it_was(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    job, real, taken = generation.jobs.get(), indexing.index, list[str]()

    class Killed(BaseException):
        pass

    def index(version: Any, *args: Any, **more: Any) -> Any:
        if taken:
            raise Killed
        taken.append(str(version.pk))
        return real(version, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "index", index)
        with pytest.raises(Killed):
            building.run(job_id=job.pk)
    assert IndexEntry.objects.filter(generation=generation).count() == 1
    IndexJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(
        indexing, "index", lambda version, *a, **k: taken.append(str(version.pk)) or real(version, *a, **k)
    )
    assert work() == 1
    assert len(taken) == len(set(taken)) == 2
    assert agrees(filled, generation)


def test_holder_that_lost_its_lease_enters_nothing(
    filled: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    job = generation.jobs.get()

    def take_over() -> None:
        IndexJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert jobs.claim_of(IndexJob.objects.all(), job.pk) is not None

    after_batch(take_over)
    building.run(job_id=job.pk)
    assert not IndexEntry.objects.filter(generation=generation).exists()
    assert IndexJob.objects.get(pk=job.pk).state == IndexJob.State.RUNNING


@pytest.mark.parametrize(
    ("error", "state", "attempts"),
    [(StoreBusy(), IndexJob.State.QUEUED, 0), (StoreUnavailable(), IndexJob.State.QUEUED, 1)],
)
def test_index_that_takes_no_writes_is_tried_again(
    filled: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str, attempts: int
) -> None:
    generation = generations.start(base=filled.base, chunker=OTHER)
    with monkeypatch.context() as patch:
        patch.setattr(stages, "write", lambda *_, **__: (_ for _ in ()).throw(error))
        work()
    job = generation.jobs.get()
    assert (job.state, job.attempts) == (state, attempts)
    IndexJob.objects.update(not_before=timezone.now())
    work()
    assert agrees(filled, generation)


def test_stored_text_that_is_missing_is_said_and_the_live_index_stays(filled: Any) -> None:
    document = Document.objects.get(name="a.md")
    document.current_version.document = document
    files.remove(document.current_version, files.TEXT)
    generation = generations.start(base=filled.base, chunker=OTHER, switch=True)
    for _ in range(4):
        IndexJob.objects.update(not_before=timezone.now())
        work()
    job = generation.jobs.get()
    assert job.state == IndexJob.State.FAILED
    assert "The stored text of a.md is missing. Upload the file again" in job.last_error
    assert live(filled) != generation
    assert generation.jobs.count() == 1
    tasks.follow_generations()  # not before some minutes
    assert generation.jobs.count() == 1


def test_sweep_takes_up_a_generation_that_was_left_behind(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = built(filled)
    with monkeypatch.context() as patch:
        patch.setattr(generations, "follow", lambda *_: None)  # as if the process had ended right after the commit
        filled.add("The kestrel hovers.", "c.md")
    assert work() == 0
    tasks.follow_generations()
    assert work() == 1
    assert agrees(filled, generation)


def test_deleted_base_takes_its_generations_along(filled: Any) -> None:
    generation, space = built(filled), live(filled).space
    services.delete_knowledge_base(base=filled.base)
    filled.work()
    tasks.sweep_jobs()
    work()
    assert not IndexGeneration.objects.exists()
    assert not list(wiring.store().keys(space=space, scope=filled.scope))
    assert not IndexEntry.objects.exists()
    assert generation.pk


def test_reconcile_leaves_kept_generations_alone(filled: Any, tenant: Any) -> None:
    generation = built(filled)
    assert reconcile.reconcile(tenant=tenant, repair=True).agrees
    assert agrees(filled, generation)


def test_rebuild_leaves_kept_generations_alone(filled: Any) -> None:
    generation = built(filled)
    reconcile.rebuild(base=filled.base)
    assert agrees(filled, generation)
    assert agrees(filled, live(filled))
