"""The server of local models over real HTTP: one process, one tiny model with random adapters."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import tiny_adapters

from chatapp.finetuning import alone
from chatapp.finetuning.artifacts import digest_of
from knowledge import llm
from knowledge.errors import ModelNotConfigured, ModelRefused

pytestmark = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs the extra: make run TRAIN=1")
TOKEN = "a-token-of-this-test"
HELLO = [{"role": "user", "content": "What colour is widget-3?"}]


class Server:
    """The program with its configuration, as ``host`` starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = tiny_adapters.make(folder)
        for name, text in (("token", TOKEN), ("config.json", json.dumps(self._config()))):
            (folder / name).write_text(text)
        program = [sys.executable, *alone.program("chatapp.finetuning.serving.program"), str(folder / "config.json")]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT, env=environment
        )
        end = time.monotonic() + 90
        while not (folder / "ready.json").is_file():
            assert self.process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{json.loads((folder / 'ready.json').read_text())['port']}"

    def _config(self) -> dict[str, Any]:
        return {
            "name": "tiny", "path": str(self.folder / "base"), "files": {}, "folders": [str(self.folder)], "waiting": 2,
            "token": str(self.folder / "token"), "ready": str(self.folder / "ready.json"),
        }  # fmt: skip

    def call(self, path: str, body: Any = None, *, token: str = TOKEN) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def load(self, name: str, *, folder: Path | None = None, digest: str | None = None) -> tuple[int, Any]:
        folder = folder or self.folder / name
        digest = digest_of(folder) if digest is None else digest
        return self.call("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder), "digest": digest})

    def ask(self, model: str, *, max_tokens: int = 12, **more: Any) -> tuple[int, Any]:
        body = {"model": model, "messages": HELLO, "max_tokens": max_tokens, "temperature": 0, **more}
        return self.call("/v1/chat/completions", body)

    def text(self, model: str, **more: Any) -> str:
        status, reply = self.ask(model, **more)
        assert status == 200, reply
        return str(reply["choices"][0]["message"]["content"])

    def settings(self, model: str, **more: Any) -> llm.ModelSettings:
        return llm.ModelSettings(
            model=f"hosted_vllm/{model}", api_base=f"{self.url}/v1", api_key=TOKEN, max_output_tokens=12, **more
        )

    def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(timeout=10)
        self.log.close()
        return code


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("served"))
    yield made
    assert made.stop() == 0  # its standard input was closed: so it goes when its starter dies


async def test_it_streams_through_the_gateway_with_usage_and_a_reason_to_end(server: Server) -> None:
    events = [event async for event in llm.stream(server.settings("tiny"), HELLO)]
    deltas = [event.text for event in events if isinstance(event, llm.Delta)]
    (usage,) = [event for event in events if isinstance(event, llm.Usage)]
    assert len(deltas) > 1
    assert (usage.completion_tokens, usage.estimated) == (12, False)
    assert usage.prompt_tokens > 5
    assert events[-1] == llm.Finish("length")
    assert "".join(deltas) == server.text("tiny")
    await llm.close_clients()


def test_adapters_are_chosen_by_name_and_leave_the_base_as_it_was(server: Server) -> None:
    before = server.text("tiny")
    assert server.ask("first")[0] == 404
    assert server.load("first") == (200, {"loaded": "first"})
    assert server.load("second")[0] == 200
    first, second = server.text("first"), server.text("second")
    assert len({before, first, second}) == 3
    assert (server.text("tiny"), server.text("first")) == (before, first)
    _, listed = server.call("/v1/models")
    assert [model["id"] for model in listed["data"]] == ["tiny", "first", "second"]
    assert server.load("first")[1]["error"]["code"] == "name_taken"
    assert server.call("/v1/unload_lora_adapter", {"lora_name": "second"})[0] == 200
    assert server.ask("second")[0] == 404
    assert server.text("first") == first
    assert server.call("/v1/unload_lora_adapter", {"lora_name": "first"})[0] == 200
    assert server.text("tiny") == before
    assert server.load("first")[0] == 200
    assert server.text("first") == first
    server.call("/v1/unload_lora_adapter", {"lora_name": "first"})


def test_weights_that_are_not_the_registered_ones_are_not_loaded(server: Server, tmp_path: Path) -> None:
    assert server.load("first", digest="0" * 64)[1]["error"]["code"] == "wrong_digest"
    assert server.load("first", digest="")[1]["error"]["code"] == "wrong_digest"
    elsewhere = tmp_path / "adapter"
    elsewhere.mkdir()
    assert server.load("x", folder=elsewhere, digest="1")[1]["error"]["code"] == "folder_not_allowed"
    pickled = server.folder / "pickled"
    pickled.mkdir(exist_ok=True)
    (pickled / "adapter_config.json").write_text("{}")
    (pickled / "adapter_model.bin").write_bytes(b"x")
    status, reply = server.load("pickled", digest="1")
    assert (status, reply["error"]["code"]) == (422, "bad_artifact")
    assert "safetensors" in reply["error"]["message"]
    assert server.load("../first", folder=server.folder / "first")[0] == 400


