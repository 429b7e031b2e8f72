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
SYSTEM = "Return the order as JSON."
FIRST = "Ada Ben Cleo Dana Emil Fay Gus Hana Ivo Jana Kim Lea Max Nora Omar Pia Rosa Sami Tess Udo Vera Yara".split()
ITEMS = "pens chairs lamps desks folders screens cables mugs plants boards".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday".split()
FORMS = {
    "first": {"customer": str, "item": str, "count": int, "day": str},
    "second": {"due": str, "pieces": int, "article": str, "by": str},  # the same, under other names in another order
}
NAMES = {"due": "day", "pieces": "count", "article": "item", "by": "customer"}


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
    seconds_before: float  # until the base model was served and had answered
    first_answer_after: float  # from there until the new version is active and has answered
    said: str  # by the model, after


def measure(
    client: Client, folder: Path, *, instructions: Path | None, say: Callable[[str], None], quick: bool
) -> list[Learning]:
    """Train a form in full from random weights, another one by adapters over that, and instructions where there are
    some.

    :raises Unexpected: a step of it did not come to its end.
    """
    say("Making a small random model ...")
    random_base = _added(client, folder, _made(folder), "Small random Llama")
    epochs = 1 if quick else 12
    say("Training a form in full ...")
    full, run = _one(client, random_base, "first", _recipe("full", epochs=epochs, learning_rate=3e-3))
    found = [full]
    taught = _added(client, folder, folder / "training" / run / "result", "Small taught Llama")
    for method in ("lora", "dora", "qlora"):
        say(f"Training another form over it ({method}) ...")
        recipe = _recipe(method, epochs=epochs / 2, learning_rate=5e-3, rank=32, alpha=64)
        found.append(_one(client, taught, "second", recipe)[0])
    if instructions is not None:
        say("Training on instructions ...")
        found.append(_instructions(client, random_base, instructions, quick=quick))
    return found


def _recipe(method: str, **more: float) -> dict[str, Any]:
    return {"method": method, "batch": 8, "accumulation": 1, "max_length": 512, "evaluations": 2, **more}


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
        "s to answer",
    )  # fmt: skip
    return ["Learned behaviour:", *table(head, rows)] if rows else []


def _made(folder: Path) -> Path:
    """Make a random Llama whose tokenizer knows such texts."""
    made, texts = folder / "tiny", folder / "tiny.txt"
    rows = [row for form in FORMS for row in _orders(100, form, seed=3)]
    lines = [text for row in rows for text in (SYSTEM, row["prompt"], row["completion"])]
    texts.write_text("\n".join(lines), encoding="utf-8")
    _run(sys.executable, str(TINY_LLAMA), str(made), str(texts), str(WINDOW), str(WIDTH), "1")
    return made


def _added(client: Client, folder: Path, model: Path, name: str) -> str:
    """Add a base model as an operator does and return its id."""
    command = [sys.executable, "manage.py", "add_base_model", str(model), "--name", name]
    _run(*command, environment={"DATA_DIR": str(folder)})
    return next(str(base["id"]) for base in client.call("GET", "/base-models") if base["name"] == name)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - our own programs
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=300,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise Unexpected(f"{command[1]} ended with {done.returncode}: {done.stderr[-500:]}")


def _orders(count: int, form: str, *, seed: int = 1) -> list[dict[str, str]]:
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
        wanted = {name: order[NAMES.get(name, name)] for name in FORMS[form]}
        rows.append({"prompt": chance.choice(wordings).format(**order), "completion": json.dumps(wanted)})
    return rows


def _one(client: Client, base: str, form: str, recipe: dict[str, Any]) -> tuple[Learning, str]:
    """Train, serve and ask; return what was measured and the id of the run."""
    rows = _orders(ROWS, form)
    asked = [row for row in _orders(4 * ASKED, form, seed=2) if row not in rows][:ASKED]
    method = recipe["method"]
    run = _trained(client, _frozen(client, f"Orders {method}", [_as_row(row) for row in rows]), base, recipe)
    ended = time.monotonic()
    before = _answers(client, f"before-{method}", _served(client, base), asked)
    waited = time.monotonic()
    entry = _promoted(client, _version_of(client, run["id"]))
    ready = time.monotonic()
    after = _answers(client, f"after-{method}", entry, asked)
    right = [_read(text) == json.loads(row["completion"]) for (text, _), row in zip(after, asked, strict=True)]
    return Learning(
        method=method, rows=len(rows), steps=run["step"], asked=len(asked),
        form_before=_share(_fits(text, form) for text, _ in before),
        form_after=_share(_fits(text, form) for text, _ in after), exact_after=_share(right), said=after[0][0][:200],
        first_answer_after=round(ready - waited + after[0][1], 1), seconds_before=round(waited - ended, 1),
        **_figures(run),
    ), run["id"]  # fmt: skip


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
        exact_after=0, said=" -> ".join(f"{loss:.3f}" for loss in losses), first_answer_after=0, seconds_before=0,
        **_figures(run),
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
    _built(client, dataset, client.send(f"/training-datasets/{dataset}/upload", Upload(name="rows.jsonl", data=data)))
    cursor = ""
    while True:
        page = client.call("GET", f"/training-datasets/{dataset}/rows?state=proposed&limit=200{cursor}")
        for row in page["items"]:
            client.call("PATCH", f"/training-datasets/{dataset}/rows/{row['id']}", {"state": "approved"})
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    frozen = _built(client, dataset, client.call("POST", f"/training-datasets/{dataset}/freeze"))
    return str(frozen["version"])


def _built(client: Client, dataset: str, build: dict[str, Any]) -> dict[str, Any]:
    """Return a build of a dataset once it is done."""
    for _ in range(600):
        if build["state"] == "done":
            return build
        if build["state"] in ("failed", "cancelled"):
            break
        time.sleep(1)
        build = client.call("GET", f"/training-datasets/{dataset}/builds/{build['id']}")
    raise Unexpected(f"A build of the training data is not done but {build['state']}: {build['error']}")


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


def _fits(text: str, form: str) -> bool:
    value, wanted = _read(text), FORMS[form]
    return value is not None and set(value) == set(wanted) and all(type(value[n]) is kind for n, kind in wanted.items())


def _share(found: Any) -> float:
    each = list(found)
    return round(sum(each) / len(each), 3) if each else 0.0
