from __future__ import annotations

import json

from chatapp.operations.bench.first_token import FirstToken, Times
from chatapp.operations.bench.ingest import IngestSpeed
from chatapp.operations.bench.memory import ProcessMemory
from chatapp.operations.bench.quality import summary
from chatapp.operations.bench.report import MIB, Report, table


def full() -> Report:
    return Report(
        machine={"cores": 2},
        first_start_seconds=4.25,
        second_start_seconds=3.5,
        busy=[ProcessMemory("web", 1, 200 * MIB, 300 * MIB), ProcessMemory("web", 2, 100 * MIB, 250 * MIB)],
        ingest=IngestSpeed(
            documents=65, chunks=325, seconds=6.5, chunks_per_second=50, embedder_chunks_per_second=100, processes=2,
            ratio=0.5,
        ),
        search_ms=12.5,
        first_token=[FirstToken(at_once=8, questions=96, direct=Times(2, 3), product=Times(42, 60), added_p50=40, added_p95=57)],
        quality=[summary("wiki, hand", [1, 0], documents=237, failed=0)],
    )  # fmt: skip


def test_the_report_says_everything_that_was_measured() -> None:
    text = "\n".join(full().lines())
    for words in ("4.2 s first", "325 passages", "ratio 0.50", "median 12.5 ms", "wiki, hand"):
        assert words in text
    assert "300" in text  # MiB of both web processes together
    row = next(line for line in text.splitlines() if line.split()[:1] == ["8"])
    assert row.split()[-3:] == ["40.0", "57.0", "50"]  # beside the goal


def test_an_empty_report_is_only_the_machine() -> None:
    assert len(Report().lines()) == 1


def test_the_report_is_json() -> None:
    assert json.loads(json.dumps(full().as_json()))["quality"][0]["hit1"] == 0.5


def test_columns_are_aligned() -> None:
    lines = table(("name", "n"), [("a", "100"), ("longer", "2")])
    assert lines == ["  name      n", "  a       100", "  longer    2"]


def test_the_middle_and_the_slow_end_of_times() -> None:
    times = Times.of([0.001 * n for n in range(1, 101)])
    assert (times.p50, times.p95) == (50.5, 96.0)
    assert Times.of([0.02]) == Times(20.0, 20.0)
