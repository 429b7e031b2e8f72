from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from chatapp.answering import LabelledPassage
from chatapp.answering.sentinels import sentinel, strip_sentinels
from chatapp.conversations import selectors, services
from chatapp.conversations.excerpts import EXCERPT
from chatapp.conversations.models import AnswerRun, Citation, Conversation, Message
from chatapp.conversations.services import Ask, Outcome, QuestionRefused, QuestionTooLong, clean_question
from knowledge.documents.services import create_knowledge_base, delete_knowledge_base
from knowledge.errors import ModelNotConfigured, NotFound
from knowledge.tenants.access import system_actor
from knowledge.types import Passage, Variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def assistant(tenant: Any, use_model: Any) -> Any:
    return use_model(tenant, "scripted-ok")


def start(actor: Any, **more: Any) -> Any:
    return services.start_run(actor=actor, ask=Ask(**{"text": "What?", **more}))


@pytest.mark.parametrize(
    ("text", "kept"),
    [("  What? ", "What?"), ("a\x00b\x07c", "abc"), ("a\nb\tc", "a\nb\tc"), ("\ue0001\ue001 who", "1 who"),
     ("a\ud800b", "ab"), ("¿Qué?", "¿Qué?"), ("什么", "什么"), ("👩‍⚕️?", "👩‍⚕️?"), ("?", "?")],
)  # fmt: skip
def test_a_question_is_kept_without_control_characters(text: str, kept: str) -> None:
    assert clean_question(text) == kept


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\x00", "\ue000", "\ud800", "\u200b"])
def test_a_question_without_anything_readable_is_refused(text: str) -> None:
    with pytest.raises(QuestionRefused):
        clean_question(text)


def test_the_length_of_a_question_is_counted_in_bytes(settings: Any) -> None:
    settings.MAX_QUESTION_BYTES = 10
    assert clean_question("é" * 5)
    with pytest.raises(QuestionTooLong):
        clean_question("é" * 6)


def test_a_long_question_gives_a_short_title(actor: Any, assistant: Any) -> None:
    title = start(actor, text="word \n" * 60).run.conversation.title
    assert len(title) == 80
    assert title.endswith("…")
    assert "\n" not in title


def test_an_assistant_without_a_model_is_not_asked(actor: Any, assistant: Any) -> None:
    assistant.language_model.delete()
    with pytest.raises(ModelNotConfigured):
        start(actor)
    assert not Conversation.objects.exists()


def test_a_base_that_is_being_deleted_is_not_searched(
    actor: Any, assistant: Any, tenant: Any, redis_server: Any
) -> None:
    kept, gone = (create_knowledge_base(actor=system_actor(tenant), name=name) for name in ("kept", "gone"))
    assistant.knowledge_bases.set([kept, gone])
    delete_knowledge_base(base=gone)
    assert start(actor).scope.knowledge_bases == {str(kept.pk)}
    with pytest.raises(NotFound):
        start(actor, knowledge_bases=[str(gone.pk)])


def test_the_bases_of_another_tenant_are_never_in_the_scope(
    actor: Any, assistant: Any, tenant: Any, other_tenant: Any
) -> None:
    foreign = create_knowledge_base(actor=system_actor(other_tenant), name="Secret")
    assistant.knowledge_bases.set([foreign])
    own = create_knowledge_base(actor=system_actor(tenant), name="Own")
    started = start(actor)
    assert started.scope.knowledge_bases == {str(own.pk)}
    assert started.scope.tenant == str(tenant.pk)


def test_a_tenant_without_bases_has_an_empty_scope(actor: Any, assistant: Any) -> None:
    assert start(actor).scope.is_empty


def test_the_history_is_the_newest_turns_without_empty_answers(actor: Any, assistant: Any) -> None:
    first = start(actor, text="Question 0").run
    Message.objects.filter(pk=first.answer_id).update(text=f"Answer{sentinel(1)}.")
    for number in range(1, 7):
        start(actor, text=f"Question {number}", conversation=str(first.conversation_id))
    history = start(actor, text="Last", conversation=str(first.conversation_id)).history
    assert [turn.text for turn in history] == [f"Question {n}" for n in range(3, 7)]
    assert len(history) <= services.HISTORY_TURNS
    second = start(actor, text="Q", conversation=str(start(actor, text="X").run.conversation_id))
    assert [turn.text for turn in second.history] == ["X"]


def test_marks_of_earlier_answers_are_written_out(actor: Any, assistant: Any) -> None:
    run = start(actor).run
    Message.objects.filter(pk=run.answer_id).update(text=f"Answer{sentinel(1)}.")
    history = start(actor, conversation=str(run.conversation_id)).history
    assert [turn.text for turn in history] == ["What?", "Answer[1]."]


