"""What is said of indexes, and the search through one that is not in use."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from index_work import FIXED, work_on_indexes

from knowledge.documents import live, searching
from knowledge.documents.indexes import building, generations, overview
from knowledge.documents.models import IndexGeneration, IndexJob
from knowledge.documents.signals import searched
from knowledge.types import Query

pytestmark = pytest.mark.django_db(transaction=True)


def standing(base: Any, generation: Any) -> generations.Standing:
    return next(s for s in generations.standings(base) if s.generation.pk == generation.pk)


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("generations", "--tenant", "acme", "--knowledge-base", "handbook", *arguments, stdout=out)
    return out.getvalue()


# --- searching another one


def test_a_named_index_is_searched_in_place_of_the_one_in_use(world: Any, sections: Any) -> None:
    world.add(sections("otter", 8), "otter.md")
    other = generations.start(base=world.base, chunker=FIXED)
    work_on_indexes()
    before = {passage.key for passage in world.search("otter rule")}
    instead = {str(world.base.pk): str(other.pk)}
    counted: list[Any] = []
    searched.connect(receiver := lambda **timings: counted.append(timings), weak=False)
    try:
        result = searching.search(Query(text="otter rule"), scope=world.scope, generations=instead)
        assert counted == []  # nobody waited for it
    finally:
        searched.disconnect(receiver)
    found = {passage.key for passage in result.passages}
    assert found
    assert not found & before
    assert {passage.key for passage in world.search("otter rule")} == before
    statistics = live.LiveIndex(instead).for_terms(["otter"], scope=world.scope)
    assert statistics.chunks == IndexGeneration.objects.get(pk=other.pk).chunks
    assert statistics.chunks != live.LiveIndex().for_terms(["otter"], scope=world.scope).chunks


def test_other_bases_are_searched_by_what_they_use(world: Any, actor: Any) -> None:
    from document_world import World

    from knowledge.documents import services
    from knowledge.types import Scope

    second = World(actor, services.create_knowledge_base(actor=actor, name="Rules"), world.sent)
    world.add("The otter sleeps in the reeds.", "a.md")
    second.add("The heron stands in the reeds.", "b.md")
    other = generations.start(base=world.base, chunker=FIXED)
    work_on_indexes()
    both = Scope(tenant=str(actor.tenant_id), knowledge_bases=frozenset({str(world.base.pk), str(second.base.pk)}))
    instead = {str(world.base.pk): str(other.pk)}
    result = searching.search(Query(text="reeds"), scope=both, generations=instead)
    assert {passage.title for passage in result.passages} == {"a.md", "b.md"}


def test_an_index_of_another_base_brings_nothing(world: Any, other_world: Any) -> None:
    world.add("The otter sleeps in the reeds.")
    other_world.add("The secret of the reeds.")
    other_world.base.refresh_from_db()
    foreign = {str(world.base.pk): str(other_world.base.live_generation_id)}
    assert searching.search(Query(text="reeds"), scope=world.scope, generations=foreign).passages == ()
    theirs = {str(other_world.base.pk): str(other_world.base.live_generation_id)}
    result = searching.search(Query(text="reeds"), scope=world.scope, generations=theirs)
    assert {passage.title for passage in result.passages} == {"notes.md"}
    assert "secret" not in result.passages[0].text


# --- what is said


def test_the_time_left_is_told_by_the_pace_so_far(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        world.add(f"The otter rule number {number} is kept.", f"{number}.md")
    other = generations.start(base=world.base, chunker=FIXED)
    now = timezone.now()
    assert overview.seconds_left(standing(world.base, other), now=now) is None
    monkeypatch.setattr(building, "SLICE_SECONDS", -1)  # one document, then others have their turn
    for _ in range(4):
        IndexJob.objects.update(not_before=now)
        work_on_indexes()
    found = standing(world.base, other)
    assert (found.held, found.documents) == (4, 8)
    assert found.job is not None
    assert found.job.report == {"begun": 0}
    IndexJob.objects.update(state="running", created=now - timedelta(seconds=80))
    left = overview.seconds_left(standing(world.base, other), now=now)
    assert left == 80  # as long as the first four took
    assert overview.phase(standing(world.base, other)) == "Being built"
    IndexJob.objects.update(report={"begun": 2})
    assert overview.seconds_left(standing(world.base, other), now=now) is None  # two say too little


def test_a_setting_that_the_index_does_not_follow_is_named(world: Any, settings: Any) -> None:
    assert overview.difference(world.base) == ""  # no index yet
    world.add("The otter sleeps.")
    world.base.refresh_from_db()
    assert overview.difference(world.base) == ""
    settings.CHUNKER = FIXED
    assert overview.difference(world.base) == (
        f"The settings now choose the chunker {FIXED}; this knowledge base still uses structural."
        " Build a new index to change it."
    )
    settings.EMBEDDING_MODEL = "openai/other"  # which is not asked
    assert overview.difference(world.base) == (
        f"The settings now choose the embedding model openai/other and the chunker {FIXED}; this knowledge base still"
        " uses all-MiniLM-L6-v2 and structural. Build a new index to change it."
    )


def test_a_document_that_cannot_be_cut_like_that_is_named(world: Any, sections: Any) -> None:
    world.add("The otter sleeps.", "short.md")
    world.add(sections("heron", 8), "long.md")
    other = generations.start(base=world.base, chunker="structural:target=100,max_chunks=2")
    work_on_indexes()
    found = standing(world.base, other)
    assert found.job is not None
    assert overview.phase(found) == "Stopped with an error"
    assert found.job.last_error.startswith("long.md cannot be cut like that: ")
    world.base.refresh_from_db()
    assert generations.standings(world.base)[0].live  # what is in use did not notice
    assert world.titles("heron part 3") == {"long.md"}


# --- the command


def test_the_command_builds_switches_goes_back_and_removes(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: work_on_indexes())  # the worker beside it
    assert "has no index yet" in command()
    world.add("The otter sleeps.")
    [first] = IndexGeneration.objects.all()
    assert f"{first.pk}  In use: all-MiniLM-L6-v2 (384 dimensions), structural; 1 of 1 documents, 1 passages." in (
        command("--list")
    )
    with pytest.raises(CommandError, match="nothing to go back to"):
        command("--roll-back")
    said = command("--build", "--chunker", FIXED, "--wait")
    second = IndexGeneration.objects.exclude(pk=first.pk).get()
    assert f"The index {second.pk} is being built" in said
    assert f"{second.pk}  Ready, not in use" in said
    assert f"The index {second.pk} is in use." in command("--switch", str(second.pk))
    assert f"The index {first.pk} is in use." in command("--roll-back")
    assert "It was removed." in command("--remove", str(second.pk), "--wait")
    with pytest.raises(CommandError, match="has no index"):
        command("--switch", str(second.pk))
    command("--build", "--chunker", FIXED, "--switch", "--wait")
    world.base.refresh_from_db()
    assert world.base.live_generation.chunker == FIXED


def test_the_command_ends_with_what_went_wrong(
    world: Any, other_world: Any, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    from knowledge.documents import selectors

    settings.JOB_ATTEMPTS = 1
    world.add("The otter sleeps.", "otter.md")
    other_world.add("The heron stands.")
    other_world.base.refresh_from_db()
    for foreign in (str(other_world.base.live_generation_id), "x"):
        with pytest.raises(CommandError, match="has no index"):
            command("--remove", foreign)

    def gone(_: object) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(selectors, "version_parsed", gone)
    monkeypatch.setattr("time.sleep", lambda _: work_on_indexes())
    with pytest.raises(CommandError, match=r"The stored text of otter\.md is missing.*Try again with --retry"):
        command("--build", "--chunker", FIXED, "--wait")
    assert "The stored text of otter.md is missing." in command()
    with pytest.raises(CommandError, match="has this embedding model and this chunker already"):
        command("--build")
