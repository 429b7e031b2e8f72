from __future__ import annotations

import os
import subprocess
import sys
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from prometheus_client.parser import text_string_to_metric_families

from chatapp.operations import health, parts, product, retrieval_times
from chatapp.operations.retrieval_times import FOLDER, RetrievalCollector, empty_folder, quantile, record
from knowledge.documents.signals import searched

INF = float("inf")


def samples(collector: RetrievalCollector) -> dict[tuple[str, ...], float]:
    return {(s.name, *s.labels.values()): s.value for metric in collector.collect() for s in metric.samples}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    retrieval_times._seconds.clear()


def test_each_stage_is_counted_in_seconds() -> None:
    record({"embed": 7.0, "total": 30.0})
    record({"embed": 9.0, "total": 50.0})
    found = samples(RetrievalCollector())
    assert found["footnote_retrieval_seconds_count", "embed"] == 2
    assert found["footnote_retrieval_seconds_sum", "total"] == pytest.approx(0.08)
    assert found["footnote_retrieval_seconds_bucket", "embed", "0.0075"] == 1
    assert found["footnote_retrieval_seconds_bucket", "embed", "0.01"] == 2
    assert found["footnote_retrieval_quantile_seconds", "embed", "0.5"] == pytest.approx(0.0075)


def test_every_search_is_counted() -> None:
    searched.send(sender=None, timings={"total": 12.0})
    assert samples(RetrievalCollector())["footnote_retrieval_seconds_count", "total"] == 1


def test_the_sum_of_all_processes_is_told_by_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = empty_folder(tmp_path / "metrics")
    code = "from chatapp.operations.retrieval_times import record; record({'total': %d})"
    for milliseconds in (10, 20, 400):
        environment = {**os.environ, FOLDER: folder}
        subprocess.run(
            [sys.executable, "-c", code % milliseconds], env=environment, check=True, cwd=product.settings.BASE_DIR
        )
    monkeypatch.setenv(FOLDER, folder)
    found = samples(RetrievalCollector())
    assert found["footnote_retrieval_seconds_count", "total"] == 3
    assert found["footnote_retrieval_seconds_sum", "total"] == pytest.approx(0.43)
    assert found["footnote_retrieval_seconds_bucket", "total", "0.02"] == 2
    assert 0.015 <= found["footnote_retrieval_quantile_seconds", "total", "0.5"] <= 0.02
    assert 0.25 <= found["footnote_retrieval_quantile_seconds", "total", "0.95"] <= 0.4


def test_counts_begin_with_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "histogram_1.db").write_bytes(b"of the run before")
    monkeypatch.setenv(FOLDER, empty_folder(tmp_path / "metrics"))
    assert samples(RetrievalCollector()) == {}


def test_roles_on_machines_of_their_own_do_not_share_a_folder() -> None:
    folders = {product.metrics_folder(), product.metrics_folder("web"), product.metrics_folder("worker")}
    assert len(folders) == 3


@pytest.mark.parametrize(
    ("share", "buckets", "expected"),
    [
        (0.5, [(1.0, 0), (2.0, 10), (INF, 10)], 1.5),
        (0.95, [(1.0, 50), (2.0, 90), (4.0, 100), (INF, 100)], 3.0),
        (0.5, [(1.0, 4), (INF, 4)], 0.5),
        (0.95, [(1.0, 1), (2.0, 2), (INF, 10)], 2.0),  # above the last bound nothing more is known
    ],
)
def test_quantiles_lie_on_a_line_within_their_bucket(
    share: float, buckets: list[tuple[float, float]], expected: float
) -> None:
    assert quantile(share, buckets) == pytest.approx(expected)


def test_without_a_search_there_is_no_quantile() -> None:
    assert isnan(quantile(0.5, [(1.0, 0.0), (INF, 0.0)]))
    assert isnan(quantile(0.5, []))


@pytest.mark.django_db
def test_metrics_tell_the_stages(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_seen", (0.0, []))
    monkeypatch.setattr(parts, "CHECKS", ())
    record({"search": 3.5})
    text = health.metrics(rf.get("/metrics")).content.decode()
    families: dict[str, Any] = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["footnote_retrieval_seconds"].type == "histogram"
    assert {s.labels["stage"] for s in families["footnote_retrieval_quantile_seconds"].samples} == {"search"}
