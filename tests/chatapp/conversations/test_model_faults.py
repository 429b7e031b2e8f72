"""What becomes of a question when the provider of the model fails: the row "LLM provider" of the fault matrix.

Through the whole product, over the socket; the table is printed at the end (``pytest -s``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from chatapp.conversations.models import AnswerRun, Message
from chatapp.language_models.health import problems
from chatapp.language_models.models import LanguageModel, UsageEntry
from knowledge.llm.cooldown import COOLDOWNS
from knowledge.llm.places import PLACES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
FALSE_CALL = {"tool_calls": [{"index": 0, "id": "x", "function": {"name": "open_vault", "arguments": "{}"}}]}
INTERRUPTED = ("failed", "model_interrupted")
OK = ("ok", "")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """``calls``: what the ledger says of each call; ``text`` whether some of the answer is kept."""

    fault: str
    model: str = "scripted-custom"
    chunks: Sequence[Any] = ()
    then: str = "finish"
    finish: str = "stop"
    fallback: str = ""
    code: str = ""  # of the error the reader is told; empty: the answer is done
    text: bool = True
    calls: tuple[tuple[str, str], ...] = (OK,)
    requests: int = 1
    first_token: float = 8.0  # deadlines
    gap: float = 8.0
    seconds: float = 6.0


CELLS = [
    Cell(fault="reset in the middle", model="scripted-reset", code="model_interrupted", calls=(INTERRUPTED,)),
    Cell(fault="hangs before the first token", model="scripted-hang", code="model_timeout", text=False, first_token=0.5,
         calls=(("failed", "model_timeout"),)),
    Cell(fault="hangs, with a fallback", model="scripted-hang", fallback="scripted-ok", requests=2, first_token=1.5,
         calls=(("failed", "model_timeout"), OK)),
    Cell(fault="a gap", model="scripted-stall", code="model_timeout", gap=0.4, calls=(("failed", "model_timeout"),)),
    Cell(fault="a gap, with a fallback", model="scripted-stall", fallback="scripted-ok", code="model_timeout", gap=0.4,
         calls=(("failed", "model_timeout"),)),
    Cell(fault="429, Retry-After 1", model="scripted-429-times-1-after-1", requests=2),
    Cell(fault="429, Retry-After 60", model="scripted-429-after-60", code="model_busy", text=False,
         calls=(("failed", "model_busy"),)),
    Cell(fault="429, with a fallback", model="scripted-429-after-60", fallback="scripted-ok", requests=2,
         calls=(("failed", "model_busy"), OK)),
    Cell(fault="401", model="scripted-401", code="model_not_configured", text=False,
         calls=(("failed", "model_not_configured"),)),
    Cell(fault="400", model="scripted-400", code="model_refused", text=False, calls=(("failed", "model_refused"),)),
    Cell(fault="500 twice", model="scripted-500-times-2", requests=3),
    Cell(fault="503, with a fallback", model="scripted-503", fallback="scripted-ok", requests=4,
         calls=(("failed", "model_unavailable"), OK)),
    Cell(fault="an error inside the stream", model="scripted-error-event", code="model_interrupted",
         calls=(INTERRUPTED,)),
    Cell(fault="no reason to end", model="scripted-no-finish", code="model_interrupted", calls=(INTERRUPTED,)),
    Cell(fault="an empty answer", code="model_error", text=False),
    Cell(fault="not UTF-8", model="scripted-garbage-utf8", code="model_interrupted", calls=(INTERRUPTED,)),
    Cell(fault="an HTML page with 200", model="scripted-200-html", code="model_unavailable", text=False, requests=3,
         calls=(("failed", "model_unavailable"),)),
    Cell(fault="an HTML page with 503", model="scripted-503-html", code="model_unavailable", text=False, requests=3,
         calls=(("failed", "model_unavailable"),)),
    Cell(fault="a tool call", chunks=(FALSE_CALL,), finish="tool_calls", code="model_error", text=False),
    Cell(fault="1 MB in one token", chunks=("word " * 210_000,), then="hang", calls=(("cancelled", ""),)),
    Cell(fault="no JSON", model="scripted-garbage", code="model_interrupted", calls=(INTERRUPTED,)),
    Cell(fault="a citation that no source has", chunks=("Visitors register [S99]", ". And [7] more.")),
    Cell(fault="another language", chunks=("\u8fd9\u4e0d\u662f", "\u82f1\u8bed\u3002 [S1]")),
    Cell(fault="the end is sent twice", chunks=("Visitors ", "register [S1]."), then="replay"),
]  # fmt: skip


@dataclass
class Seen:
    rows: list[tuple[str, ...]] = field(default_factory=list)


@pytest.fixture(scope="module")
def table() -> Iterator[Seen]:
    seen = Seen()
    yield seen
    print(f"\n{'fault of the provider':<31} {'told':<21} {'kept':<9} {'requests':<9} {'ledger':<43} seconds")
    for fault, *others in seen.rows:
        print(f"{fault:<31} " + " ".join(f"{each:<{width}}" for each, width in zip(others, WIDTHS, strict=True)))


WIDTHS = (21, 9, 9, 43, 7)


@pytest.fixture(autouse=True)
def _rested() -> Iterator[None]:
    COOLDOWNS.clear()
    yield
    COOLDOWNS.clear()


@pytest.fixture
def ready(use_model: Any, library: Any, scripted_model: Any, settings: Any) -> Callable[[Cell], LanguageModel]:
    """Call with a cell to set up its model, with one place and prices."""

    def make(cell: Cell) -> LanguageModel:
        settings.FIRST_TOKEN_SECONDS, settings.TOKEN_GAP_SECONDS = cell.first_token, cell.gap
        if cell.model == "scripted-custom":
            scripted_model.script(list(cell.chunks), then=cell.then, finish=cell.finish)
        assistant = use_model(library.tenant, cell.model, bases=[library.base])
        model: LanguageModel = assistant.language_model
        model.name, model.max_parallel = "Main", 1
        model.price_prompt = model.price_completion = 1
        if cell.fallback:
            model.fallback = LanguageModel.objects.create(
                tenant=library.tenant, slug="backup", name="Backup", model=f"openai/{cell.fallback}",
                api_base=scripted_model.url, source="added",
            )  # fmt: skip
        model.save()
        return model

    return make


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.fault)
async def test_a_fault_of_the_provider_is_told_in_words_and_counted_once(
    cell: Cell, ready: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any, table: Seen, api: Any
) -> None:
    model = await rows(ready, cell)
    chat = await open_chat(owner)
    began = time.monotonic()
    events = await chat.ask(QUESTION, client_id="one")
    spent = time.monotonic() - began
    run = await rows(AnswerRun.objects.select_related("answer").get)
    entries = await rows(lambda: list(UsageEntry.objects.order_by("pk")))
    calls = await asyncio.to_thread(lambda: scripted_model.calls)
    table.rows.append(
        (
            cell.fault, cell.code or ("answered by " + run.answered_by), f"{len(run.answer.text):,}",
            str(calls["total"]), ", ".join(filter(None, (each.error_code or each.status for each in entries))),
            f"{spent:.1f}",
        )
    )  # fmt: skip
    assert spent < cell.seconds
    assert (events[-1].get("code", ""), run.error_code) == (cell.code, cell.code)
    assert run.status == ("failed" if cell.code else "done")
    if cell.code:
        assert events[-1]["message"] == run.error_message
        assert run.error_message.endswith(".")
        assert events[-1]["retry"] is (cell.code not in ("model_not_configured", "model_refused"))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert run.events == events
    assert bool(run.answer.text) is cell.text
    assert len(run.answer.text.encode()) <= 64 * 1024
    assert calls["total"] == cell.requests
    assert tuple((each.status, each.error_code) for each in entries) == cell.calls
    assert all(each.run_ref == run.pk and each.purpose == "answer" for each in entries)
    fell_back = bool(cell.fallback) and not cell.code
    assert (run.answered_by, run.in_place_of) == (
        ("Backup", "Main") if fell_back else ("Main" if _began(entries) else "", "")
    )
    assert run.model == f"openai/{cell.fallback if fell_back else cell.model}"
    assert {citation["number"] for citation in (await api.get(f"/runs/{run.pk}")).json()["citations"]} <= {1}
    assert "[S" not in run.answer.text
    assert PLACES._taken == {}, "the next question does not wait for this one"
    assert await chat.alive()
    if model.fallback is None and cell.code == "model_not_configured":
        (told,) = await rows(lambda: list(problems([model.tenant_id])))
        assert told.startswith(f"“Main” (openai/{cell.model}) does not accept its address or key (401 Auth")


def _began(entries: Sequence[UsageEntry]) -> bool:
    return any(entry.first_token is not None or entry.status == "ok" for entry in entries)


async def test_tokens_that_trickle_are_stopped_within_a_second(
    ready: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any, table: Seen
) -> None:
    await rows(ready, Cell(fault="trickle", model="scripted-endless-ms-300"))
    chat = await open_chat(owner)
    await chat.send(type="ask", text=QUESTION)
    seen = await chat.until("answer.delta")
    began = time.monotonic()
    await chat.send(type="stop", run=seen[0]["run"])
    seen += await chat.until("answer.done")
    stopped = time.monotonic() - began
    while not (await asyncio.to_thread(lambda: scripted_model.calls))["disconnects"]:
        assert time.monotonic() - began < 1, "the provider still writes"
        await asyncio.sleep(0.01)
    heard = time.monotonic() - began
    entry = await rows(UsageEntry.objects.get)
    table.rows.append(
        ("tokens trickle, stopped", "stopped", "", "1", entry.status, f"{stopped:.2f}, provider {heard:.2f}")
    )
    assert stopped < 1
    assert (entry.status, entry.estimated) == ("cancelled", True)
    assert entry.prompt_tokens > 100
    assert 0 < entry.completion_tokens < 20
    assert entry.cost == Decimal(entry.prompt_tokens + entry.completion_tokens) / 1_000_000
    assert PLACES._taken == {}


async def test_a_question_sent_again_is_answered_and_charged_once(
    ready: Any, owner: Any, open_chat: Any, rows: Any, scripted_model: Any, table: Seen
) -> None:
    await rows(ready, Cell(fault="again", chunks=("Visitors register [S1].",)))
    chat = await open_chat(owner)
    first = await chat.ask(QUESTION, client_id="one")
    again = await chat.ask(QUESTION, client_id="one")
    assert first == again
    assert await rows(Message.objects.filter(role="assistant").count) == 1
    entries = await rows(UsageEntry.objects.count)
    table.rows.append(("the client sends it again", "the same answer", "", "1", f"{entries} entry", ""))
    assert entries == 1