def test_whole_weights_are_served_beside_the_base(server: Server) -> None:
    body = {"name": "copy", "path": str(server.folder / "base"), "digest": digest_of(server.folder / "base")}
    assert server.call("/v1/load_model", body)[0] == 200
    assert server.text("copy") == server.text("tiny")
    assert server.call("/v1/unload_lora_adapter", {"lora_name": "copy"})[0] == 200
    assert server.call("/v1/unload_lora_adapter", {"lora_name": "tiny"})[0] == 404


def test_a_merged_export_answers_as_its_adapter_does(server: Server) -> None:
    base, adapter, folder = (server.folder / name for name in ("base", "first", "merged"))
    program = [sys.executable, *alone.program("chatapp.finetuning.serving.program.merging")]
    wrong = subprocess.run([*program, base, adapter, "0" * 64, folder], capture_output=True, text=True)
    assert (wrong.returncode, folder.exists()) == (1, False)
    assert "digest differs" in wrong.stderr
    subprocess.run([*program, base, adapter, digest_of(adapter), folder], check=True, capture_output=True)
    assert server.load("first")[0] == 200
    body = {"name": "merged", "path": str(folder), "digest": digest_of(folder)}
    assert server.call("/v1/load_model", body)[0] == 200
    assert server.text("merged") == server.text("first") != server.text("tiny")
    for name in ("merged", "first"):
        server.call("/v1/unload_lora_adapter", {"lora_name": name})


def test_without_its_token_it_tells_only_that_it_is_there(server: Server) -> None:
    assert server.call("/health", token="wrong") == (200, {"status": "ok"})
    for path in ("/v1/models", "/load"):
        assert server.call(path, token="wrong")[0] == 401
    assert server.call("/v1/chat/completions", {"model": "tiny", "messages": HELLO}, token="wrong")[0] == 401


async def test_a_wrong_token_is_a_model_that_is_not_set_up(server: Server) -> None:
    settings = llm.ModelSettings(model="hosted_vllm/tiny", api_base=f"{server.url}/v1", api_key="wrong")
    with pytest.raises(ModelNotConfigured):
        await llm.complete(settings, HELLO)
    await llm.close_clients()


async def test_a_prompt_longer_than_the_window_is_refused_in_openais_shape(server: Server) -> None:
    long = [{"role": "user", "content": "widget-7 " * 600}]
    status, reply = server.call("/v1/chat/completions", {"model": "tiny", "messages": long})
    assert (status, reply["error"]["code"]) == (400, "context_length_exceeded")
    assert "maximum context length is 512 tokens" in reply["error"]["message"]
    settings = server.settings("tiny", context_window=100_000)
    with pytest.raises(ModelRefused, match="too long"):
        await llm.complete(settings, long)
    await llm.close_clients()


def test_stop_texts_seeds_and_faulty_requests(server: Server) -> None:
    whole = server.text("tiny", max_tokens=40)
    stop = whole[6:9]
    status, reply = server.ask("tiny", max_tokens=40, stop=[stop])
    assert status == 200
    assert reply["choices"][0] == {
        "index": 0, "message": {"role": "assistant", "content": whole[: whole.index(stop)]}, "finish_reason": "stop",
    }  # fmt: skip
    drawn = [server.text("tiny", temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert server.ask("tiny", temperature=9)[0] == 400
    assert server.call("/v1/chat/completions", {"model": "tiny", "messages": []})[0] == 400
    assert server.call("/v1/chat/completions", "text")[0] == 400


async def test_who_leaves_stops_the_model_within_a_second_and_frees_it(server: Server) -> None:
    began = time.monotonic()
    reply = server.ask("tiny", max_tokens=480)[1]
    whole = time.monotonic() - began
    assert reply["usage"]["completion_tokens"] > 400
    answered = server.call("/load")[1]["answered"]
    settings = llm.ModelSettings(
        model="hosted_vllm/tiny", api_base=f"{server.url}/v1", api_key=TOKEN, max_output_tokens=480
    )
    async with aclosing(llm.stream(settings, HELLO)) as events:
        async for _ in events:
            break
        left = time.monotonic()
    while server.call("/load")[1]["running"]:
        await asyncio.sleep(0.01)
    assert time.monotonic() - left < min(1.0, whole / 2)
    assert server.call("/load")[1]["answered"] == answered  # it was not finished
    server.text("tiny", max_tokens=2)  # the turn is free
    await llm.close_clients()


async def test_beyond_a_bounded_line_it_says_busy(server: Server) -> None:
    asked = [asyncio.to_thread(server.ask, "tiny", max_tokens=200) for _ in range(6)]
    statuses = sorted(status for status, _ in await asyncio.gather(*asked))
    assert statuses.count(200) >= 3
    assert statuses.count(429) == 6 - statuses.count(200) > 0


def test_it_tells_its_load(server: Server) -> None:
    server.text("tiny")
    _, load = server.call("/load")
    assert load["running"] == load["waiting"] == 0
    assert load["tokens_per_second"] > 0
    assert load["memory"]["process"] > 50_000_000
    assert load["device"] in ("cpu", "cuda")
