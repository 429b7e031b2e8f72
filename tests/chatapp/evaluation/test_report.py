from __future__ import annotations

import json
from dataclasses import replace

from chatapp.evaluation.bootstrap import Figure
from chatapp.evaluation.gate import Change
from chatapp.evaluation.metrics import MEASURES, NoAnswer
from chatapp.evaluation.report import Report, changes, table, with_interval
from chatapp.evaluation.runner import Measured, Settings


def measured(settings: str = "all stages", *, no_answer: NoAnswer | None = None, failed: int = 0) -> Measured:
    return Measured(
        name="ferry", settings=settings, documents=8, failed=failed, chunks=24,
        scores={"1": tuple(1 / 3 for _ in MEASURES)}, figures=dict.fromkeys(MEASURES, Figure(1 / 3, 0.25, 1.0)),
        no_answer=no_answer, latency={"embed": (9.04, 12.0), "total": (20.0, 31.26)}, seconds=1.5, notes=("A note.",),
    )  # fmt: skip


def report(*rows: Measured, cached: bool = False) -> Report:
    return Report(store="lance", embedding="model, float32", settings=Settings(), cached=cached, measured=list(rows))


REFUSED = NoAnswer(unanswerable=6, auroc=0.9, low=0.8, high=1.0, refused={"0.99": 0.1, "0.95": 0.5})


def test_every_figure_stands_in_a_table() -> None:
    lines = report(measured(no_answer=REFUSED), measured("without rerank")).lines()
    text = "\n".join(lines)
    assert "Store lance, embedding model model, float32; means with 95 % intervals" in text
    for heading in ("hit@1", "hit@5", "hit@10", "MRR@10", "nDCG@10", "recall@20", "precision@5", "coverage@5", "AUROC"):
        assert heading in text
    assert "0.333 [.250 1.000]" in text
    assert [line.split()[:4] for line in lines if "[.800 1.000]" in line] == [["ferry", "6", "0.900", "[.800"]]
    assert "at 95 %" in text
    assert "9.0/12.0  20.0/31.3" in text
    assert sum(line.strip().startswith("without rerank") for line in lines) == 3
    assert text.count("A note.") == 1
    assert "cache" not in text


def test_passages_of_a_corpus_are_described_once() -> None:
    sizes = {"passages": 24, "mean tokens": 101.5, "p95 tokens": 240.0, "share cut": 0.25, "seconds": 3.2}
    rows = [replace(measured(), name=name, indexed=sizes) for name in ("ferry, one", "ferry, two")]
    lines = report(*rows).lines()
    assert [line.split() for line in lines if "101.5" in line] == [["ferry", "24", "101.5", "240", "0.25", "3.2"]]
    assert not any("share cut" in line for line in report(measured()).lines())


def test_what_is_out_of_the_ordinary_is_said() -> None:
    text = "\n".join(report(measured(failed=2), cached=True).lines())
    assert "ferry: 2 documents could not be indexed." in text
    assert "Vectors came from the cache" in text
    assert "Refusable" not in text
    assert report().lines() == ["Nothing was measured."]


def test_json_holds_every_score() -> None:
    found = json.loads(json.dumps(report(measured(no_answer=REFUSED)).as_json()))
    assert found["measures"] == list(MEASURES)
    assert found["profile"]["keyword_weight"] == 0.5
    assert found["sets"][0]["scores"]["1"] == [0.333333] * len(MEASURES)
    assert found["sets"][0]["figures"]["MRR@10"] == {"value": 1 / 3, "low": 0.25, "high": 1.0}
    assert found["sets"][0]["no_answer_by_score"] is None
    assert found["sets"][0]["no_answer"]["refused"] == {"0.99": 0.1, "0.95": 0.5}


def test_differences_are_marked_where_they_are_significant() -> None:
    def change(measure: str, low: float, high: float) -> Change:
        middle = Figure((low + high) / 2, low, high)
        return Change(name="ferry", measure=measure, questions=48, before=0.5, now=0.4, difference=middle)

    lines = changes([change("hit@1", -0.2, -0.1), change("hit@5", -0.1, 0.1), change("MRR@10", 0.1, 0.3)])
    assert lines[1].split()[:4] == ["set", "questions", "hit@1", "hit@5"]
    assert "-0.150 [-0.200 -0.100]-" in lines[2]
    assert "+0.000 [-0.100 +0.100] " in lines[2]
    assert "+0.200 [+0.100 +0.300]+" in lines[2]


def test_columns_are_aligned() -> None:
    assert table(("a", "bb"), [("one", "1"), ("two", "222")]) == ["  a     bb", "  one    1", "  two  222"]
    assert table(("a",), []) == ["  a"]
    assert with_interval(Figure(0.5, 0.0, 1.0)) == "0.500 [.000 1.000]"