BEFORE, AFTER = "word " * 60, " word" * 60


def labelled(**more: Any) -> LabelledPassage:
    fields = {
        "key": str(uuid.uuid4()), "document": str(uuid.uuid4()), "version_id": str(uuid.uuid4()), "version": 2,
        "knowledge_base": str(uuid.uuid4()), "title": "Rules", "heading_path": ("A",), "page_first": None,
        "page_last": None, "start": 100, "end": 100 + len(BEFORE + "the words" + AFTER),
        "text": BEFORE + "the words" + AFTER, "tokens": 5, "score": 0.5,
    }  # fmt: skip
    return LabelledPassage("S1", Passage(**{**fields, **more}))  # type: ignore[arg-type]


def citation(**more: Any) -> dict[str, Any]:
    return {
        "label": "S1", "number": 1, "sentence": 0, "start": 400, "end": 409, "quote": "the words", "page": None,
        "score": 0.9, "version_id": str(uuid.uuid4()), **more,
    }  # fmt: skip


def test_a_citation_shows_its_words_within_their_surroundings(actor: Any, assistant: Any) -> None:
    run = start(actor).run
    services.store_passages(run=run, query="what", labelled=[labelled()])
    outcome = Outcome(status="done", text=f"Yes{sentinel(1)}.", citations=[citation(), citation(label="S9")])
    services.store_outcome(run=run, outcome=outcome, events=[])
    detail = selectors.run_detail(AnswerRun.objects.get(), actor=actor)
    (shown,) = detail["citations"]
    assert shown["excerpt"]["match"] == "the words"
    before, after = shown["excerpt"]["before"], shown["excerpt"]["after"]
    assert len(before) <= EXCERPT + 2
    assert BEFORE.endswith(before.removeprefix("… "))
    assert before.startswith("… word")
    assert len(after) <= EXCERPT + 2
    assert AFTER.startswith(after.removesuffix(" …"))
    assert after.endswith("word …")
    assert detail["passages"][0]["used"]
    assert detail["passages"][0]["excerpt"]["before"].startswith(BEFORE[:20])
    assert detail["passages"][0]["standing"]["state"] == "deleted", "no such document any more: the text stays readable"
    assert detail["answer"] == "Yes[1]."
    assert detail["error"] is None


def test_passages_that_contradict_each_other_name_each_other(actor: Any, assistant: Any) -> None:
    run = start(actor).run
    one, two = labelled(), replace(labelled(), label="S2")
    away = Variant(key=str(uuid.uuid4()), differences=(("a", "b"),))
    differing = Variant(key=two.passage.key, differences=(("30", "14"), ("", "only")))
    one = replace(one, passage=replace(one.passage, variants=(differing, away)))
    services.store_passages(run=run, query="what", labelled=[one, two])
    first, second = selectors.run_detail(AnswerRun.objects.get(), actor=actor)["passages"]
    assert first["differs"] == [{"label": "S2", "differences": [["30", "14"], ["", "only"]]}]
    assert second["differs"] == [], "what was not given to the model is not named"


def test_what_a_search_says_about_itself_is_kept_beside_its_settings(actor: Any, assistant: Any) -> None:
    run = start(actor).run
    assert selectors.run_detail(run, actor=actor)["notes"] == []
    services.store_passages(run=run, query="what", labelled=[], notes=["The reranker did not answer in time."])
    stored = AnswerRun.objects.get()
    assert selectors.run_detail(stored, actor=actor)["notes"] == ["The reranker did not answer in time."]
    assert stored.retrieval.items() >= run.retrieval.items()


def test_the_outcome_of_a_run_is_stored_once(actor: Any, assistant: Any) -> None:
    run = start(actor).run
    services.store_passages(run=run, query="what", labelled=[labelled()])
    for text in ("first", "second"):
        services.store_outcome(run=run, outcome=Outcome(status="done", text=text, citations=[citation()]), events=[])
    assert Message.objects.get(pk=run.answer_id).text == "first"
    assert Citation.objects.count() == 1


def test_deleting_a_conversation_takes_everything_with_it(actor: Any, assistant: Any) -> None:
    run = start(actor).run
    services.store_passages(run=run, query="what", labelled=[labelled()])
    services.delete_conversation(conversation=run.conversation)
    assert not any(model.objects.exists() for model in (Conversation, Message, AnswerRun, Citation))


@pytest.mark.parametrize("number", [1, 9, 10, 123])
def test_written_out_marks_keep_every_offset(number: int) -> None:
    """``sentences[].start`` of the API index into the answer with [n], though they are made on canonical text."""
    canonical = f"One{sentinel(number)}. 😀 Two{sentinel(number)}."
    assert len(strip_sentinels(canonical)) == len(canonical)
    assert strip_sentinels(canonical).index("Two") == canonical.index("Two")
