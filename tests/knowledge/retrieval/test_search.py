from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from knowledge.errors import StoreUnavailable
from knowledge.retrieval.search import search
from knowledge.retrieval.spaces import SpaceVectors


class Engine:
    """A store that asks a server or a disk."""

    def in_memory(self, **_: Any) -> bool:
        return False


def run(world: Any, vector: Any, terms: list[str], store: Any = None, limit: int = 1) -> Any:
    vectors = SpaceVectors(vectors={world.embedder.spec.space: vector} if vector is not None else {})
    return search(
        question=lambda: vectors, terms=terms,
        store=store or world.store, spaces=world.parts.generations(world.scope), limit=limit, scope=world.scope,
    )  # fmt: skip


def test_union_of_both_searches_has_a_cosine_for_every_hit(world: Any) -> None:
    (by_vector,) = world.add("One", "heron heron heron fish")
    (by_keyword,) = world.add("Two", "kestrel hovers")
    vector = world.embedder.embed_query("heron fish")
    found = run(world, vector, ["kestrel"])
    assert set(found.hits) == {by_vector, by_keyword}
    expected = world.embedder.embed_passages(["heron heron heron fish", "kestrel hovers"]) @ vector
    assert [found.cosines[by_vector], found.cosines[by_keyword]] == pytest.approx(expected.tolist(), abs=1e-5)


def test_space_without_a_vector_is_searched_by_keyword_alone(world: Any) -> None:
    world.add("One", "heron heron")
    (key,) = world.add("Two", "kestrel hovers")
    found = run(world, None, ["kestrel"])
    assert set(found.hits) == {key}
    assert found.cosines == {}
    assert run(world, None, []).hits == {}


def test_no_terms_means_no_keyword_search(world: Any) -> None:
    world.add("One", "heron")

    class NoKeyword(Engine):
        def search_vector(self, *args: Any, **values: Any) -> list[Any]:
            return list(world.store.search_vector(*args, **values))

    assert len(run(world, world.embedder.embed_query("heron"), [], store=NoKeyword()).hits) == 1


def test_both_searches_run_at_the_same_time(world: Any) -> None:
    meeting = threading.Barrier(2, timeout=5)

    class Meeting(Engine):
        def search_vector(self, *args: Any, **values: Any) -> list[Any]:
            meeting.wait()
            return []

        search_keyword = search_vector

    assert run(world, np.ones(4, np.float32), ["heron"], store=Meeting()).hits == {}


def test_keyword_search_of_an_engine_does_not_wait_for_the_vector(world: Any) -> None:
    began = threading.Event()

    class Noticing(Engine):
        def search_vector(self, *args: Any, **values: Any) -> list[Any]:
            return []

        def search_keyword(self, *args: Any, **values: Any) -> list[Any]:
            began.set()
            return []

    def question() -> SpaceVectors:
        assert began.wait(5)
        return SpaceVectors(vectors={})

    search(
        question=question, terms=["heron"], store=Noticing(), spaces=[(world.embedder.spec.space, ["g"])], limit=1,
        scope=world.scope,
    )  # fmt: skip


def test_what_a_thread_of_the_keyword_search_meets_is_raised(world: Any) -> None:
    class Away(Engine):
        def search_vector(self, *args: Any, **values: Any) -> list[Any]:
            return []

        def search_keyword(self, *args: Any, **values: Any) -> list[Any]:
            raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        run(world, np.ones(4, np.float32), ["heron"], store=Away())
