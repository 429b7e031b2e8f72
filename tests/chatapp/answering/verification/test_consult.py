"""A language model as judge: asked about what is open, in one call, and believed in nothing but its verdict words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from chatapp.answering.verification import Claim, Judgement
from chatapp.answering.verification.consult import TOKENS, consult, too_small
from chatapp.answering.verification.verifier import SourceEvidence
from knowledge.errors import ModelUnavailable
from knowledge.llm import Completion, Message, ModelSettings, Usage

MODEL = ModelSettings(model="openai/judge", temperature=0.7)
PLACE = SourceEvidence(0, 3, 9)
OPEN = Judgement(verdict="weak", score=0.3, reasons=("some",), evidence=PLACE, judged_by="vectors")
CERTAIN = Judgement(verdict="unsupported", score=0.0, reasons=("number 13 not in the source",), evidence=None)
CLAIMS = [
    Claim(statement="Otters swim [1].", sources=("Otters are good swimmers.", "Herons fly.")),
    Claim(statement="13 otters swim.", sources=("Otters are good swimmers.",)),
    Claim(statement="Herons walk.", sources=("Herons fly.",), question="Do herons walk?"),
]


def run(reply: Any, *, claims: Sequence[Claim] = CLAIMS, seconds: float = 1.0) -> tuple[list[Judgement], list[Any]]:
    asked: list[Any] = []

    async def complete(settings: ModelSettings, messages: Sequence[Message]) -> Completion:
        asked.append((settings, messages))
        if isinstance(reply, Exception):
            raise reply
        if reply is None:
            await asyncio.sleep(10)
        return Completion(text=reply, usage=Usage(prompt_tokens=1, completion_tokens=1, estimated=False), finish="stop")

    judged = [OPEN, CERTAIN, OPEN][: len(claims)]
    found = consult(claims, judged, model=MODEL, seconds=seconds, complete=complete)
    return asyncio.run(found), asked  # type: ignore[arg-type]


def test_open_statements_get_its_verdict_and_keep_their_evidence() -> None:
    found, asked = run('{"1": "supported", "2": "unsupported"}')
    assert [each.verdict for each in found] == ["supported", "unsupported", "unsupported"]
    assert found[0].evidence == PLACE
    assert found[1] is CERTAIN
    assert [each.judged_by for each in found] == ["judge", "", "judge"]
    assert not any(each.open for each in found)
    assert found[0].score > found[2].score
    assert len(asked) == 1


def test_it_sees_each_text_once_between_fences_and_only_open_statements() -> None:
    _, [(settings, messages)] = run("{}")
    assert (settings.temperature, settings.max_output_tokens) == (0.0, 4 * TOKENS)
    content = messages[1]["content"]
    assert content.count("Otters are good swimmers.") == 1
    assert "Statement 1, sources T1, T2." in content
    assert "Statement 2, sources T2. It answers the question: Do herons walk?" in content
    assert "13 otters" not in content
    fence = content.split("<<<", 1)[1].split(" ", 1)[0]
    assert len(fence) > 20
    assert content.count(f"<<<{fence}\n") == content.count(f"\n{fence}>>>") == 4


@pytest.mark.parametrize(
    "reply",
    [
        'Sure.\n```json\n{"1": " Supported ", "2": "PARTLY"}\n```', '<think>{"1": "unsupported"}</think>{"1": "supported", "2": "partly"}',
        '{"1": "unsupported", "2": "supported"} no, wait: {"1": "supported", "2": "partly"}',
    ],
)  # fmt: skip
def test_replies_of_many_shapes_are_read(reply: str) -> None:
    assert [each.verdict for each in run(reply)[0]] == ["supported", "unsupported", "weak"]


@pytest.mark.parametrize(
    "reply",
    ["", "supported", "[1]", '{"1": 5, "9": "supported"}', '{"1": "yes"', '{"1": "true"}', ModelUnavailable(), None],
)
def test_what_it_does_not_say_stays_as_it_was(reply: Any) -> None:
    assert run(reply, seconds=0.05)[0] == [OPEN, CERTAIN, OPEN]


def test_nothing_open_asks_nobody() -> None:
    async def refuse(settings: ModelSettings, messages: Sequence[Message]) -> Completion:
        raise AssertionError

    found = asyncio.run(consult(CLAIMS[1:2], [CERTAIN], model=MODEL, seconds=1, complete=refuse))
    assert found == [CERTAIN]


@pytest.mark.parametrize(
    ("model", "small"),
    [
        ("ollama/qwen2.5:0.5b", True), ("hosted_vllm/Llama-3.2-3B-Instruct", True), ("gemma-2b-it", True),
        ("hosted_vllm/qwen2.5-7b-instruct", False), ("mixtral-8x7b", False), ("openai/gpt-4o", False),
        ("llama-3.1-70b", False), ("qwen3-30b-a3b", False), ("phi_3.8b_mini", True), ("gpt-4b1", False),
    ],
)  # fmt: skip
def test_models_that_say_they_are_small_are_refused(model: str, small: bool) -> None:
    assert too_small(model) is small
