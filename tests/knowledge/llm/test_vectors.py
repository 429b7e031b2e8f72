from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from knowledge.errors import KnowledgeError, ModelBusy, ModelNotConfigured, ModelRefused, ModelUnavailable
from knowledge.llm import Deadlines, ModelSettings, embed, rerank
from tests.support.scripted_model import ScriptedModel, word_vector

pytestmark = pytest.mark.usefixtures("run")  # imports LiteLLM outside the time of a single test
Run = Callable[[Any], Any]
ROUTES = ("hosted_vllm", "openai")


def settings_for(url: str, name: str, route: str = "hosted_vllm") -> ModelSettings:
    return ModelSettings(model=f"{route}/{name}", api_base=url, deadlines=Deadlines(total=10))


@pytest.mark.parametrize("route", ROUTES)
def test_vectors_come_back_in_order_with_usage(scripted: ScriptedModel, route: str) -> None:
    texts = ["one fish", "two fish", "red"]
    vectors, usage = embed(settings_for(scripted.url, "scripted-embed", route), texts)
    assert vectors == [word_vector(text, 64) for text in texts]
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (5, 0, False)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("name", "error", "requests"),
    [
        ("scripted-embed-400", ModelRefused, 1),
        ("scripted-embed-401", ModelNotConfigured, 1),
        ("scripted-embed-429", ModelBusy, 3),
        ("scripted-embed-503", ModelUnavailable, 3),
    ],
)
def test_embedding_failure_is_named_and_only_transient_ones_are_retried(
    scripted: ScriptedModel, route: str, name: str, error: type[KnowledgeError], requests: int
) -> None:
    with pytest.raises(error):
        embed(settings_for(scripted.url, name, route), ["text"])
    assert scripted.calls["models"][name] == requests


def test_rerank_gives_indexes_best_first(scripted: ScriptedModel) -> None:
    documents = ["cats sleep", "the leave is twenty days", "leave the house"]
    scored = rerank(settings_for(scripted.url, "scripted-rerank"), "days of leave", documents, 2)
    assert [index for index, _ in scored] == [1, 2]
    assert scored[0][1] > scored[1][1] > 0


def test_rerank_failure_is_named(scripted: ScriptedModel) -> None:
    with pytest.raises(ModelUnavailable):
        rerank(settings_for(scripted.url, "scripted-500"), "q", ["a"], 1)
