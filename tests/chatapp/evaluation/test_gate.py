"""A planted regression is caught; a run against itself shows no difference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatapp.evaluation.bootstrap import Figure
from chatapp.evaluation.corpus import Corpus, build
from chatapp.evaluation.gate import Change, UnusableBaseline, compare, read_baseline
from chatapp.evaluation.labelled import LabelledSet, QuestionSet, load
from chatapp.evaluation.metrics import MEASURES
from chatapp.evaluation.report import Report
from chatapp.evaluation.runner import Measured, Settings, measure, with_settings, without
from knowledge.embedding import LocalEmbedder

FERRY = QuestionSet("ferry", "ferry", lambda q: True)


def written(path: Path, *measured: Measured) -> Path:
    report = Report(store="lance", embedding="any", settings=Settings(), measured=list(measured))
    path.write_text(json.dumps(report.as_json()), encoding="utf-8")
    return path


def fallen(baseline: Path, now: Measured) -> set[str]:
    return {change.measure for change in compare(read_baseline(baseline), [now]) if change.fell}


@pytest.fixture(scope="module")
def before(ferry_corpus: Corpus) -> Measured:
    return measure(ferry_corpus, FERRY)


def test_a_run_against_itself_shows_no_difference(ferry_corpus: Corpus, before: Measured, tmp_path: Path) -> None:
    baseline = written(tmp_path / "before.json", before)
    again = measure(ferry_corpus, FERRY)
    for now in (before, again):
        found = compare(read_baseline(baseline), [now])
        assert [change.measure for change in found] == list(MEASURES)
        assert {change.difference for change in found} == {Figure(0.0, 0.0, 0.0)}
        assert not any(change.fell or change.rose for change in found)


@pytest.mark.parametrize("weight", [0, 1])
def test_a_wrong_fusion_weight_is_caught(ferry_corpus: Corpus, tmp_path: Path, weight: int) -> None:
    """In the search alone: on a corpus this small the reranker sees every passage and mends what the weight broke."""
    search = without(Settings(), ["rerank"])
    baseline = written(tmp_path / "before.json", measure(ferry_corpus, FERRY, search))
    found = fallen(baseline, measure(ferry_corpus, FERRY, with_settings(search, [f"keyword_weight={weight}"])))
    assert {"hit@1", "recall@1", "MRR@10", "nDCG@10"} <= found


def test_the_way_back_is_a_rise(ferry_corpus: Corpus, before: Measured, tmp_path: Path) -> None:
    wrong = measure(ferry_corpus, FERRY, with_settings(Settings(), ["keyword_weight=1"]))
    found = compare(read_baseline(written(tmp_path / "wrong.json", wrong)), [before])
    assert {change.measure for change in found if change.rose} >= {"hit@1", "MRR@10", "nDCG@10"}
    assert not any(change.fell for change in found)


def test_a_reranker_that_is_off_is_caught(ferry_corpus: Corpus, tmp_path: Path) -> None:
    """Where the vectors search alone, it is late interaction that finds codes among codes like them."""
    vectors = with_settings(Settings(), ["keyword_weight=0"])
    baseline = written(tmp_path / "before.json", measure(ferry_corpus, FERRY, vectors))
    assert {"hit@1", "hit@5", "MRR@10"} <= fallen(baseline, measure(ferry_corpus, FERRY, without(vectors, ["rerank"])))


def test_a_reranker_that_is_off_is_caught_on_real_questions(
    data: Path, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    whole = load(data / "squad")
    documents = whole.documents[:2]
    names = {document.id for document in documents}
    questions = [q for q in whole.questions if q.gold and {s.document for s in q.gold} <= names]
    squad = QuestionSet("squad", "squad", lambda q: True)
    with build(LabelledSet(name="squad", documents=documents, questions=tuple(questions)), embedder=embedder) as corpus:
        first = measure(corpus, squad)
        baseline = written(tmp_path / "before.json", first)
        assert fallen(baseline, measure(corpus, squad)) == set()
        assert "MRR@10" in fallen(baseline, measure(corpus, squad, without(Settings(), ["rerank"])))
        assert fallen(baseline, measure(corpus, squad, with_settings(Settings(), ["keyword_weight=0"])))


# --- what is compared, and how it is said


def made(scores: Mapping[str, float], **more: Any) -> Measured:
    """A measurement in which every measure of a question has the same score."""
    found = Measured(
        name="ferry", settings="all stages", documents=1, failed=0, chunks=1,
        scores={q: (s,) * len(MEASURES) for q, s in scores.items()}, figures={}, no_answer=None, latency={},
        seconds=0.0, notes=(),
    )  # fmt: skip
    return replace(found, **more)


def test_only_questions_of_both_runs_are_compared(tmp_path: Path) -> None:
    baseline = written(tmp_path / "before.json", made({f"{n}": 1.0 for n in range(20)} | {"gone": 0.0}))
    found = compare(read_baseline(baseline), [made({f"{n}": 0.5 for n in range(20)} | {"new": 1.0})])
    assert {change.questions for change in found} == {20}
    assert found[0].words() == "ferry: hit@1 fell from 1.000 to 0.500, by 0.500 [0.500, 0.500] over 20 questions."


def test_a_few_questions_fewer_are_no_finding() -> None:
    before = {"ferry": {f"{n}": dict.fromkeys(MEASURES, 1.0) for n in range(40)}}
    found = compare(before, [made({f"{n}": float(n > 1) for n in range(40)})])
    assert found[0].difference.value == pytest.approx(-0.05)
    assert not found[0].fell


def test_rows_of_an_ablation_are_no_baseline(tmp_path: Path) -> None:
    whole, part = made({"1": 1.0}), made({"1": 0.0}, settings="without rerank")
    assert read_baseline(written(tmp_path / "before.json", whole, part))["ferry"]["1"]["MRR@10"] == 1.0
    with pytest.raises(UnusableBaseline, match="none of the questions"):
        compare(read_baseline(tmp_path / "before.json"), [part])


def test_measures_of_an_older_version_are_compared_as_far_as_they_go() -> None:
    found = compare({"ferry": {"1": {"MRR@10": 1.0, "of old": 0.5}}}, [made({"1": 1.0})])
    assert [change.measure for change in found] == ["MRR@10"]


def test_six_digits_of_a_file_are_no_difference(tmp_path: Path) -> None:
    now = made({f"{n}": 1 / 3 for n in range(30)})
    assert {c.difference for c in compare(read_baseline(written(tmp_path / "a.json", now)), [now])} == {
        Figure(0.0, 0.0, 0.0)
    }


def test_edges_of_an_interval() -> None:
    def change(low: float, high: float) -> Change:
        return Change(name="a", measure="b", questions=1, before=0, now=0, difference=Figure((low + high) / 2, low, high))  # fmt: skip

    assert (change(-0.2, -0.1).fell, change(-0.2, 0.0).fell, change(-0.1, 0.1).fell) == (True, False, False)
    assert (change(0.1, 0.2).rose, change(0.0, 0.2).rose) == (True, False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory."),
        ("{", "is not JSON."),
        ("[]", "was not written by `evaluate retrieval --json`."),
        ('{"sets": [{"name": "a"}]}', "was not written by"),
        ('{"measures": ["a"], "sets": [{"name": "a", "settings": "all stages", "scores": {"1": [1, 2]}}]}', "was not"),
    ],
)
def test_a_file_that_is_no_baseline_is_said(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "before.json").write_text(content)
    with pytest.raises(UnusableBaseline, match=words):
        read_baseline(tmp_path / "before.json")
