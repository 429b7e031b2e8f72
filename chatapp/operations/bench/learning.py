"""What training teaches: a small model made here is trained by the product, served by it, and asked before and after.

The model is random, so what it says before is noise; what is measured is whether the product's own job changes the
behaviour that was trained (a fixed JSON form), and what a run costs by method.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.evaluation.report import table
from chatapp.operations.bench.client import Client, Unexpected, Upload
from chatapp.operations.bench.product import ROOT

__all__ = ["Learning", "lines", "measure"]

MIB = 1024 * 1024

TINY_LLAMA = ROOT / "tests" / "support" / "tiny_llama.py"
WINDOW = 1024  # tokens
WIDTH = 128
ROWS, ASKED = 480, 40
SYSTEM = "Return the order as JSON with customer, item, count and day."
FIRST = "Ada Ben Cleo Dana Emil Fay Gus Hana Ivo Jana Kim Lea Max Nora Omar Pia Rosa Sami Tess Udo Vera Yara".split()
ITEMS = "pens chairs lamps desks folders screens cables mugs plants boards".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday".split()
FORM = {"customer": str, "item": str, "count": int, "day": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Shares of held-out prompts; seconds; bytes."""

    method: str
    rows: int
    steps: int
    asked: int
    form_before: float  # answers that are one JSON object of the form
    form_after: float
    exact_after: float  # answers whose every value is right
    eval_loss: float | None
    train_seconds: float
    tokens_per_second: float | None
    memory: int | None
    first_answer_after: float  # seconds from the end of the training to the first answer through the chat
    said: str  # by the model, after


def measure(
    client: Client, folder: Path, *, instructions: Path | None, say: Callable[[str], None], quick: bool
) -> list[Learning]:
    """Train the format by LoRA and in full, and the instructions of the evaluation sets in full where they are there.

    :raises Unexpected: a step of it did not come to its end.
    """
    base = _base(client, folder, say=say)
    rows = _orders(ROWS)
    asked = [row for row in _orders(4 * ASKED, seed=2) if row not in rows][:ASKED]
    found = []
    for method, recipe in _recipes(quick).items():
        say(f"Training on {len(rows)} orders ({method}) ...")
        found.append(_one(client, base, method, recipe, rows, asked, say=say))
    if instructions is not None:
        say("Training on instructions ...")
        found.append(_instructions(client, base, instructions, quick=quick))
    return found


def lines(found: Sequence[Learning]) -> list[str]:
    """Return the table for people."""
    rows = [
        (
            one.method, str(one.rows), str(one.steps), f"{one.form_before:.0%}", f"{one.form_after:.0%}",
            f"{one.exact_after:.0%}", "" if one.eval_loss is None else f"{one.eval_loss:.3f}",
            f"{one.train_seconds:.0f}", str(one.tokens_per_second or ""), f"{(one.memory or 0) / MIB:.0f}",
            f"{one.first_answer_after:.1f}",
        )
        for one in found
    ]  # fmt: skip
    head = (
        "training", "rows", "steps", "form before", "form after", "all right", "eval loss", "s", "tokens/s", "MiB",
        "s to first answer",
    )  # fmt: skip
    return ["Learned behaviour:", *table(head, rows)] if rows else []


def _recipes(quick: bool) -> dict[str, dict[str, Any]]:
    common = {"batch": 8, "accumulation": 1, "max_length": 512, "evaluations": 2}
    epochs = 1 if quick else 12
    return {
        "full": {**common, "method": "full", "epochs": epochs, "learning_rate": 3e-3},
        "lora": {**common, "method": "lora", "epochs": epochs, "learning_rate": 1e-2, "rank": 64, "alpha": 128},
    }


