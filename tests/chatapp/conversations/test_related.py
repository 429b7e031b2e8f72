"""The nearest passages of an answer that found none: named to who may open them, and kept nowhere in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command

from chatapp.conversations import services
from chatapp.conversations.models import AnswerRun, AuditEntry, Message
from chatapp.conversations.related import related_of
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.documents.services import erase_document
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "Which planet has the most moons?"
FIELDS = {"document", "version", "title", "page", "start", "end"}


@pytest.fixture
def refusing(library: Any, use_model: Any, owner: Any, rows: Any) -> Callable[[], Any]:
    """Await it and whatever is asked is too unlikely to be answered."""

    async def use() -> Any:
        await rows(use_model, library.tenant, "scripted-ok", bases=[library.base])
        actor = await rows(actor_for, user_id=owner.pk)
        await rows(services.save_retrieval, actor=actor, slug="default", settings={"least_chance": 0.9})
        return library

    return use


def titles(library: Any) -> set[str]:
    return {document.title for document in library.documents}


def kept() -> str:
    """Return all that the database holds of answers."""
    found = (serializers.serialize("json", model.objects.all()) for model in (AnswerRun, Message, AuditEntry))
    return "".join(found)


async def test_every_way_to_read_an_answer_names_them_and_none_is_kept(
    refusing: Any, api: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    library = await refusing()
    events = await (await open_chat(owner)).ask(QUESTION)
    assert events[-1]["no_answer"]
    run = (await api.get(f"/runs/{events[0]['run']}")).json()
    assert run["related"]
    assert {near["title"] for near in run["related"]} <= titles(library)
    assert all(near.keys() == FIELDS for near in run["related"])
    conversation = (await api.get(f"/conversations/{run['conversation']}")).json()
    assert conversation["messages"][-1]["run"]["related"] == run["related"]
    body = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
    assert (await api.post("/chat/completions", body)).json()["related"] == run["related"]
    told = json.dumps(events) + await rows(kept)
    assert [title for title in titles(library) if title in told] == []


async def test_a_stream_ends_with_them(refusing: Any, api: Any) -> None:
    library = await refusing()
    body = {"model": "default", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    response = await api.post("/chat/completions", body)
    *_rest, last, _done = b"".join([part async for part in response]).decode().strip().split("\n\n")
    assert {near["title"] for near in json.loads(last.removeprefix("data: "))["related"]} <= titles(library)


async def test_one_that_was_erased_or_closed_is_named_no_more(
    refusing: Any, api: Any, owner: Any, open_chat: Any, rows: Any, other_tenant: Any
) -> None:
    library = await refusing()
    run = (await (await open_chat(owner)).ask(QUESTION))[0]["run"]
    found = (await api.get(f"/runs/{run}")).json()["related"]

    def erase() -> None:
        document = Document.objects.get(pk=found[0]["document"])
        erase_document(document=document, actor=actor_for(user_id=owner.pk))

    await rows(erase)
    left = [near for near in found if near["document"] != found[0]["document"]]
    assert (await api.get(f"/runs/{run}")).json()["related"] == left
    await rows(lambda: KnowledgeBase.objects.filter(pk=library.base.pk).update(tenant=other_tenant))
    closed = await api.get(f"/runs/{run}")
    assert closed.json()["related"] == []
    assert [title for title in titles(library) if title in closed.content.decode()] == []


async def test_answers_that_found_something_ask_nothing(
    rows: Any, owner: Any, library: Any, django_assert_num_queries: Any
) -> None:
    actor = await rows(actor_for, user_id=owner.pk)
    run = AnswerRun(retrieval={"search": {"related": []}})
    old = AnswerRun(retrieval={})

    def ask() -> None:
        with django_assert_num_queries(0):
            assert related_of([run, old], actor=actor) == {run.pk: [], old.pk: []}

    await rows(ask)


async def test_the_command_line_names_each_document_once(refusing: Any, rows: Any) -> None:
    library = await refusing()
    out = StringIO()
    await rows(lambda: call_command("ask", QUESTION, tenant=library.tenant.slug, stdout=out))
    answer, nearest = out.getvalue().splitlines()
    assert answer.startswith("Nothing was found")
    assert nearest.startswith("Nearest, though it hardly answers this: “")
    assert max(nearest.count(f"“{title}”") for title in titles(library)) == 1
