"""Answers over the socket: real documents, real store, real Redis, a scripted model over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from chatapp.conversations import engine, services
from chatapp.conversations.models import AnswerRun, Citation, Conversation, Message
from chatapp.conversations.retrieval import profile_of, query_of_trace
from chatapp.conversations.runs import manager
from knowledge.documents.searching import search
from knowledge.errors import StoreBusy
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
SENTENCE = "Visitors register at the front desk before 18:00 and wear a badge on all floors"


@pytest.fixture
def cite(library: Any, use_model: Any, scripted_model: Any) -> Any:
    """The model copies one sentence of the visitor rules and cites it; call with a pause between its pieces."""

    def script(*, delay_ms: float = 0, chunks: Any = (SENTENCE[:20], SENTENCE[20:], " [S", "1]", ".")) -> Any:
        scripted_model.script(list(chunks), delay_ms=delay_ms)
        use_model(library.tenant, "scripted-custom", bases=[library.base])
        return library

    return script


def run_row() -> AnswerRun:
    return AnswerRun.objects.select_related("answer", "question", "conversation").get()


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(event["type"] for event in events))


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "answer.delta")


async def test_a_question_is_told_as_numbered_events(cite: Any, owner: Any, open_chat: Any, rows: Any) -> None:
    await rows(cite)
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION, client_id="one")
    assert kinds(events) == [
        "run.started", "retrieval.done", "answer.delta", "answer.citation", "sentence.checked", "answer.done",
    ]  # fmt: skip
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["run"] for event in events}) == 1
    assert events[0]["client_id"] == "one"
    assert events[1]["query"] == QUESTION
    assert all(set(passage) == {"key", "label", "title"} for passage in events[1]["passages"]), "ids, never texts"
    assert text_of(events) == f"{SENTENCE}\ue0001\ue001."
    checked = next(event for event in events if event["type"] == "sentence.checked")
    assert checked["verdict"] == "supported"
    assert events[-1]["usage"]["completion_tokens"] == 5
    timings = events[-1]["timings"]
    assert 0 < timings["first_token"] <= timings["total"]
    assert 0 < timings["retrieval.search"] <= timings["retrieval.total"] <= timings["retrieval"]


async def test_everything_is_stored_before_the_last_event(
    cite: Any, owner: Any, open_chat: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = services.store_outcome

    def slowly(**arguments: Any) -> None:
        time.sleep(0.3)
        store(**arguments)

    monkeypatch.setattr(services, "store_outcome", slowly)
    library = await rows(cite)
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    run = await rows(run_row)
    assert run.status == "done"
    assert run.answer.text == text_of(events)
    assert run.question.text == QUESTION
    assert run.events == events
    assert run.model == "openai/scripted-custom"
    assert run.raw_output == f"{SENTENCE} [S1]."
    citation = await rows(lambda: Citation.objects.select_related("passage").get())
    assert citation.passage.used
    assert citation.quote.startswith("Visitors register")
    text = (await rows(library_text, library.documents[0])) if citation.passage.title == "visitors.md" else ""
    assert text[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize("settings", [{}, {"floor": 0.9}, {"keyword_weight": 1.0, "rerank": 0}])
async def test_the_chat_searches_with_the_settings_of_its_assistant(
    settings: dict[str, float], cite: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(cite)
    actor = await rows(actor_for, user_id=owner.pk)
    await rows(services.save_retrieval, actor=actor, slug="default", settings=settings)
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    run = await rows(run_row)
    assert run.retrieval["settings"] == settings
    found = await rows(lambda: list(run.passages.order_by("pk")))
    if settings.get("floor"):
        assert found == [], "nothing scores that high"
        return
    started = await rows(services.start_run, actor=actor, ask=services.Ask(text=QUESTION))
    expected = await rows(search, started.query, scope=started.scope, profile=profile_of(settings))
    assert [p["key"] for p in events[1]["passages"]] == [p.key for p in expected.passages] != []
    assert [p.score for p in found] == pytest.approx([p.score for p in expected.passages])
    assert all(("rerank" in p.scores) == (settings == {}) for p in found)


def library_text(document: Any) -> str:
    from knowledge.documents import selectors

    version = document.current_version
    version.document = document
    return selectors.version_text(version)


async def test_a_run_goes_on_when_its_socket_closes(
    cite: Any, owner: Any, open_chat: Any, rows: Any, eventually: Any
) -> None:
    await rows(cite, delay_ms=60)
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    await chat.until("answer.delta")
    await chat.close()
    await eventually(lambda: AnswerRun.objects.filter(status="done").exists())
    assert (await rows(run_row)).answer.text == f"{SENTENCE}\ue0001\ue001."


async def test_words_do_not_wait_for_the_next_ones(
    use_model: Any, library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(use_model, library.tenant, "scripted-stall", bases=[library.base])
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    began, shown = time.monotonic(), ""
    while "scripted" not in shown and time.monotonic() - began < 5:
        event = await chat.receive()
        shown += event.get("text", "")
    assert shown.split() == ["The", "scripted"]
    await chat.send(type="stop", run=event["run"])
    await chat.until("answer.done")


async def test_resuming_in_the_same_process_gives_the_rest_once(
    cite: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(cite, delay_ms=60)
    first = await open_chat(owner)
    await first.send(type="ask", text=QUESTION)
    seen = await first.until("answer.delta")
    await first.close()
    second = await open_chat(owner)
    await second.send(type="resume", run=seen[-1]["run"], seq=seen[-1]["seq"])
    rest = await second.until("answer.done")
    numbers = [event["seq"] for event in [*seen, *rest]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert text_of([*seen, *rest]) == (await rows(run_row)).answer.text


async def test_resuming_twice_does_not_double_events(cite: Any, owner: Any, open_chat: Any, rows: Any) -> None:
    await rows(cite, delay_ms=60)
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    started = (await chat.until("run.started"))[0]
    await chat.send(type="resume", run=started["run"], seq=1)
    rest = await chat.until("answer.done")
    assert [event["seq"] for event in rest] == sorted({event["seq"] for event in rest})
    assert await chat.alive()


@pytest.mark.parametrize(
    ("model", "after"), [("scripted-hang", "retrieval.done"), ("scripted-endless", "answer.delta")]
)
async def test_stopping_takes_less_than_a_second(
    model: str, after: str, use_model: Any, library: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(use_model, library.tenant, model, bases=[library.base])
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    seen = await chat.until(after)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await chat.send(type="stop", run=seen[0]["run"])
    seen += await chat.until("answer.done")
    assert time.monotonic() - began < 1
    assert seen[-1]["status"] == "stopped"
    run = await rows(run_row)
    assert run.status == "stopped"
    assert run.answer.text == text_of(seen)
    assert bool(run.answer.text) == (model == "scripted-endless")
    for _ in range(100):
        if (await asyncio.to_thread(lambda: scripted_model.calls))["disconnects"]:
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("the model's server still writes to a run that was stopped")


async def test_a_stop_from_another_process_arrives(
    use_model: Any, library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    from chatapp.conversations.runs import RunManager

    await rows(use_model, library.tenant, "scripted-endless", bases=[library.base])
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    seen = await chat.until("answer.delta")
    began = time.monotonic()
    await RunManager().stop(run=seen[0]["run"])
    assert (await chat.until("answer.done"))[-1]["status"] == "stopped"
    assert time.monotonic() - began < 1.5


async def test_the_same_client_id_asks_once(
    cite: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(cite)
    one, two = await open_chat(owner), await open_chat(owner)
    first, second = await asyncio.gather(one.ask(QUESTION, client_id="same"), two.ask(QUESTION, client_id="same"))
    third = await two.ask(QUESTION, client_id="same")
    assert first == second == third
    assert await rows(Message.objects.filter(role="user").count) == 1
    assert await rows(Conversation.objects.count) == 1
    assert scripted_model.calls["paths"] == {"/chat/completions": 1}


async def test_the_client_id_of_another_person_is_another_question(
    cite: Any, owner: Any, member: Any, open_chat: Any, rows: Any
) -> None:
    await rows(cite)
    mine = await (await open_chat(owner)).ask(QUESTION, client_id="same")
    theirs = await (await open_chat(member)).ask(QUESTION, client_id="same")
    assert mine[0]["run"] != theirs[0]["run"]


async def test_a_follow_up_uses_the_conversation(
    cite: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(cite)
    chat = await open_chat(owner)
    first = await chat.ask(QUESTION)
    second = await chat.ask("And where may they park?", conversation=first[0]["conversation"])
    assert second[0]["conversation"] == first[0]["conversation"]
    sent = scripted_model.calls["requests"][-1]["body"]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert sent[1]["content"] == QUESTION
    assert "\ue000" not in json.dumps(sent, ensure_ascii=False)
    assert "visitors" in second[1]["query"].lower(), "the query as searched holds what the question leaves out"
    messages = await rows(lambda: list(Message.objects.order_by("created")))
    assert [m.parent_id for m in messages] == [None, messages[0].pk, messages[1].pk, messages[2].pk]


@pytest.mark.parametrize("model", ["scripted-invented", "scripted-malformed", "scripted-split-markers"])
async def test_only_markers_of_sources_are_shown(
    model: str, use_model: Any, library: Any, owner: Any, open_chat: Any, rows: Any, api: Any
) -> None:
    await rows(use_model, library.tenant, model, bases=[library.base])
    events = await (await open_chat(owner)).ask(QUESTION)
    told = [{k: v for k, v in e.items() if k not in ("passages",)} for e in events if e["type"] != "answer.delta"]
    labels = {passage["label"] for passage in events[1]["passages"]}
    assert all(event["label"] in labels for event in told if event["type"] == "answer.citation")
    run = (await api.get(f"/runs/{events[0]['run']}")).json()
    shown = text_of(events).replace("\ue0001\ue001", "").replace("\ue0002\ue001", "")
    assert not any("\ue000" <= c <= "\uf8ff" for c in shown), ascii(shown)
    for marker in ("[S99]", "[7]", "(S42)", "[S98]", "[S1]", "[S0]", "【S1】"):
        assert marker not in shown
        assert marker not in run["answer"]
    numbers = {citation["number"] for citation in run["citations"]}
    assert numbers == {event["number"] for event in told if event["type"] == "answer.citation"}
    if model == "scripted-invented":
        assert numbers == {1}, "of [S99] [7] (S42) [S1][S98] one is the label of a source"
        assert [s["verdict"] for s in run["sentences"]][:3] == ["uncited"] * 3
        assert run["anomalies"]
    if model == "scripted-split-markers":
        assert numbers == {1, 2}


async def test_what_no_database_holds_costs_no_answer(
    use_model: Any, library: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(use_model, library.tenant, "scripted-custom", bases=[library.base])
    scripted_model.script(["Gu\0ests park [S1]. ", "\ud83d", "\ude00 Half \udc00."])
    events = await (await open_chat(owner)).ask(QUESTION)
    assert events[-1]["type"] == "answer.done"
    run = await rows(AnswerRun.objects.get, pk=events[0]["run"])
    assert run.raw_output == "Guests park [S1]. 😀 Half \ufffd."


async def test_nothing_found_is_said_without_asking_the_model(
    use_model: Any, tenant: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any, redis_server: Any
) -> None:
    from knowledge.documents.services import create_knowledge_base
    from knowledge.tenants.access import system_actor

    base = await rows(create_knowledge_base, actor=system_actor(tenant), name="Empty shelf")
    await rows(use_model, tenant, "scripted-ok", bases=[base])
    events = await (await open_chat(owner)).ask(QUESTION)
    assert events[-1]["no_answer"]
    assert "Empty shelf" in text_of(events)
    assert "Nothing was found" in text_of(events)
    assert scripted_model.calls["total"] == 0
    run = await rows(run_row)
    assert run.no_answer
    assert run.usage["prompt_tokens"] == 0


async def test_small_talk_is_searched_for_nowhere(cite: Any, owner: Any, open_chat: Any, rows: Any) -> None:
    await rows(lambda: cite(chunks=("You're welcome.",)))
    chat = await open_chat(owner)
    events = await chat.ask("Thanks a lot!")
    found = next(event for event in events if event["type"] == "retrieval.done")
    assert (found["query"], found["passages"]) == ("", [])
    assert text_of(events) == "You're welcome."
    assert events[-1]["no_answer"] is False
    run = await rows(run_row)
    assert (run.status, run.query, run.sentences[0]["verdict"]) == ("done", "", "exempt")
    assert "retrieval" not in run.timings
    assert not await rows(run.passages.exists)


async def test_a_refused_search_keeps_where_the_nearest_passages_are(
    cite: Any, library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(cite)
    actor = await rows(actor_for, user_id=owner.pk)
    await rows(services.save_retrieval, actor=actor, slug="default", settings={"least_chance": 0.9})
    events = await (await open_chat(owner)).ask("Which planet has the most moons?")
    assert events[-1]["no_answer"]
    nearest = (await rows(run_row)).retrieval["search"]["related"]
    assert {place["document"] for place in nearest} <= {str(document.pk) for document in library.documents}
    assert nearest[0].keys() == {"document", "version", "page", "start", "end", "tokens"}  # neither title nor words


async def test_a_refusal_of_the_model_is_marked_as_no_answer(
    use_model: Any, library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    await rows(use_model, library.tenant, "scripted-noanswer", bases=[library.base])
    events = await (await open_chat(owner)).ask(QUESTION)
    assert events[-1]["no_answer"]
    assert "NO_ANSWER" not in text_of(events)
    assert (await rows(run_row)).no_answer


async def test_a_knowledge_base_of_the_request_narrows_the_search(
    cite: Any, make_library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    library = await rows(cite)
    other = await rows(make_library, library.tenant, name="Second")
    events = await (await open_chat(owner)).ask(QUESTION, knowledge_bases=[other.base.slug])
    run = await rows(run_row)
    assert run.knowledge_bases == [str(other.base.pk)]
    passages = await rows(lambda: {p.document_ref for p in run.passages.all()})
    assert passages <= {document.pk for document in other.documents}
    assert len(events[1]["passages"]) == len(passages) > 0


async def test_the_manager_forgets_what_is_over(cite: Any, owner: Any, open_chat: Any, rows: Any) -> None:
    await rows(cite)
    await (await open_chat(owner)).ask(QUESTION)
    await asyncio.sleep(0.1)
    assert not manager()._tasks


async def test_a_follow_up_is_written_anew_and_kept_so_that_it_can_be_made_again(
    cite: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any
) -> None:
    await rows(cite)
    chat = await open_chat(owner)
    first = await chat.ask(QUESTION)
    assert scripted_model.calls["total"] == 1, "a first question waits for nothing"
    standalone = "Until when must visitors register at the front desk?"
    scripted_model.script([standalone])
    events = await chat.ask("Until when?", conversation=first[0]["conversation"])
    assert scripted_model.calls["total"] == 3
    (told,) = [event for event in events if event["type"] == "retrieval.done"]
    assert told["query"] == f"{standalone} (asked: Until when?)"
    run = await rows(AnswerRun.objects.get, pk=events[0]["run"])
    assert run.query == told["query"]
    assert run.timings["rewritten"] <= run.timings["retrieval"]
    assert run.usage["completion_tokens"] == 2, "a token of each call"
    again = query_of_trace(run.retrieval, question="Until when?")
    assert again.rewritten is not None
    assert again.rewritten.standalone == standalone


async def test_tokens_of_writing_a_question_anew_count_though_its_search_fails(
    cite: Any, owner: Any, open_chat: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StoreBusy

    await rows(cite)
    chat = await open_chat(owner)
    first = await chat.ask(QUESTION)
    monkeypatch.setattr(engine, "search", fails)
    events = await chat.ask("Until when?", conversation=first[0]["conversation"])
    assert events[-1]["type"] == "run.error"
    run = await rows(AnswerRun.objects.get, pk=events[0]["run"])
    assert run.usage["completion_tokens"] > 0
    assert run.usage["prompt_tokens"] > 0


async def test_a_sentence_in_other_words_is_checked_and_quotes_what_it_rests_on(
    cite: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    said = [
        "Everybody who visits must sign in at the reception desk by 18:00",
        " [S",
        "1].",
        " The cook",
        " keeps bees [S1]. ",
    ]
    await rows(lambda: cite(chunks=said))
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION, client_id="one")
    told = {event["index"]: event for event in events if event["type"] == "sentence.checked"}
    assert told[0]["verdict"] in ("supported", "weak")
    assert told[0]["reasons"] != ["not word for word in the source"]
    assert told[1]["verdict"] in ("weak", "unsupported")
    run = await rows(run_row)
    assert [each["verdict"] for each in run.sentences] == [told[0]["verdict"], told[1]["verdict"]]
    assert 0 < run.sentences[0]["score"] <= 1
    citation = (await rows(lambda: list(Citation.objects.select_related("passage__snapshot").order_by("sentence"))))[0]
    inside = slice(citation.start - citation.passage.start, citation.end - citation.passage.start)
    assert citation.passage.text[inside] == citation.quote
    assert "18:00" in citation.quote