def _base(client: Client, folder: Path, *, say: Callable[[str], None]) -> str:
    """Make a random Llama whose tokenizer knows such texts, add it as an operator does, and return its id."""
    say("Making a small random model ...")
    made = folder / "tiny"
    texts = folder / "tiny.txt"
    lines = [text for row in _orders(200, seed=3) for text in (SYSTEM, row["prompt"], row["completion"])]
    texts.write_text("\n".join(lines), encoding="utf-8")
    _run(sys.executable, str(TINY_LLAMA), str(made), str(texts), str(WINDOW), str(WIDTH), "1")
    _run(
        sys.executable, "manage.py", "add_base_model", str(made), "--name", "Small random Llama",
        environment={"DATA_DIR": str(folder)},
    )  # fmt: skip
    return str(client.call("GET", "/base-models")[0]["id"])


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - our own programs
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=300,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise Unexpected(f"{command[1]} ended with {done.returncode}: {done.stderr[-500:]}")


def _orders(count: int, *, seed: int = 1) -> list[dict[str, str]]:
    """Return prompts in several wordings with the object that each should become; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    wordings = (
        "{customer} orders {count} {item} for {day}.", "On {day} we need {count} {item}, says {customer}.",
        "{count} {item} please, by {day}. Regards, {customer}", "Order of {customer}: {item}, {count} pieces, {day}.",
    )  # fmt: skip
    rows = []
    for _ in range(count):
        order = {
            "customer": chance.choice(FIRST), "item": chance.choice(ITEMS), "count": chance.randint(2, 99),
            "day": chance.choice(DAYS),
        }  # fmt: skip
        rows.append({"prompt": chance.choice(wordings).format(**order), "completion": json.dumps(order)})
    return rows


def _one(
    client: Client, base: str, method: str, recipe: dict[str, Any], rows: Sequence[dict[str, str]],
    asked: Sequence[dict[str, str]], *, say: Callable[[str], None],
) -> Learning:  # fmt: skip
    version = _frozen(client, f"Orders {method}", [_as_row(row) for row in rows])
    run = _trained(client, version, base, recipe)
    ended = time.monotonic()
    served = _served(client, base)
    before = _answers(client, f"before-{method}", served, asked)
    made = _version_of(client, run["id"])
    entry = _promoted(client, made)
    began = time.monotonic()
    after = _answers(client, f"after-{method}", entry, asked)
    first = began - ended + after[0][1]
    say(f"{method}: {_share(map(_fits, (text for text, _ in after))):.0%} in the form after")
    expected = [json.loads(row["completion"]) for row in asked]
    right = [_read(text) == want for (text, _), want in zip(after, expected, strict=True)]
    return Learning(
        method=method, rows=len(rows), steps=run["step"], asked=len(asked),
        form_before=_share(_fits(text) for text, _ in before), form_after=_share(_fits(text) for text, _ in after),
        exact_after=_share(right), said=after[0][0][:200], first_answer_after=round(first, 1), **_figures(run),
    )  # fmt: skip


def _as_row(row: dict[str, str]) -> dict[str, Any]:
    """The prompt as an assistant that does not search hands it to its model."""
    prompt = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": row["prompt"]}]
    return {"prompt": prompt, "completion": row["completion"]}


def _instructions(client: Client, base: str, folder: Path, *, quick: bool) -> Learning:
    """Train on short instructions of the evaluation sets; the model is far too small to learn them, the job is not."""
    lines = (folder / "instructions_train.jsonl").read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in lines]
    short = [row for row in read if len(row["instruction"]) + len(row["output"]) < 500][: 40 if quick else 400]
    rows = [{"instruction": row["instruction"], "output": row["output"]} for row in short]
    version = _frozen(client, "Instructions", rows)
    recipe = {"method": "full", "batch": 8, "accumulation": 1, "epochs": 3, "learning_rate": 3e-3, "max_length": WINDOW}
    run = _trained(client, version, base, recipe)
    losses = [point["eval_loss"] for point in run["points"] if point["eval_loss"] is not None]
    return Learning(
        method="full, instructions", rows=len(rows), steps=run["step"], asked=0, form_before=0, form_after=0,
        exact_after=0, said=" -> ".join(f"{loss:.3f}" for loss in losses), first_answer_after=0, **_figures(run),
    )  # fmt: skip


def _figures(run: dict[str, Any]) -> dict[str, Any]:
    losses = [point["eval_loss"] for point in run["points"] if point["eval_loss"] is not None]
    speeds = sorted(point["tokens_per_second"] for point in run["points"] if point["tokens_per_second"])
    memory = [point["memory"] for point in run["points"] if point["memory"]]
    return {
        "eval_loss": losses[-1] if losses else None, "train_seconds": round(run["seconds"], 1),
        "tokens_per_second": round(speeds[len(speeds) // 2]) if speeds else None, "memory": max(memory, default=None),
    }  # fmt: skip


# --- the product's own steps, over its interface


def _frozen(client: Client, name: str, rows: Sequence[dict[str, Any]]) -> str:
    dataset = client.call("POST", "/training-datasets", {"name": name, "kind": "instruction"})["id"]
    data = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    client.send(f"/training-datasets/{dataset}/upload", Upload(name="rows.jsonl", data=data))
    cursor = ""
    while True:
        page = client.call("GET", f"/training-datasets/{dataset}/rows?state=proposed&limit=200{cursor}")
        for row in page["items"]:
            client.call("PATCH", f"/training-datasets/{dataset}/rows/{row['id']}", {"state": "approved"})
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    return str(client.call("POST", f"/training-datasets/{dataset}/freeze")["id"])


def _trained(client: Client, version: str, base: str, recipe: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    body = {"dataset_version": version, "base": base, "recipe": recipe}
    run = client.call("POST", "/training-runs", body)
    while run["state"] not in ("done", "failed", "cancelled"):
        time.sleep(1)
        run = client.call("GET", f"/training-runs/{run['id']}")
        if time.monotonic() - began > 3_600:
            raise Unexpected("The training did not end within an hour.")
    if run["state"] != "done":
        raise Unexpected(f"The training ended badly: {run['error']}")
    found: dict[str, Any] = client.call("GET", f"/training-runs/{run['id']}")
    return {**found, "seconds": time.monotonic() - began}


def _served(client: Client, base: str) -> str:
    """Return the base's own entry of the catalogue once its server is ready."""
    client.call("POST", "/model-servers", {"base": base})
    for _ in range(180):
        [row] = [row for row in client.call("GET", "/model-servers") if row["base"] == base]
        if row["state"] == "ready" and row["entry"]:
            return str(row["entry"])
        if row["state"] == "failed":
            raise Unexpected(f"The server of the model did not start: {row['detail']}")
        time.sleep(1)
    raise Unexpected("The server of the model was not ready within three minutes.")


