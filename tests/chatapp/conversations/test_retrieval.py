from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from chatapp.conversations import services
from chatapp.conversations.access import AssistantNotFound
from chatapp.conversations.models import AnswerRun, Assistant
from chatapp.conversations.retrieval import (
    PASSAGES,
    SETTINGS,
    SettingRefused,
    chat_query,
    checked_settings,
    profile_of,
    query_of_trace,
    trace_of,
)
from chatapp.conversations.services import Ask
from knowledge.errors import NotAllowed
from knowledge.retrieval.base import DEFAULT, RetrievalProfile
from knowledge.retrieval.query import select_turns
from knowledge.tenants.access import actor_for
from knowledge.types import Turn


def test_every_setting_is_a_field_of_the_profile_with_a_default_in_range() -> None:
    names = {field.name for field in fields(RetrievalProfile)}
    for name, setting in SETTINGS.items():
        assert name in names
        assert setting.checked(setting.default) == setting.default
        assert setting.low < setting.high


def test_only_what_differs_from_the_product_is_kept() -> None:
    assert checked_settings({"keyword_weight": 0.5, "rerank": 50, "rerank_weight": None, "floor": 0.2}) == {
        "floor": 0.2
    }
    assert checked_settings({}) == {}


def test_whole_numbers_stay_whole() -> None:
    assert isinstance(checked_settings({"candidates": 80.0})["candidates"], int)
    assert isinstance(checked_settings({"keyword_weight": 1})["keyword_weight"], float)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keyword_weight": 1.01}, "Keyword weight must be a number from 0 to 1."),
        ({"keyword_weight": float("nan")}, "Keyword weight must be a number from 0 to 1."),
        ({"rerank_weight": float("inf")}, "Reranker weight must be a number from 0 to 5."),
        ({"candidates": 10**9}, "Candidates must be a whole number from 10 to 300."),
        ({"rerank": 2.5}, "Passages reranked must be a whole number from 0 to 100."),
        ({"floor": None}, "Lowest score must be a number from 0 to 0.9."),
        ({"floor": True}, "Lowest score must be a number from 0 to 0.9."),
        ({"floor": "0.3"}, "Lowest score must be a number from 0 to 0.9."),
        ({"floor": [0.3]}, "Lowest score must be a number from 0 to 0.9."),
        ({"k1": 1.0}, "The search has no setting “k1”."),
        ({"merged_characters": 1}, "The search has no setting “merged_characters”."),
        ([1], "The settings of the search must be names with values."),
        (None, "The settings of the search must be names with values."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(settings: Any, words: str) -> None:
    with pytest.raises(SettingRefused) as caught:
        checked_settings(settings)
    assert caught.value.message == words


def test_a_stored_setting_of_another_release_is_left_out(caplog: Any) -> None:
    profile = profile_of({"keyword_weight": 0.7, "gone": 3, "floor": 99})
    assert (profile.keyword_weight, profile.floor) == (0.7, DEFAULT.floor)
    assert caplog.text.count("is left out") == 2
    assert profile_of({}) == DEFAULT


def test_a_trace_makes_the_same_search_again() -> None:
    history = (
        Turn(role="user", text="Long ago"), Turn(role="assistant", text="Yes."), Turn(role="user", text="Visitors?"),
        Turn(role="assistant", text="At the desk.\x00\ud800"),
    )  # fmt: skip
    query = chat_query(question="When?", history=history, context_window=4_000)
    trace = json.loads(json.dumps(trace_of(query, {"floor": 0.2})))
    again = query_of_trace(trace, question="When?")
    assert again.explain
    assert (again.limit, again.token_budget, again.merge_neighbours) == (PASSAGES, 2_000, True)
    found = select_turns(again)
    assert (found.last, found.previous, found.answer) == ("When?", "Visitors?", "At the desk.\ufffd")
    assert trace["settings"] == {"floor": 0.2}


def test_a_run_without_a_trace_is_searched_as_the_chat_does() -> None:
    query = query_of_trace({}, question="When?")
    assert (query.history, query.limit, query.token_budget) == ((), PASSAGES, None)


# --- assistants


@pytest.fixture
def assistant(db: None, tenant: Any, use_model: Any) -> Assistant:
    made: Assistant = use_model(tenant, "scripted-ok")
    return made


def actor(user: Any) -> Any:
    return actor_for(user_id=user.pk)


@pytest.mark.parametrize(("role", "allowed"), [("owner", True), ("admin", True), ("editor", True), ("member", False), ("reader", False)])  # fmt: skip
def test_who_may_edit_may_save(role: str, allowed: bool, tenant: Any, assistant: Any, make_user: Any) -> None:
    user = make_user(f"{role}@acme.test", tenant=tenant, role=role)
    save = {"actor": actor(user), "slug": "default", "settings": {"keyword_weight": 0.7, "rerank": 50}}
    if allowed:
        assert services.save_retrieval(**save).retrieval == {"keyword_weight": 0.7}
    else:
        with pytest.raises(NotAllowed):
            services.save_retrieval(**save)
    assistant.refresh_from_db()
    assert assistant.retrieval == ({"keyword_weight": 0.7} if allowed else {})


def test_an_assistant_of_another_tenant_does_not_exist(owner: Any, other_tenant: Any, use_model: Any) -> None:
    use_model(other_tenant, "scripted-ok")
    with pytest.raises(AssistantNotFound):
        services.save_retrieval(actor=actor(owner), slug="default", settings={"floor": 0.3})
    assert Assistant.objects.get().retrieval == {}


def test_the_admin_refuses_what_the_page_refuses(assistant: Any) -> None:
    assistant.retrieval = {"floor": 7}
    with pytest.raises(ValidationError, match="Lowest score must be a number"):
        assistant.full_clean()
    assistant.retrieval = {"floor": 0.3}
    assistant.full_clean()


def test_a_run_keeps_how_it_was_searched(owner: Any, assistant: Any) -> None:
    assistant.retrieval = {"floor": 0.3, "keyword_weight": 0.7}
    assistant.save()
    history = (Turn(role="user", text="Visitors?"), Turn(role="assistant", text="At the desk."))
    started = services.start_run(actor=actor(owner), ask=Ask(text="When?", history=history))
    assert (started.profile.floor, started.profile.keyword_weight) == (0.3, 0.7)
    assert AnswerRun.objects.get().retrieval == {
        "settings": {"floor": 0.3, "keyword_weight": 0.7},
        "limit": PASSAGES,
        "token_budget": started.model.context_window // 2,
        "turns": [{"role": "user", "text": "Visitors?"}, {"role": "assistant", "text": "At the desk."}],
    }
    assert started.query.history == history
