from __future__ import annotations

from dataclasses import replace
from typing import Any

from knowledge.retrieval import retrieve
from knowledge.retrieval.search import Candidates
from knowledge.retrieval.switching import Versions
from knowledge.types import Query


def candidates(world: Any, *keys: str) -> Candidates:
    found = world.store.fetch(keys, space=world.embedder.spec.space, scope=world.scope)
    return Candidates(hits={hit.key: hit for hit in found}, cosines={})


def test_of_a_document_that_changes_in_between_the_version_met_first_stays(world: Any, identify: Any) -> None:
    one, two = world.add("One", "heron", "kestrel")
    (other,) = world.add("Two", "otter")
    versions = Versions()
    assert versions.join(candidates(world, one), live=world.parts.live, scope=world.scope).keys() == {one}

    newer = identify("newer")
    hits = candidates(world, two, other)
    moved = replace(
        hits, hits={key: replace(hit, version=newer) if key == two else hit for key, hit in hits.hits.items()}
    )
    world.rows[two] = replace(world.rows[two], version_id=newer)
    assert versions.join(moved, live=world.parts.live, scope=world.scope).keys() == {other}
    assert versions.lost == set()  # the document was found


def test_a_document_of_which_nothing_is_live_is_lost(world: Any) -> None:
    (one,) = world.add("One", "heron")
    versions, found = Versions(), candidates(world, one)
    version = found.hits[one].version
    del world.rows[one]
    assert versions.join(found, live=world.parts.live, scope=world.scope) == {}
    assert versions.lost == {version}


def test_a_search_is_made_again_only_for_what_was_replaced_and_not_for_ever(world: Any) -> None:
    (one,) = world.add("One", "heron")
    world.add("Two", "heron again")
    del world.rows[one], world.terms[one]
    asked: list[set[str]] = []

    def replaced(answer: bool) -> Any:
        def ask(versions: Any, scope: Any) -> bool:
            asked.append(set(versions))
            return answer

        return ask

    for answer, times in ((False, 1), (True, 2)):
        asked.clear()
        parts = replace(world.parts, replaced=replaced(answer))
        assert [p.title for p in retrieve(Query(text="heron"), scope=world.scope, parts=parts).passages] == ["Two"]
        assert len(asked) == times