def _version_of(client: Client, run: str) -> dict[str, Any]:
    for model in client.call("GET", "/fine-tuned-models"):
        for version in model["versions"]:
            if version["training_run"] == run:
                return {**version, "entry": model["entry"]}
    raise Unexpected("The run was not registered.")


def _promoted(client: Client, version: dict[str, Any]) -> str:
    for _ in range(120):
        if client.call("GET", f"/model-versions/{version['id']}")["answers"]:
            break
        time.sleep(1)
    client.call("POST", f"/model-versions/{version['id']}/promote", {"reason": "It is measured here."})
    return str(version["entry"])


def _answers(client: Client, name: str, entry: str, asked: Sequence[dict[str, str]]) -> list[tuple[str, float]]:
    """Return what an assistant without retrieval answers to each prompt, with its seconds."""
    fields = {
        "name": name, "slug": name, "model": entry, "answer_mode": "fine_tuned", "trained_elsewhere": True,
        "system_prompt": SYSTEM, "citation_mode": "off",
    }  # fmt: skip
    client.call("POST", "/assistants", fields)
    said = []
    for row in asked:
        began = time.monotonic()
        body = {"model": name, "messages": [{"role": "user", "content": row["prompt"]}]}
        status, answer = client.raw("POST", "/chat/completions", body)
        text = json.loads(answer)["choices"][0]["message"]["content"] if status == 200 else ""  # noise may be nothing
        said.append((text, time.monotonic() - began))
    return said


def _read(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _fits(text: str) -> bool:
    value = _read(text)
    return value is not None and set(value) == set(FORM) and all(type(value[n]) is kind for n, kind in FORM.items())


def _share(found: Any) -> float:
    each = list(found)
    return round(sum(each) / len(each), 3) if each else 0.0
