"""What the trainer and the model server do on this machine, GPU or not: a random model of an architecture that people
really train, and the product's own two programs.

A program by itself that needs the extra ``train`` and nothing else of the product, so that it runs on a machine with a
GPU and little more: ``python chatapp/operations/bench/programs.py FOLDER --shape 1b --json FILE``.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
ALONE = str(ROOT / "chatapp" / "finetuning" / "alone.py")
TINY_LLAMA = str(ROOT / "tests" / "support" / "tiny_llama.py")
TRAINER, SERVER = "chatapp.finetuning.training.program", "chatapp.finetuning.serving.program"

WINDOW = 2048  # tokens
SHAPES: Mapping[str, tuple[int, Mapping[str, int]]] = {  # width, and the rest of the configuration
    "tiny": (64, {"num_hidden_layers": 2}),
    "1b": (2048, {"intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
                  "num_key_value_heads": 8, "vocab_size": 128_256}),  # Llama 3.2 1B
    "8b": (4096, {"intermediate_size": 14_336, "num_hidden_layers": 32, "num_attention_heads": 32,
                  "num_key_value_heads": 8, "vocab_size": 128_256, "tie_word_embeddings": 0}),  # Llama 3.1 8B
}  # fmt: skip
METHODS = ("lora", "dora", "qlora", "full")
WORDS = (
    "the heron builds nests of sticks above calm water and feeds on fish frogs mice at dawn while others sleep".split()
)
ASKED, ANSWER_TOKENS = 5, 128
GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Tokens a second, bytes and seconds as the trainer told them; ``loss`` of the first and the last line."""

    name: str
    method: str
    device: str
    steps: int
    tokens_per_second: float | None
    memory: int
    seconds: float
    loss: tuple[float, float]
    digest: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Medians over some answers of ``ANSWER_TOKENS`` tokens; ``load_seconds``: of this adapter or of the base."""

    name: str
    load_seconds: float
    first_token_ms: float
    tokens_per_second: float


class Failed(RuntimeError):
    """A program ended badly; the message is the end of what it said."""


def main() -> int:
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"shape": asked.shape, "trained": [], "served": [], "failed": []}
    base = _timed("a random model was made", lambda: _made(asked.folder, asked.shape))
    hashes = _hashes(base)
    _write_rows(asked.folder, rows=asked.rows, words=asked.words)
    plan = [(method, method, False) for method in asked.methods]
    if "lora" in asked.methods and asked.again:
        plan += [("lora, same seed", "lora", False), ("lora, killed and resumed", "lora", True)]
    for name, method, killed in plan:
        try:
            found["trained"].append(_trained(asked, base, hashes, name, method, killed=killed))
            print(_words(found["trained"][-1]), flush=True)
        except Failed as error:  # the others are measured all the same
            found["failed"].append({"name": name, "said": str(error)})
            print(f"{name} failed: {error}", flush=True)
        _write(asked.json, found)
    if asked.serve:
        try:
            for served in _served(asked, base, found["trained"]):
                found["served"].append(served)
                print(served, flush=True)
        except Failed as error:
            found["failed"].append({"name": "served", "said": str(error)})
            print(f"The server failed: {error}", flush=True)
    _write(asked.json, found)
    return 1 if found["failed"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=list(SHAPES), default="tiny")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--words", type=int, default=200, help="Of each row; about one token and a half each.")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--no-again", dest="again", action="store_false", help="LoRA once only.")
    parser.add_argument("--no-serve", dest="serve", action="store_false")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _made(folder: Path, shape: str) -> Path:
    made, texts = folder / f"model-{shape}", folder / "texts.txt"
    if not (made / "config.json").is_file():
        width, more = SHAPES[shape]
        texts.write_text("\n".join(_sentence(seed, 40) for seed in range(50)), encoding="utf-8")
        _run(sys.executable, TINY_LLAMA, str(made), str(texts), str(WINDOW), str(width), "1", json.dumps(more))
    return made


def _sentence(seed: int, words: int) -> str:
    chance = random.Random(seed)  # noqa: S311 - no secret
    return " ".join(chance.choice(WORDS) for _ in range(words))


def _write_rows(folder: Path, *, rows: int, words: int) -> None:
    for split, count in (("train", rows), ("eval", max(2, rows // 16))):
        lines = [
            json.dumps({
                "key": hashlib.sha256(f"{split} {number}".encode()).hexdigest(),
                "prompt": [{"role": "user", "content": _sentence(number, words // 2)}],
                "completion": _sentence(number + 1, words // 2),
            })
            for number in range(count)
        ]  # fmt: skip
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _trained(
    asked: argparse.Namespace, base: Path, hashes: Mapping[str, str], name: str, method: str, *, killed: bool
) -> Trained:  # fmt: skip
    """Run the trainer to its end; with ``killed`` end it hard after a checkpoint and start it again."""
    folder = asked.folder / "runs" / name.replace(", ", "-").replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)  # it would go on from the checkpoints of another measurement
    for part in ("data", "checkpoints", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for split in ("train", "eval"):
        (folder / "data" / f"{split}.jsonl").write_bytes((asked.folder / f"{split}.jsonl").read_bytes())
    job = folder / "job.json"
    job.write_text(json.dumps({
        "run": name, "base": str(base), "files": hashes, "folder": str(folder),
        "progress": str(folder / "progress.jsonl"), "threads": max(1, (os.cpu_count() or 1) // 2), "samples": 1,
        "recipe": {"method": method, "batch": asked.batch, "accumulation": 1, "epochs": asked.epochs, "evaluations": 1,
                   "max_length": WINDOW, "learning_rate": 2e-5 if method == "full" else 2e-4},
        "sample_tokens": 32,
    }), encoding="utf-8")  # fmt: skip
    began = time.monotonic()
    if killed:
        _killed_after_a_checkpoint(folder, job)
    status = _started(folder, job).wait()
    lines = _progress(folder)
    done = next((line for line in lines if line["event"] == "done"), None)
    if done is None:
        told = next((line["message"] for line in lines if line["event"] == "failed"), f"exit status {status}")
        raise Failed(f"{told}\n{_end_of(folder / 'trainer.log')}")
    losses = [line["loss"] for line in lines if line["event"] == "log"]
    metrics = done["metrics"]
    return Trained(
        name=name, method=method, device=metrics["device"], steps=metrics["steps"], memory=metrics["memory"],
        tokens_per_second=metrics["tokens_per_second"], seconds=round(time.monotonic() - began, 1),
        loss=(losses[0], losses[-1]), digest=done["digest"], folder=str(folder / "result"),
    )  # fmt: skip


def _started(folder: Path, job: Path) -> subprocess.Popen[bytes]:
    with (folder / "trainer.log").open("ab") as log:
        command = [sys.executable, "-P", ALONE, TRAINER, str(job)]
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)  # noqa: S603


def _killed_after_a_checkpoint(folder: Path, job: Path) -> None:
    process = _started(folder, job)
    while process.poll() is None and not any(line["event"] == "checkpoint" for line in _progress(folder)):
        time.sleep(0.05)
    if process.poll() is not None:
        raise Failed(f"It ended before it could be killed.\n{_end_of(folder / 'trainer.log')}")
    process.kill()
    process.wait()
    (folder / "lock").unlink(missing_ok=True)


def _progress(folder: Path) -> list[dict[str, Any]]:
    path = folder / "progress.jsonl"
    whole = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in whole if line.endswith("\n")]


def _served(asked: argparse.Namespace, base: Path, trained: Sequence[Trained]) -> Iterator[Served]:
    """Serve the base, then one adapter after the other over it, and ask each."""
    folder = asked.folder / "server"
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text("bench", encoding="utf-8")
    (folder / "ready.json").unlink(missing_ok=True)
    config = folder / "config.json"
    config.write_text(json.dumps({
        "name": "base", "path": str(base), "files": {}, "folders": [str(asked.folder)],
        "token": str(folder / "token"), "ready": str(folder / "ready.json"),
    }), encoding="utf-8")  # fmt: skip
    began = time.monotonic()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", ALONE, SERVER, str(config)], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT
        )
    try:
        while not (folder / "ready.json").is_file():
            if process.poll() is not None or time.monotonic() - began > 180:
                raise Failed(_end_of(folder / "log"))
            time.sleep(0.1)
        port = json.loads((folder / "ready.json").read_text(encoding="utf-8"))["port"]
        yield _asked(port, "base", round(time.monotonic() - began, 1))
        for run in trained:
            if run.name == run.method and run.method != "full":
                began = time.monotonic()
                _post(port, "/v1/load_lora_adapter", lora_name=run.method, lora_path=run.folder, digest=run.digest)
                yield _asked(port, run.method, round(time.monotonic() - began, 2))
    finally:
        process.kill()
        process.wait()


def _asked(port: int, model: str, load_seconds: float) -> Served:
    firsts, speeds = [], []
    for number in range(ASKED + 1):
        began = time.monotonic()
        first, last, pieces = 0.0, 0.0, 0
        for _ in _streamed(port, model, _sentence(number, 100)):
            last = time.monotonic()
            first = first or last
            pieces += 1
        if number and pieces > 1:  # the first answer warms up
            firsts.append((first - began) * 1000)
            speeds.append((pieces - 1) / (last - first))
    if not firsts:
        raise Failed(f"{model} said nothing.")
    return Served(
        name=model, load_seconds=load_seconds, first_token_ms=round(statistics.median(firsts), 1),
        tokens_per_second=round(statistics.median(speeds), 1),
    )  # fmt: skip


def _streamed(port: int, model: str, question: str) -> Iterator[str]:
    """Yield the pieces of an answer as they come. Random models end when they like: sampled, so that they go on."""
    body = {
        "model": model, "messages": [{"role": "user", "content": question}], "stream": True, "temperature": 1.0,
        "max_tokens": ANSWER_TOKENS, "seed": 1,
    }  # fmt: skip
    with _sent(port, "/v1/chat/completions", body) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                [choice] = json.loads(line[6:])["choices"] or [{}]
                if text := choice.get("delta", {}).get("content"):
                    yield text


def _post(port: int, path: str, **fields: str) -> None:
    with _sent(port, path, fields) as answer:
        answer.read()


def _sent(port: int, path: str, body: Mapping[str, Any]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": "Bearer bench", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failed(f"{path}: {answer.status} {answer.read()[:500]!r}")
    return answer


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own programs
    if done.returncode:
        raise Failed(done.stderr[-2000:])


def _end_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[-1500:]


def _timed(what: str, work: Any) -> Any:
    began = time.monotonic()
    made = work()
    print(f"{what} in {time.monotonic() - began:.1f} s", flush=True)
    return made


def _words(one: Trained) -> str:
    return (
        f"{one.name}: {one.steps} steps, {one.tokens_per_second or 0:,.0f} tokens/s, {one.memory / GIB:.2f} GiB, "
        f"{one.seconds} s, loss {one.loss[0]:.3f} to {one.loss[1]:.3f}, {one.digest[:12]}, {one.device}"
    )


def _write(path: Path | None, found: Mapping[str, Any]) -> None:
    if path is not None:
        plain = {**found, **{name: [asdict(one) for one in found[name]] for name in ("trained", "served")}}
        path.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
