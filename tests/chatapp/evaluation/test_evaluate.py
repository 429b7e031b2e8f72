"""``manage.py evaluate retrieval``."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from labelled_sets import write_rows, write_set

from chatapp.evaluation import runner
from chatapp.evaluation.labelled import SETS, UnusableSet
from chatapp.evaluation.management.commands.evaluate import choose


def evaluate(*arguments: object) -> str:
    out = io.StringIO()
    call_command("evaluate", "retrieval", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


def test_a_folder_is_measured_and_written_down(ferry: Path, cache: Path, tmp_path: Path) -> None:
    text = evaluate(ferry, "--cache", cache, "--json", tmp_path / "now.json", "--ablate", "--questions", 12)
    rows = [line.split("  ") for line in text.splitlines()]
    assert sum("ferry" in row for row in rows) == 5  # one of them of the passages
    found = json.loads((tmp_path / "now.json").read_text())
    assert [row["settings"] for row in found["sets"]] == [
        "all stages", "without keyword", "without vector", "without rerank",
    ]  # fmt: skip
    assert (found["store"], found["cached"], len(found["sets"][0]["scores"])) == ("lance", True, 12)
    assert "all-MiniLM-L6-v2" in found["embedding"]
    assert "Milliseconds of each stage" in text


def test_a_chunker_is_tried_by_name_and_its_passages_are_described(ferry: Path, cache: Path, tmp_path: Path) -> None:
    sizes = {}
    for chunker in ("structural", "fixed:target=100,overlap=30"):
        out = tmp_path / "now.json"
        text = evaluate(ferry, "--cache", cache, "--questions", 4, "--json", out, "--chunker", chunker)
        assert f"Passages cut by {chunker}, and how many the model cannot read whole:" in text
        found = json.loads(out.read_text())
        assert found["chunker"] == chunker
        [row] = found["sets"]
        sizes[chunker] = row["indexed"]
        assert row["indexed"]["passages"] == row["chunks"]
        assert row["indexed"]["share cut"] == 0
    assert sizes["structural"]["mean tokens"] > sizes["fixed:target=100,overlap=30"]["mean tokens"] > 0
    with pytest.raises(CommandError, match="There is no chunker 'semantic'"):
        evaluate(ferry, "--chunker", "semantic")


def test_settings_are_those_that_were_asked_for(ferry: Path, cache: Path, tmp_path: Path) -> None:
    options = ["--cache", cache, "--questions", 4, "--json", tmp_path / "now.json"]
    evaluate(ferry, *options, "--set", "keyword_weight=0.4", "--set", "floor=0", "--without", "rerank")
    profile = json.loads((tmp_path / "now.json").read_text())["profile"]
    assert (profile["keyword_weight"], profile["floor"], profile["rerank"]) == (0.4, 0.0, 0)


def test_the_gate_lets_equal_runs_pass_and_stops_a_regression(ferry: Path, cache: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "before.json"
    evaluate(ferry, "--cache", cache, "--json", baseline)
    text = evaluate(ferry, "--cache", cache, "--baseline", baseline)
    assert "Difference to the baseline" in text
    assert "+0.000 [+0.000 +0.000]" in text
    now = tmp_path / "now.json"
    with pytest.raises(CommandError) as caught:
        evaluate(ferry, "--cache", cache, "--baseline", baseline, "--set", "keyword_weight=1", "--json", now)
    assert caught.value.returncode == 1
    sentences = str(caught.value).splitlines()
    assert [s for s in sentences if s.startswith("ferry: MRR@10 fell from 0.9")]
    assert all(s.startswith("ferry: ") and s.endswith(" over 48 questions.") for s in sentences)
    assert now.is_file()  # what was measured is kept for a look at it


def test_a_set_that_the_baseline_lacks_is_named(ferry: Path, cache: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "canoe", rules=3)
    evaluate(ferry, "--cache", cache, "--json", tmp_path / "before.json", "--questions", 6)
    options = ["--cache", cache, "--baseline", tmp_path / "before.json", "--questions", 6]
    assert "canoe: the baseline has no figures of it." in evaluate(ferry, other, *options)
    with pytest.raises(CommandError, match="none of the questions that were asked now"):
        evaluate(other, *options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no set nowhere, neither as a folder nor below"),
        (["all", "--data", "nothing"], "There are no labelled sets below nothing; --data names another folder."),
        (["FERRY", "--set", "speed=9"], "speed=9 is no name=value of a retrieval setting"),
        (["FERRY", "--baseline", "nothing.json"], "The baseline nothing.json cannot be read"),
        (["FERRY", "--store", "rocks"], "invalid choice: 'rocks'"),
        (["FERRY", "--questions", "0"], "argument --questions: 0 is not a number of at least 1"),
        (["FERRY", "--without", "sleep"], "invalid choice: 'sleep'"),
        ([], "the following arguments are required: SET"),
        (["FERRY", "--json", "nowhere/now.json"], "There is no folder .*nowhere to write the figures to."),
        (["FERRY", "EMPTY"], "is no labelled set: it has no corpus.jsonl."),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    ferry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(runner, "measure", lambda *_, **__: pytest.fail("a question was asked"))
    places = {"FERRY": str(ferry), "EMPTY": str(tmp_path / "empty")}
    with pytest.raises(CommandError, match=words):
        evaluate(*(places.get(argument, argument) for argument in arguments))


def test_a_set_whose_documents_hold_no_text(tmp_path: Path) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "corpus": [{"doc_id": "a", "title": "A", "text": "     "}],
        "queries": [{"query_id": "1", "text": "two?"}],
        "qrels": [{"query_id": "1", "doc_id": "a", "start": 0, "end": 3}],
    }
    write_rows(tmp_path / "blank", rows)
    text = evaluate(tmp_path / "blank")
    assert "blank: 1 documents could not be indexed." in text


def test_names_paths_and_all_choose_sets(tmp_path: Path) -> None:
    for name in ("wiki", "own"):
        write_set(tmp_path / name, rules=1)
    (tmp_path / "office").mkdir()  # no labelled set
    names = {folder.name: [s.name for s in sets] for folder, sets in choose(["all"], data=tmp_path).items()}
    assert names == {"own": ["own"], "wiki": ["wiki, hand", "wiki, known_item"]}
    (folder,) = choose(["wiki"], data=tmp_path)
    assert folder == tmp_path / "wiki"
    assert choose([str(tmp_path / "wiki")], data=tmp_path / "elsewhere") == choose(["wiki"], data=tmp_path)
    assert choose(["wiki, hand"], data=tmp_path) == {folder: [SETS[0]]}
    assert choose(["wiki, hand", "wiki"], data=tmp_path) == {folder: list(SETS[:2])}
    with pytest.raises(UnusableSet):
        choose(["longdoc"], data=tmp_path)
