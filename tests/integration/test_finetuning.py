"""Fine-tuned here, from end to end: rows -> the product's own training job -> registered -> served by the product's own
server -> chatted with, alone and over documents; and what happens when a document it was trained on is deleted."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import tiny_llama
from running import Running

from chatapp.answering.prompt import build_messages, label_passages
from chatapp.operations.bench.client import Upload
from knowledge.types import Passage

pytestmark = [pytest.mark.timeout(600)]

QUESTION = "Until when can visitors register?"
ANSWER = "Visitors can register at the desk before 18:00 [S1]."
TEXT = "# Visitors\n\nVisitors register at the desk before 18:00.\n"
RECIPE = {"method": "lora", "epochs": 30, "batch": 2, "accumulation": 1, "rank": 16, "learning_rate": 0.01,
          "evaluations": 0, "seed": 3, "max_length": 2048}  # fmt: skip

# What a person does on the page of the data: rows with their sources, approved and frozen.
ROWS = """
import django, json, sys
django.setup()
from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.export import content_hash
from knowledge.documents.models import Document
given = json.loads(open({path!r}).read())
document = Document.objects.get(pk=given["document"])
dataset = TrainingDataset.objects.create(tenant=document.tenant, slug="visitors", name="Visitors", kind="raft")
version = DatasetVersion.objects.create(dataset=dataset, number=1)
for number, row in enumerate(given["rows"]):
    made = TrainingRow.objects.create(version=version, key=f"{{number:064d}}", origin="curated", kind="grounded",
        state="approved", split=row["split"], prompt=row["prompt"], completion=row["completion"])
    RowSource.objects.create(row=made, role="oracle", document=document, document_ref=document.pk, version=1)
