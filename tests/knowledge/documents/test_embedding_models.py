"""Knowledge bases built with different embedding models: ingested and searched whatever is configured now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from knowledge import wiring
from knowledge.documents import searching, services
from knowledge.documents.indexes import reconcile
from knowledge.documents.models import IndexGeneration
from knowledge.types import Query, RetrievalResult, Scope

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_parts")]


@pytest.fixture
def fresh_parts() -> Any:
    wiring.reset()
    yield
    wiring.reset()


@pytest.fixture
def choose(settings: Any, scripted_model: Any) -> Callable[..., None]:
    """Call with a scripted embedding model, or with nothing for the local one, as after a restart."""

    def take(name: str = "", *, address: str = scripted_model.url) -> None:
        settings.EMBEDDING_MODEL = f"hosted_vllm/{name}" if name else ""
        settings.EMBEDDING_API_BASE, settings.EMBEDDING_ADDRESSES = address, {}
        wiring.reset()

    return take


@pytest.fixture
def both(world: Any, choose: Callable[..., None]) -> Any:
    """One base by the local model, and one by a hosted model, which is configured now."""
    world.add("The otter sleeps at noon.", "otter.md")
    choose("scripted-embed")
    world.second = services.create_knowledge_base(actor=world.actor, name="Second")
    world.add("The heron stands at dawn.", "heron.md", base=world.second)
    return world


def search(world: Any, text: str) -> RetrievalResult:
    bases = frozenset({str(world.base.pk), str(world.second.pk)})
    return searching.search(Query(text=text), scope=Scope(tenant=str(world.actor.tenant_id), knowledge_bases=bases))


def models() -> set[str]:
    return set(IndexGeneration.objects.values_list("embedding_model", flat=True))


def test_both_are_searched_by_vector_in_one_question(both: Any) -> None:
    assert models() == {"sentence-transformers/all-MiniLM-L6-v2", "hosted_vllm/scripted-embed"}
    for text, title in (("When does the otter sleep?", "otter.md"), ("When does the heron stand?", "heron.md")):
        result = search(both, text)
        assert result.passages[0].title == title
        assert result.notes == ()
        assert all("vector" in passage.scores for passage in result.passages)


def test_base_of_the_local_model_takes_documents_after_the_change(both: Any) -> None:
    added = both.add("The otter wakes at dusk.", "more.md")
    assert added.status == "ready"
    assert {passage.title for passage in both.search("otter")} == {"otter.md", "more.md"}
    assert len(models()) == 2


def test_and_the_other_way_round(both: Any, choose: Callable[..., None]) -> None:
    choose()
    added = both.add("The heron flies at dusk.", "more.md", base=both.second)
    assert added.status == "ready"
    result = search(both, "heron")
    assert {passage.title for passage in result.passages} >= {"heron.md", "more.md"}
    assert result.notes == ()


def test_model_that_is_away_leaves_the_words_of_its_documents(both: Any, choose: Callable[..., None]) -> None:
    choose("scripted-embed", address="http://127.0.0.1:9/v1")
    result = search(both, "When does the heron stand?")
    assert result.passages[0].title == "heron.md"
    [note] = result.notes
    assert note.startswith("Part of the documents were searched by their words alone: ")
    document = both.upload("The heron flies.", "later.md", base=both.second)
    both.work()
    assert both.job(document).last_error.startswith("The language model cannot be reached.")
    document.refresh_from_db()
    assert document.status == "queued"  # it is tried again


def test_base_is_rebuilt_with_its_own_model(both: Any) -> None:
    both.base.refresh_from_db()
    assert reconcile.rebuild(base=both.base) == (1, 1)
    assert both.search("otter")[0].title == "otter.md"
    assert both.keys() == set() or both.space != both.base.live_generation.space


def test_work_that_is_left_is_withdrawn_from_the_space_of_its_base(
    both: Any, after_batch: Callable[[Callable[[], object]], None]
) -> None:
    document = both.upload("The otter dives.", "gone.md")
    after_batch(lambda: services.delete_document(document=document))
    both.work()
    both.work()
    space = both.base.generations.get().space
    held = {key_document for _key, key_document, _version in wiring.store().keys(space=space, scope=both.scope)}
    assert str(document.pk) not in held
    assert len(held) == 1
