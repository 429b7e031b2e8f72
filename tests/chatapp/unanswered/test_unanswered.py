"""Questions without an answer: who sees them, what is told of them, and what marking does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from stored_answers import stored_answer, stored_source

from chatapp.conversations.models import AnswerRun
from chatapp.unanswered.models import Mark
from chatapp.unanswered.selectors import key_of, unanswered, with_places
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.documents.services import erase_document
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def base(tenant: Any) -> KnowledgeBase:
    return KnowledgeBase.objects.create(tenant=tenant, name="Rules of the house", slug="rules")


@pytest.fixture
def visitors(base: KnowledgeBase) -> Document:
    return stored_source(base, "visitors")


@pytest.fixture
def editor(make_user: Any, tenant: Any) -> Any:
    return make_user("editor@acme.test", tenant=tenant, role="editor")


@pytest.fixture
def asked(owner: Any, tenant: Any, use_model: Any) -> Callable[..., AnswerRun]:
    """Call with a question and documents that were read: it got no answer, as long ago as said."""

    def ask(text: str, *read: Document, raw: str = "", days: int = 0, **more: Any) -> AnswerRun:
        use_model(tenant, "scripted-ok")
        actor = actor_for(user_id=owner.pk)
        run = stored_answer(actor, *read, text=text)
        changes = {"no_answer": True, "raw_output": raw, "started": timezone.now() - timedelta(days=days), **more}
        AnswerRun.objects.filter(pk=run.pk).update(**changes)
        run.refresh_from_db()
        return run

    return ask


@pytest.fixture
def page(client: Client, editor: Any) -> Callable[..., str]:
    def get(**parameters: Any) -> str:
        client.force_login(editor)
        response = client.get("/unanswered/", parameters)
        assert response.status_code == 200
        return str(response.content.decode())

    return get


def mark(client: Client, run: object, state: str) -> int:
    return client.post("/unanswered/mark", {"run": str(run), "mark": state, "days": "90", "state": "open"}).status_code


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("When may I  park?", "when may i park", True),
        ("Straße 1", "STRASSE 1", True),
        ("When may I park?", "Where may I park?", False),
        ("???", "!!!", False),
        ("", " ", True),
    ],
)
def test_the_same_question_has_the_same_key(one: str, other: str, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same


def test_the_same_question_is_listed_once_and_the_most_frequent_first(
    asked: Any, editor: Any, visitors: Document, base: KnowledgeBase
) -> None:
    asked("Who has the key?", visitors, raw="NO_ANSWER\nNothing says it.")
    asked("when may I park", days=3)
    asked("What is lost?", raw="Nothing was found.", days=9)
    newest = asked("When may I park?", visitors, days=1, raw="They park [S1].")
    asked("Too old", days=31)
    actor = actor_for(user_id=editor.pk)
    assert actor is not None
    first, second, third = with_places(unanswered(actor=actor, days=30), actor=actor)
    assert (first.text, first.count, first.run, first.gate) == ("When may I park?", 2, newest.pk, "checks")
    assert first.searched == ["Rules of the house"]
    assert [(near.title, near.start) for near in first.nearest] == [("About visitors", 0)]
    assert (second.text, second.count, second.gate) == ("Who has the key?", 1, "model")
    assert (third.text, third.gate, third.nearest) == ("What is lost?", "search", [])
    assert len(unanswered(actor=actor, days=90)) == 4


def test_a_question_whose_answer_was_erased_says_so(asked: Any, page: Any, visitors: Document, owner: Any) -> None:
    asked("Who has the key?", visitors, raw="NO_ANSWER\nNothing says it.")
    assert "The language model found no answer" in page()
    actor = actor_for(user_id=owner.pk)
    assert actor is not None
    erase_document(document=visitors, actor=actor)
    assert "what the language model made of it was erased" in page()


def test_the_page_tells_what_was_searched_and_what_came_nearest(
    asked: Any, page: Any, visitors: Document, base: KnowledgeBase
) -> None:
    place = {"document": str(visitors.pk), "version": 1, "start": 3, "end": 9}
    asked(
        "Who has <b>the</b> key?",
        retrieval={"search": {"related": [place]}},
        knowledge_bases=[str(base.pk), str(uuid.uuid4())],
    )
    html = page()
    assert "Who has &lt;b&gt;the&lt;/b&gt; key?" in html
    assert "Rules of the house" in html
    assert "1 that is no longer there" in html
    assert f'href="/documents/{visitors.pk}/v/1/?start=3&amp;end=9#match"' in html
    assert "Nothing was found that is likely to answer it." in html
    assert "owner@acme.test" not in html


def test_what_its_reader_may_not_see_is_not_named(
    asked: Any, page: Any, visitors: Document, base: KnowledgeBase, other_tenant: Any
) -> None:
    asked("Who has the key?", visitors)
    assert "About visitors" in page()
    KnowledgeBase.objects.filter(pk=base.pk).update(tenant=other_tenant)
    html = page()
    assert "Who has the key?" in html
    assert "About visitors" not in html
    assert "Rules of the house" not in html


def test_answered_failed_and_foreign_questions_are_not_listed(
    asked: Any, page: Any, other_tenant: Any, make_user: Any, client: Client
) -> None:
    asked("Answered", no_answer=False)
    asked("Failed", status="failed")
    mine = asked("Mine")
    html = page()
    assert "Mine" in html
    assert "Answered" not in html
    assert "Failed" not in html
    client.force_login(make_user("boss@globex.test", tenant=other_tenant, role="owner"))
    assert b"Mine" not in client.get("/unanswered/").content
    foreign = mark(client, mine.pk, "done")
    assert foreign == mark(client, uuid.uuid4(), "done") == mark(client, "odd", "done") == 404
    assert not Mark.objects.exists()


@pytest.mark.parametrize("role", ["member", "reader"])
def test_members_may_not_see_it(asked: Any, client: Client, make_user: Any, tenant: Any, role: str) -> None:
    run = asked("Who has the key?")
    client.force_login(make_user(f"{role}@acme.test", tenant=tenant, role=role))
    response = client.get("/unanswered/")
    assert response.status_code == 403
    assert b"key?" not in response.content
    assert mark(client, run.pk, "done") == 403
    client.logout()
    assert client.get("/unanswered/").status_code == 302


def test_marks_move_a_question_and_asking_again_brings_it_back(asked: Any, page: Any, client: Client) -> None:
    run = asked("Who has the key?", days=1)
    assert "Who has the key?" in page()
    assert mark(client, run.pk, "done") == 302
    assert "Who has the key?" not in page()
    assert "Who has the key?" in page(state="done")
    asked("Who has the key")
    html = page()
    assert "Asked again since it was marked as done." in html
    assert "Asked 2 times" in html
    assert mark(client, run.pk, "ignored") == 302
    asked("Who has the key?")
    assert "Who has the key?" not in page()
    assert "Who has the key?" in page(state="ignored")
    assert mark(client, run.pk, "open") == 302
    assert not Mark.objects.exists()
    assert "Who has the key?" in page(days="odd", state="odd", page="odd")
    assert client.get("/unanswered/mark").status_code == 405


def test_an_empty_page_says_so(page: Any) -> None:
    assert "No open questions" in page()
    assert "None of these days." in page(state="done")


def test_more_questions_ask_the_database_no_more(asked: Any, page: Any, visitors: Document) -> None:
    asked("Question zero", visitors)
    page()
    with CaptureQueriesContext(connection) as few:
        page()
    for number in range(30):
        asked(f"Question {number} of many", visitors)
    with CaptureQueriesContext(connection) as many:
        html = page()
    assert len(many) <= len(few)
    assert "Page 1 of 2" in html
    assert "Page 2 of 2" in page(page="2")
