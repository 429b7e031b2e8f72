"""How long the stages of retrieval take, as Prometheus reads it: one histogram over all processes of the product.

The web server has several processes and a scrape meets one of them. The supervisor gives them a folder
(PROMETHEUS_MULTIPROC_DIR, the client library's own), in which each keeps its counts in a mapped file, so that every
one tells the sum of all; without the folder a process tells its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import Histogram, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric

__all__ = ["FOLDER", "RetrievalCollector", "empty_folder", "quantile", "record"]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NAME = "footnote_retrieval_seconds"
QUANTILES = (0.5, 0.95)
BUCKETS = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.18, 0.25, 0.4, 0.6,
    1.0, 2.5, 5.0,
)  # fmt: skip

_seconds = Histogram(
    NAME, "Seconds a stage of retrieval took; the stage total is all of it.", ["stage"], buckets=BUCKETS, registry=None
)


def record(timings: Mapping[str, float]) -> None:
    """Count one search, given the milliseconds of its stages."""
    for stage, milliseconds in timings.items():
        _seconds.labels(stage).observe(milliseconds / 1_000)


def empty_folder(path: Path) -> str:
    """Return the folder, made anew: counts begin when the product starts. Before any process uses it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)
    return str(path)


class RetrievalCollector:
    """The histogram, and the quantiles in it for who reads them without Prometheus."""

    def collect(self) -> Iterator[Metric]:
        found = [metric for metric in self._counted() if metric.name == NAME]
        quantiles = GaugeMetricFamily(
            "footnote_retrieval_quantile_seconds", "The same since the start of the product, read off the buckets.",
            labels=["stage", "quantile"],
        )  # fmt: skip
        for stage, buckets in _by_stage(found).items():
            for share in QUANTILES:
                quantiles.add_metric([stage, str(share)], quantile(share, buckets))
        yield from found
        yield quantiles

    @staticmethod
    def _counted() -> Iterable[Metric]:
        folder = os.environ.get(FOLDER, "")
        if not Path(folder or "/nowhere").is_dir():
            return _seconds.collect()
        found: Iterable[Metric] = multiprocess.MultiProcessCollector(None, path=folder).collect()  # type: ignore[no-untyped-call]
        return found


def _by_stage(metrics: Iterable[Metric]) -> dict[str, list[tuple[float, float]]]:
    """Return ``(upper bound, count up to it)`` of each bucket, ascending, by stage."""
    stages: dict[str, list[tuple[float, float]]] = {}
    for metric in metrics:
        for sample in metric.samples:
            if sample.name == f"{NAME}_bucket":
                stages.setdefault(sample.labels["stage"], []).append((float(sample.labels["le"]), sample.value))
    return {stage: sorted(buckets) for stage, buckets in sorted(stages.items())}


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return the quantile as Prometheus' ``histogram_quantile`` does: on a line within its bucket.

    What lies above the last bound is told as that bound; without a single count it is not a number.
    """
    total = buckets[-1][1] if buckets else 0.0
    if not total:
        return float("nan")
    below, before = 0.0, 0.0
    for bound, count in buckets:
        if count >= share * total:
            return (
                below
                if bound == float("inf")
                else below + (bound - below) * (share * total - before) / (count - before)
            )
        below, before = bound, count
    return below
