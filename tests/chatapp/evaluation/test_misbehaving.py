"""Answers with planted errors, over real HTTP and the product's own path."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from labelled_sets import write_rows

from chatapp.answering.verification import Verifier
from chatapp.evaluation import misbehaving
from chatapp.evaluation.labelled import LabelledSet, SourceDocument
from chatapp.evaluation.misbehaving import HELD, KINDS, Outcome, misbehave, missed_goals
from chatapp.evaluation.model_server import told_model

TOWNS = "Arlon Bregenz Chur Delft Evora Fulda Gent Hanau Imst Jena Kiel Lugano".split()
ROWS = [
    {
        "doc_id": town, "title": town,
        "text": f"The ferry to {town} is moored at pier {number} of the old harbour. In the year {2000 + number} the "
        f"mayor of {town} opened a library beside the market hall. Trams leave the square every {number + 3} minutes. "
        f"The {number + 40} bakers of {town} do not sell more than {number + 70} loaves to a guest.",
    }
    for number, town in enumerate(TOWNS, start=21)
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    documents = tuple(
        SourceDocument(id=row["doc_id"], title=row["title"], text=row["text"], suffix="txt") for row in ROWS
    )
    source = LabelledSet(name="towns", documents=documents, questions=())
    return {o.kind: o for o in misbehave(source, verifier=Verifier(), most=6)}


def test_every_kind_is_asked_for_and_no_mark_of_no_passage_is_shown(outcomes: dict[str, Outcome]) -> None:
    assert list(outcomes) == list(KINDS)
    for kind, outcome in outcomes.items():
        assert outcome.answers == 6, kind
        assert (outcome.unknown, outcome.left) == (0, 0), kind


def test_planted_errors_are_flagged_and_true_statements_are_not(outcomes: dict[str, Outcome]) -> None:
    for kind, outcome in outcomes.items():
        assert outcome.share == (0.0 if kind in HELD else 1.0), (kind, outcome.missed)


def test_a_mark_that_is_shown_and_a_goal_that_is_missed_are_told(outcomes: dict[str, Outcome]) -> None:
    assert missed_goals(list(outcomes.values())) == []
    number = replace(outcomes["number"], answers=100, flagged=97)
    invented = replace(outcomes["invented mark"], unknown=2)
    listed = replace(outcomes["own list of sources"], left=1)
    assert missed_goals([number, invented, listed]) == [
        "invented mark: 2 marks of no passage were shown.",
        "own list of sources: 1 traces of markup were shown.",
        "number: 0.970 seen, the goal is 0.98.",
    ]
    assert missed_goals([replace(number, flagged=98)]) == []


def test_the_model_says_what_it_is_told_and_nothing_else() -> None:
    with told_model() as model:
        model.tell("What is it?", "Half a [S1] mark.")
        asked = {"messages": [{"role": "user", "content": "Sources...\n\nQuestion: What is it?"}], "stream": True}
        lines = httpx.post(f"{model.url}/chat/completions", json=asked).text.split("\n\n")
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
        assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "Half a [S1] mark."
        assert len(chunks) > 2
        other = {"messages": [{"role": "user", "content": "Question: Another?"}]}
        assert httpx.post(f"{model.url}/chat/completions", json=other).status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{model.url}/chat/completions", json=asked)


def test_the_command_prints_the_table_and_its_gate_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "towns"
    write_rows(folder, {"corpus": ROWS, "queries": [], "qrels": []})
    written = tmp_path / "found.json"

    def run(*more: str) -> str:
        out = StringIO()
        arguments: list[Any] = ["injected", str(folder), "--answers", "2", "--json", str(written), *more]
        call_command("evaluate", *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()

    text = run("--gate")
    assert "Sentences of towns:" in text
    assert [row["kind"] for row in json.loads(written.read_text())["towns"]] == list(KINDS)
    monkeypatch.setattr(misbehaving, "GOALS", {"number": 1.1})
    assert run() == text
    with pytest.raises(CommandError, match=r"towns, number: 1\.000 seen, the goal is 1\.1"):
        run("--gate")
