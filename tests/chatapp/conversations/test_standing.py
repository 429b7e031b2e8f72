"""Where sources stand, and what of an answer a reader is still shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import RestrictedError
from django.test.utils import CaptureQueriesContext

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations import exports, selectors, services, snapshots
from chatapp.conversations.models import AnswerRun, ContextPassage, PassageSnapshot
from chatapp.conversations.redaction import Repeats
from chatapp.conversations.seeing import seen_of
from chatapp.conversations.shown import WITHHELD, readable_messages, shown_events, shown_of
from chatapp.conversations.standing import State, standings
from chatapp.conversations.trace import trace_detail
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase

pytestmark = pytest.mark.django_db


@pytest.fixture
def leave(make_base: Any, make_source: Any) -> Document:
    """In a base of its own."""
    return make_source(make_base("leave"), "leave")


def states(run: AnswerRun, actor: Any) -> list[str]:
    rows = list(ContextPassage.objects.filter(run=run).order_by("label"))
    found = standings(rows, actor=actor)
    return [found[row.pk].state.value for row in rows]


def close(base: KnowledgeBase, other_tenant: Any) -> None:
    """Take the base away from everybody who could read it."""
    KnowledgeBase.objects.filter(pk=base.pk).update(tenant=other_tenant)


def test_a_source_is_current_then_replaced_then_deleted(
    make_answer: Any, visitors: Document, leave: Document, actor: Any
) -> None:
    run = make_answer(visitors, leave)
    assert states(run, actor) == ["current", "current"]
    visitors.current_version = DocumentVersion.objects.create(
        document=visitors, number=2, state="live", filename="v", size=1, sha256="1" * 64, text_sha256="1" * 64
    )
    visitors.save()
    assert states(run, actor) == ["replaced", "current"]
    shown = selectors.run_detail(run, actor=actor)["citations"][0]["standing"]
    assert shown["newest"] == 2
    assert shown["words"] == "A newer version of this document exists"
    visitors.status = "deleting"
    visitors.save()
    assert states(run, actor) == ["deleted", "current"]
    visitors.delete()
    assert states(run, actor) == ["deleted", "current"]
    detail = selectors.run_detail(run, actor=actor)
    assert detail["passages"][0]["text"].startswith("Visitors register")
    assert detail["citations"][0]["quote"] == "Visitors register at"
    assert detail["raw_output"]


def test_a_deleted_base_leaves_what_deleted_documents_leave(
    make_answer: Any, visitors: Document, base: KnowledgeBase, actor: Any
) -> None:
    run = make_answer(visitors)
    KnowledgeBase.objects.filter(pk=base.pk).update(deleting=True)
    assert states(run, actor) == ["deleted"]
    base.delete()
    assert states(run, actor) == ["deleted"]


def test_of_a_forbidden_source_nothing_is_told(
    make_answer: Any, visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(visitors, leave)
    close(base, other_tenant)
    assert states(run, actor) == ["forbidden", "current"]
    detail = selectors.run_detail(run, actor=actor)
    told = json.dumps(detail, default=str)
    for words in ("Visitors register", "front desk", "About visitors", str(visitors.pk)):
        assert words not in told
    assert (detail["prompt"], detail["raw_output"], detail["withheld"]) == (None, None, True)
    assert detail["passages"][1]["text"].startswith("Every employee")
    first, second, last = detail["sentences"]
    answer = detail["answer"]
    assert answer[first["start"] : first["end"]] == WITHHELD
    assert answer[second["start"] : second["end"]].startswith("Every employee has 27 days")
    assert answer[last["start"] : last["end"]] == "Ask again for more."
    (message,) = [
        m for m in selectors.conversation_detail(run.conversation, actor=actor)["messages"] if m["role"] == "assistant"
    ]
    assert strip_sentinels(message["text"]) == answer
    assert "Visitors register" not in json.dumps(message, default=str)


def test_rights_on_a_deleted_document_are_those_on_its_base(
    make_answer: Any, visitors: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(visitors)
    visitors.delete()
    assert states(run, actor) == ["deleted"]
    close(base, other_tenant)
    assert states(run, actor) == ["forbidden"]


def test_a_closed_base_stays_closed_when_it_is_deleted(
    make_answer: Any, visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(visitors, leave)
    close(base, other_tenant)
    KnowledgeBase.objects.filter(pk=base.pk).update(deleting=True)
    assert states(run, actor) == ["forbidden", "current"]
    visitors.delete()
    KnowledgeBase.objects.filter(pk__in=[base.pk, leave.knowledge_base_id]).delete()
    assert states(run, actor) == ["forbidden", "deleted"]
    assert "front desk" not in shown_of(run, actor=actor).text
    assert "Every employee" in shown_of(run, actor=actor).text


def test_a_base_that_goes_with_the_tenant_it_was_given_to_stays_closed(
    make_answer: Any, visitors: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(visitors)
    close(base, other_tenant)
    other_tenant.delete()
    assert states(run, actor) == ["forbidden"]


def test_candidates_in_a_base_that_is_being_deleted_are_deleted_ones(
    visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    KnowledgeBase.objects.filter(pk=base.pk).update(deleting=True)
    close(leave.knowledge_base, other_tenant)
    seen = seen_of([str(visitors.pk), str(leave.pk)], actor=actor)
    assert [seen[str(document.pk)].state for document in (visitors, leave)] == ["deleted", "closed"]


def test_events_are_replayed_without_what_is_forbidden(
    make_answer: Any, visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(visitors, leave)
    assert shown_events(run, actor=actor) is None  # all of it
    close(base, other_tenant)
    events = shown_events(run, actor=actor)
    assert events is not None
    told = json.dumps(events)
    assert "Visitors register" not in told
    assert "About visitors" not in told
    assert "Every employee" in told
    assert [event["seq"] for event in events] == [1, 2, 3, 5, 6, 7]
    assert events[2]["text"] == shown_of(run, actor=actor).text
    run.status = AnswerRun.Status.RUNNING
    assert shown_events(run, actor=actor) is None


def test_an_uncited_sentence_that_repeats_a_forbidden_source_goes_too(
    make_answer: Any, visitors: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(visitors)
    run.citations.all().delete()
    close(base, other_tenant)
    assert "front desk" not in shown_of(run, actor=actor).text


def test_where_sources_stand_is_asked_once_for_all(
    make_answer: Any, visitors: Document, leave: Document, actor: Any
) -> None:
    run = make_answer(visitors, leave)
    conversation = run.conversation
    with CaptureQueriesContext(connection) as one:
        selectors.conversation_detail(conversation, actor=actor)
    for _ in range(3):
        make_answer(visitors, leave, conversation=str(run.conversation_id))
    with CaptureQueriesContext(connection) as four:
        selectors.conversation_detail(conversation, actor=actor)
    assert len(four) == len(one)
    with CaptureQueriesContext(connection) as trace:
        selectors.run_detail(AnswerRun.objects.get(pk=run.pk), actor=actor)
    assert len(trace) == 11  # however many passages and citations it has
    assert standings([], actor=actor) == {}


def test_words_are_kept_once_and_go_with_the_last_answer(make_answer: Any, visitors: Document, leave: Document) -> None:
    first, second = make_answer(visitors, leave), make_answer(visitors)
    assert PassageSnapshot.objects.count() == 2
    snapshot = PassageSnapshot.objects.get(document_ref=visitors.pk)
    with pytest.raises(RestrictedError):
        snapshot.delete()
    services.delete_conversation(conversation=first.conversation)
    assert list(PassageSnapshot.objects.all()) == [snapshot]
    services.delete_conversation(conversation=second.conversation)
    assert not PassageSnapshot.objects.exists()


def test_words_go_with_their_tenant(make_answer: Any, visitors: Document, tenant: Any) -> None:
    make_answer(visitors)
    tenant.delete()
    assert not PassageSnapshot.objects.exists()


def test_a_follow_up_does_not_hand_forbidden_words_to_the_model(
    make_answer: Any, visitors: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    conversation = str(make_answer(visitors).conversation_id)
    ask = services.Ask(text="And then?", conversation=conversation)
    assert "front desk" in services.start_run(actor=actor, ask=ask).history[1].text
    close(base, other_tenant)
    history = services.start_run(actor=actor, ask=ask).history
    assert [turn.text for turn in history if turn.role == "assistant"] == [f"{WITHHELD}\n\nAsk again for more."]


@pytest.fixture
def follow_up(make_answer: Any, visitors: Document, leave: Document) -> AnswerRun:
    """An answer that read an open source, after one that read the base which is closed; it repeats what that said."""
    first = make_answer(visitors)
    run = make_answer(leave, conversation=str(first.conversation_id))
    said = "Visitors register at the front desk before 18:00"
    run.prompt = [{"role": "assistant", "content": said}, *run.prompt]
    run.query, run.events[1]["query"] = f"{said}? (asked: When?)", f"{said}? (asked: When?)"
    run.retrieval |= {"turns": [{"role": "assistant", "text": said}], "rewritten": {"standalone": f"{said}?"}}
    run.answer.text += f"\n\n{said}."
    run.answer.save()
    run.save()
    return run


def told_of(run: AnswerRun, actor: Any) -> dict[str, str]:
    told = {
        "trace": trace_detail(run, actor=actor),
        "run": selectors.run_detail(run, actor=actor),
        "conversation": selectors.conversation_detail(run.conversation, actor=actor)["messages"][-1],
        "events": shown_events(run, actor=actor) or run.events,
        "export": exports.export(run, actor=actor),
        "next prompt": readable_messages([run.answer], actor=actor)[0].text,
    }
    return {way: json.dumps(found, default=str) for way, found in told.items()}


def test_an_answer_tells_nothing_of_what_answers_before_it_read(
    follow_up: AnswerRun, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    assert [way for way, text in told_of(follow_up, actor).items() if "front desk" not in text] == []
    close(base, other_tenant)
    told = told_of(follow_up, actor)
    assert [way for way, text in told.items() if "front desk" in text] == []
    assert [way for way, text in told.items() if "Every employee has 27 days" not in text] == []


def test_an_answer_tells_all_when_only_a_later_one_read_what_is_closed(
    make_answer: Any, visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    first = make_answer(leave)
    make_answer(visitors, conversation=str(first.conversation_id))
    close(base, other_tenant)
    assert shown_of(first, actor=actor).whole
    assert exports.export(first, actor=actor)["withheld"] == []


def test_the_words_of_a_closed_source_are_taken_apart_once_for_a_whole_conversation(
    make_answer: Any, visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """They were once for each answer after, which took minutes where many were closed."""
    first = make_answer(leave)
    for _ in range(3):
        make_answer(visitors, leave, conversation=str(first.conversation_id))
    close(base, other_tenant)
    added: list[str] = []
    add = Repeats.add
    monkeypatch.setattr(Repeats, "add", lambda repeats, words: added.append(words) or add(repeats, words))
    told = selectors.conversation_detail(first.conversation, actor=actor)["messages"]
    assert ["front desk" in message["text"] for message in told] == [False] * 8
    assert [message["run"]["withheld"] for message in told[1::2]] == [False, True, True, True]
    assert len(added) == 1


def test_a_conversation_with_nothing_closed_is_read_without_words_for_the_next_question(
    make_answer: Any, visitors: Document, actor: Any
) -> None:
    first = make_answer(visitors)
    make_answer(visitors, conversation=str(first.conversation_id))
    messages = list(first.conversation.messages.all())
    with CaptureQueriesContext(connection) as queries:
        assert readable_messages(messages, actor=actor) == messages
    assert len(queries) == 4
    assert not any("passagesnapshot" in query["sql"] for query in queries.captured_queries)


def test_an_answer_that_repeats_nothing_is_exported_though_its_prompt_is_not(
    make_answer: Any, visitors: Document, leave: Document, base: KnowledgeBase, actor: Any, other_tenant: Any
) -> None:
    run = make_answer(leave, conversation=str(make_answer(visitors).conversation_id))
    close(base, other_tenant)
    data = exports.export(run, actor=actor)
    assert data["withheld"] == ["prompt", "query", "raw_output", "retrieval"]
    assert "Every employee" in data["texts"]["answer"]
    assert [finding.broken for finding in exports.checked_export(data)] == [False, False]


def test_the_same_words_in_two_documents_are_two_snapshots() -> None:
    assert snapshots.address_of("a", "words") != snapshots.address_of("b", "words")
    assert snapshots.address_of("a", "\ud800")  # half a pair is no reason to fail


def test_an_erased_source_says_when(make_answer: Any, visitors: Document, actor: Any) -> None:
    run = make_answer(visitors)
    PassageSnapshot.objects.update(erased=datetime(2026, 3, 5, 12, tzinfo=UTC), text="")
    (standing,) = standings(ContextPassage.objects.filter(run=run), actor=actor).values()
    assert standing.state is State.ERASED
    assert not standing.opens
    assert standing.words == "Erased on 5 March 2026"


def test_a_source_out_of_its_validity_says_so_and_opens(
    make_answer: Any, visitors: Document, leave: Document, actor: Any, settings: Any
) -> None:
    settings.TIME_ZONE = "UTC"
    run = make_answer(visitors, leave)
    over, later = datetime(2025, 3, 1, tzinfo=UTC), datetime(2099, 3, 1, 9, 30, tzinfo=UTC)
    for dates, words in (
        ({"valid_until": over}, "No longer valid since 1 March 2025"),
        ({"valid_from": later, "valid_until": None}, "Not searched before 1 March 2099, 09:30 UTC"),
        ({"expires": over, "valid_from": None}, "Expired on 1 March 2025"),
        ({"expires": later}, ""),
    ):
        Document.objects.filter(pk=visitors.pk).update(**dates)
        assert states(run, actor) == ["not_valid" if words else "current", "current"]
        shown = selectors.run_detail(run, actor=actor)["citations"][0]["standing"]
        assert (shown["words"], shown["newest"]) == (words, None)
        (passage, _) = ContextPassage.objects.filter(run=run).order_by("label")
        assert standings([passage], actor=actor)[passage.pk].opens


def test_a_source_that_was_replaced_and_is_not_valid_names_both(
    make_answer: Any, visitors: Document, actor: Any
) -> None:
    run = make_answer(visitors)
    visitors.current_version = DocumentVersion.objects.create(
        document=visitors, number=2, state="live", filename="v", size=1, sha256="1" * 64, text_sha256="1" * 64
    )
    visitors.valid_until = datetime(2025, 3, 1, tzinfo=UTC)
    visitors.save()
    shown = selectors.run_detail(run, actor=actor)["citations"][0]["standing"]
    assert (shown["state"], shown["newest"]) == ("not_valid", 2)