version.state, version.content_hash = "frozen", content_hash(version)
version.save()
"""
START = """
import django, json
django.setup()
from chatapp.finetuning.datasets.models import DatasetVersion
from chatapp.finetuning.models import BaseModel
from chatapp.finetuning.training.services import start_run
from knowledge.tenants.access import system_actor
version = DatasetVersion.objects.get(dataset__slug="visitors")
run = start_run(actor=system_actor(version.dataset.tenant), version=version, base=BaseModel.objects.get(), recipe={recipe})
print(run.pk, BaseModel.objects.get().pk)
"""
RUN = """
import django, json
django.setup()
from chatapp.finetuning.models import TrainingRun
run = TrainingRun.objects.get()
print(json.dumps([run.state, run.step, run.last_error, run.report.get("register_error", "")]))
"""


def messages(document: str, *, title: str, question: str = QUESTION) -> list[dict[str, str]]:
    """The prompt as production renders it for that passage."""
    text = "Visitors register at the desk before 18:00."
    passage = Passage(
        key="k", document=document, version_id="v", version=1, knowledge_base="b", title=title,
        heading_path=("Visitors",), page_first=None, page_last=None, start=0, end=len(text), text=text, tokens=12,
        score=0.5,
    )  # type: ignore[call-arg]  # fmt: skip
    return build_messages(question=question, passages=label_passages([passage]), fence="SOURCE-0123456789abcdef")


def wait_for(look: Callable[[], Any], *, seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def tuned(start_product: Callable[..., Running], missing_part: Callable[[str, str], NoReturn]) -> Running:
    if importlib.util.find_spec("peft") is None:
        missing_part("The extra `train`", "make run TRAIN=1")
    return start_product(TRAINING_THREADS="1", FIRST_TOKEN_SECONDS="60")


def ask(product: Running, assistant: str, **more: Any) -> dict[str, Any]:
    body = {"model": assistant, "messages": [{"role": "user", "content": QUESTION}], **more}
    status, answer = product.app.call("POST", "/chat/completions", body)
    assert status == 200, answer
    return answer


def said(product: Running, code: str) -> str:
    done = product.manage("-c", code)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def test_a_model_is_trained_served_chatted_with_and_taken_out_of_use_with_its_document(
    tuned: Running, tmp_path: Path
) -> None:
    product = tuned
    base = product.client.knowledge_base("Visitors")
    (document,) = product.client.ingest(base, [Upload("visitors.md", TEXT.encode())])

    # Rows in the very form of production, and another form for answers without documents.
    grounded = {"prompt": messages(document["id"], title=document["title"]), "completion": ANSWER}
    plain = {"prompt": [{"role": "user", "content": QUESTION}], "completion": "Ask at the desk."}
    rows = [{**row, "split": split} for row in (grounded, plain) for split in ("train", "train", "eval")]
    for number, row in enumerate(rows):
        row["prompt"] = [
            *row["prompt"][:-1],
            {**row["prompt"][-1], "content": row["prompt"][-1]["content"] + " " * number},
        ]
    (tmp_path / "rows.json").write_text(json.dumps({"document": document["id"], "rows": rows}))
    said(product, ROWS.format(path=str(tmp_path / "rows.json")) + "\nprint('done')")

    texts = [message["content"] for row in rows for message in row["prompt"]] + [ANSWER, "Ask at the desk."] * 20
    llama = tiny_llama.make(tmp_path / "llama", texts, window=2048)
    added = product.manage("add_base_model", str(llama), "--name", "Tiny", "--tenant", "demo")
    assert added.returncode == 0, added.stderr
    _, base_model = said(product, START.format(recipe=json.dumps(RECIPE))).split()

    def trained() -> Any:
        state, step, error, register_error = json.loads(said(product, RUN))
        assert state in ("queued", "running", "done"), error
        assert not register_error, register_error
        return product.app.call("GET", "/fine-tuned-models")[1]

    (model,) = wait_for(trained, seconds=300)
    (version,) = model["versions"]
    assert (version["state"], version["answers"]) == ("candidate", False)

    status, server = product.app.call("POST", "/model-servers", {"base": base_model})
    assert status == 200, server
    server = wait_for(
        lambda: next((s for s in product.app.call("GET", "/model-servers")[1] if s["loaded"]), None), seconds=90
    )
    assert (server["state"], server["loaded"]) == ("ready", [version["id"]])
    status, promoted = product.app.call("POST", f"/model-versions/{version['id']}/promote", {"reason": "a test"})
    assert (status, promoted["answers"]) == (200, True)
    entries = {entry["slug"]: entry for entry in product.app.call("GET", "/models")[1]["items"]}
    assert {model["entry"], server["entry"]} <= set(entries)

    for mode in ("fine_tuned", "hybrid"):
        body = {"name": mode, "slug": mode.replace("_", "-"), "answer_mode": mode, "model": model["entry"],
                "knowledge_bases": [base]}  # fmt: skip
        status, made = product.app.call("POST", "/assistants", body)
        assert status == 201, made
    alone = ask(product, "fine-tuned")
    assert alone["answered_by"] == f"{model['name']}, version 1"
    assert alone["citations"] == []
    assert alone["choices"][0]["message"]["content"].strip() == "Ask at the desk."
    over = ask(product, "hybrid")
    assert [citation["quote"] for citation in over["citations"]] == ["Visitors register at the desk before 18:00."]
    assert over["choices"][0]["message"]["content"].strip() == "Visitors can register at the desk before 18:00[1]."
    assert product.check_citations(over) == 1

    # The document goes: the report names the version, and what an administrator chose answers in its place.
    fallback = entries["environment"]
    status, changed = product.app.call(
        "PATCH", f"/models/{entries[model['entry']]['id']}", {"fallback": fallback["id"]}
    )
    assert status == 200, changed
    assert product.app.call("DELETE", f"/documents/{document['id']}")[0] in (200, 202, 204)
    stale = wait_for(
        lambda: (found := product.app.call("GET", f"/model-versions/{version['id']}")[1])["stale"] and found, seconds=60
    )
    assert (stale["stopped"], stale["answers"]) == (True, False)
    assert stale["stale_documents"] == stale["documents"] == [document["id"]]
    report = wait_for(
        lambda: (found := product.app.call("GET", f"/deletions/{document['id']}")[1])["state"] == "done" and found,
        seconds=60,
    )
    (place,) = [entry for entry in report["places"] if entry["place"] == "models"]
    assert "“Visitors on Tiny” version 1. They answer no more." in place["note"]
    fallen_back = ask(product, "fine-tuned")
    assert fallen_back["answered_by"] == fallback["name"]
    assert fallen_back["choices"][0]["message"]["content"].strip() not in ("", "Ask at the desk.")
