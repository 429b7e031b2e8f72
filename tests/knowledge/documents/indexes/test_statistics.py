"""The kept statistics equal a count of all live chunks, whatever happened before."""

from __future__ import annotations

import random
from typing import Any

import pytest

from knowledge.documents import live, services
from knowledge.documents.indexes import statistics
from knowledge.documents.models import Document, IndexGeneration, TermStatistic
from knowledge.ingestion.stages import TermCounts
from knowledge.types import Scope

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "otter heron badger wren river stone winter harvest contract clause 2024 § naïve 東京都".split()


def text(rng: random.Random) -> str:
    parts = []
    for number in range(rng.randint(1, 4)):
        words = " ".join(rng.choices(WORDS, k=rng.randint(3, 40)))
        parts.append(f"## {rng.choice(WORDS)} {number}\n\n{words}.")
    return "\n\n".join(parts)


@pytest.mark.parametrize("seed", range(4))
def test_statistics_are_exact_after_any_sequence(world: Any, seed: int) -> None:
    rng = random.Random(seed)
    names = ["one.md", "two.md", "three.txt"]
    for _ in range(12):
        name = rng.choice(names)
        known = Document.objects.alive().filter(name=name).first()
        action = rng.choice(["upload", "upload", "retitle", "retry", "delete", "broken", "twice"])
        if action == "delete" and known is not None:
            services.delete_document(document=known)
            assert world.stated() == world.counted()  # at once, before the job ran
        elif action == "retry" and known is not None:
            services.process_again(document=known)
        elif action == "broken":
            world.upload("   ", name)
        elif action == "retitle":
            world.upload(text(rng), name, title=rng.choice(WORDS))
        else:
            for _ in range(2 if action == "twice" else 1):
                world.upload(text(rng), name)
        if rng.random() < 0.7:
            world.work()
    world.work()
    if not Document.objects.alive().exclude(current_version=None).exists():
        world.add(text(rng), "last.md")
    assert world.stated() == world.counted()
    assert world.keys() == world.rows()


def test_nothing_is_left_of_a_base_whose_documents_are_gone(world: Any) -> None:
    documents = [world.add(f"The {word} sleeps.", f"{word}.md") for word in ("otter", "heron")]
    for document in documents:
        services.delete_document(document=document)
    assert world.stated() == (0, 0, {})


def test_stored_counts_are_those_of_the_version_that_is_live(world: Any) -> None:
    version = world.add("The otter sleeps. The otter wakes.").current_version
    world.base.refresh_from_db()
    counts = statistics.recall(version, world.base.live_generation)
    assert counts is not None
    assert counts.chunks == 1
    assert counts.document_frequency["otter"] == 1  # chunks, not occurrences
    statistics.forget(version, world.base.live_generation)
    assert statistics.recall(version, world.base.live_generation) is None


def test_more_terms_than_one_statement_holds(world: Any) -> None:
    world.add("Words.")
    world.base.refresh_from_db()
    generation = world.base.live_generation
    before = world.stated()
    many = TermCounts(chunks=2, terms=2000, document_frequency={f"term{n}": n % 3 + 1 for n in range(1000)})
    statistics.add(generation, many, language="")
    statistics.add(generation, many, language="")
    assert TermStatistic.objects.get(generation=generation, term="term2").frequency == 6
    statistics.remove(generation, many)
    statistics.remove(generation, many)
    assert world.stated() == before


def test_statistics_of_a_scope_add_up_its_bases_and_no_others(world: Any, other_world: Any) -> None:
    second = services.create_knowledge_base(actor=world.actor, name="Second")
    world.add("The otter sleeps.", "a.md")
    world.add("The otter wakes.", "b.md", base=second)
    other_world.add("The otter swims.", "c.md")
    both = Scope(tenant=str(world.actor.tenant_id), knowledge_bases=frozenset({str(world.base.pk), str(second.pk)}))
    found = live.LiveIndex().for_terms(["otter", "unicorn"], scope=both)
    generations = IndexGeneration.objects.filter(knowledge_base__in=[world.base, second])
    assert (found.chunks, found.document_frequency) == (2, {"otter": 2})
    assert found.average_length == sum(g.terms for g in generations) / 2
    assert live.LiveIndex().for_terms(["otter"], scope=world.scope).document_frequency == {"otter": 1}
    stolen = Scope(tenant=str(world.actor.tenant_id), knowledge_bases=frozenset({str(other_world.base.pk)}))
    assert live.LiveIndex().for_terms(["otter"], scope=stolen).chunks == 0
    nothing = Scope(tenant=str(world.actor.tenant_id), knowledge_bases=frozenset())
    assert live.LiveIndex().for_terms(["otter"], scope=nothing).document_frequency == {}
