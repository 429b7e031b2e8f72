from __future__ import annotations

import uuid
from typing import Any

import pytest

from chatapp import answering
from chatapp.conversations import services
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.services import Ask
from knowledge.documents import searching
from knowledge.documents.services import delete_document
from knowledge.tenants.access import actor_for
from knowledge.types import Turn

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "When must visitors register?"
HISTORY = (Turn(role="user", text="Who may park in the yard?"), Turn(role="assistant", text="Guests, for 90 minutes."))


def answered(user: Any, **more: Any) -> AnswerRun:
    """A run up to the passages it was given, as the engine stores them."""
    actor = actor_for(user_id=user.pk)
    assert actor is not None
    started = services.start_run(actor=actor, ask=Ask(**{"text": QUESTION, **more}))
    result = searching.search(started.query, scope=started.scope, profile=started.profile)
    labelled = answering.label_passages(result.passages)
    services.store_passages(run=started.run, query=result.query, labelled=labelled)
    return started.run


@pytest.fixture
def run(owner: Any, assistant: Any) -> AnswerRun:
    return answered(owner, history=HISTORY)


def test_what_was_given_stands_beside_what_is_found_now(page: Any, run: AnswerRun, library: Any, words: Any) -> None:
    then, now = page.context(run=str(run.pk))["columns"]
    assert (then.title, now.title) == ("Then", "Now")
    assert [hit.key for hit in then.hits] == [hit.key for hit in now.hits] != []
    assert {hit.moved for hit in then.hits + now.hits} == {"same"}
    assert then.query == now.query == f"{QUESTION} (following: {HISTORY[0].text})"
    assert [hit.score.value for hit in then.hits] == pytest.approx([hit.score.value for hit in now.hits])
    shown = words(page.get(run=str(run.pk)))
    assert QUESTION in shown
    assert HISTORY[1].text in shown
    assert library.base.name in shown


def test_settings_are_those_the_run_had(page: Any, assistant: Any, owner: Any) -> None:
    services.save_retrieval(actor=actor_for(user_id=owner.pk), slug="default", settings={"keyword_weight": 0.9, "rerank": 0})  # type: ignore[arg-type]  # fmt: skip
    run = answered(owner)
    services.save_retrieval(actor=actor_for(user_id=owner.pk), slug="default", settings={})  # type: ignore[arg-type]
    context = page.context(run=str(run.pk))
    assert context["asked"].saved == {"keyword_weight": 0.9, "rerank": 0}
    then, now = context["columns"]
    assert [hit.score.value for hit in then.hits] == pytest.approx([hit.score.value for hit in now.hits])


def test_a_replay_can_try_other_settings(page: Any, run: AnswerRun) -> None:
    then, now = page.context(run=str(run.pk), floor="0.9")["columns"]
    assert now.title == "Now, with changed settings"
    assert now.hits == []
    assert {hit.moved for hit in then.hits} == {"only"}


def test_other_parameters_do_not_reach_into_a_replay(page: Any, run: AnswerRun) -> None:
    context = page.context(run=str(run.pk), q="leave", base=str(uuid.uuid4()), previous="x", limit="1")
    assert context["asked"].query.text == QUESTION
    assert len(context["columns"][0].hits) > 1


def test_a_deleted_document_is_still_told_of(page: Any, run: AnswerRun, library: Any, words: Any) -> None:
    visitors = library.documents[0]
    delete_document(document=visitors)
    visitors.delete()
    then, now = page.context(run=str(run.pk))["columns"]
    gone = [hit for hit in then.hits if hit.document == str(visitors.pk) or hit.title == visitors.title]
    assert gone
    assert {hit.link for hit in gone} == {""}
    assert {hit.moved for hit in gone} == {"only"}
    assert all(hit.title != visitors.title for hit in now.hits)
    assert "This document has been deleted." in words(page.get(run=str(run.pk)))


def test_a_missing_knowledge_base_is_told_of(page: Any, run: AnswerRun, library: Any, words: Any) -> None:
    library.base.deleting = True
    library.base.save()
    shown = words(page.get(run=str(run.pk)))
    assert "Not every knowledge base that was searched then is still there." in shown


def test_a_closed_source_takes_the_earlier_turns_along(
    page: Any, run: AnswerRun, library: Any, words: Any, other_tenant: Any
) -> None:
    type(library.base).objects.filter(pk=library.base.pk).update(tenant=other_tenant)
    shown = words(page.get(run=str(run.pk)))
    assert "it is searched without earlier turns" in shown
    assert HISTORY[0].text not in shown
    assert HISTORY[1].text not in shown


def test_an_older_run_says_that_its_turns_are_not_known(page: Any, run: AnswerRun, words: Any) -> None:
    AnswerRun.objects.update(retrieval={})
    assert "This answer is older than the traces of searches" in words(page.get(run=str(run.pk)))


def test_a_run_without_passages_can_be_replayed(page: Any, owner: Any, assistant: Any, words: Any) -> None:
    actor = actor_for(user_id=owner.pk)
    assert actor is not None
    started = services.start_run(actor=actor, ask=Ask(text=QUESTION))
    assert "The answer was given no passage." in words(page.get(run=str(started.run.pk)))


def test_only_who_may_read_the_run_sees_its_search(
    run: AnswerRun, member: Any, make_user: Any, other_tenant: Any, window: Any, words: Any
) -> None:
    stranger = make_user("stranger@globex.test", tenant=other_tenant, role="owner")
    for user in (member, stranger):
        theirs = window(user)
        answers = [words(theirs.get(404, run=one)) for one in (str(run.pk), str(uuid.uuid4()), "nonsense")]
        assert len(set(answers)) == 1
        assert QUESTION not in answers[0]


def test_replays_ask_the_database_no_more_for_more_passages(
    page: Any, run: AnswerRun, django_assert_max_num_queries: Any, ingest_text: Any, owner: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        page.get(run=str(run.pk))
    for number in range(6):
        ingest_text(f"more {number}.md", f"# Gate {number}\n\nVisitors register at gate {number} of the yard.\n")
    more = answered(owner)
    with CaptureQueriesContext(connection) as many:
        page.get(run=str(more.pk))
    assert len(many) <= len(few) + 1  # the texts of neighbours may be read once


def test_the_stages_of_the_search_then_are_told(page: Any, run: AnswerRun) -> None:
    timings = {"retrieval": 30.0, "retrieval.search": 12.0, "retrieval.total": 20.0, "first_token": 80.0}
    AnswerRun.objects.filter(pk=run.pk).update(timings=timings)
    then, _ = page.context(run=str(run.pk))["columns"]
    assert then.timings == [("Search the index", 12.0), ("In all", 20.0), ("Until the passages were found", 30.0)]
