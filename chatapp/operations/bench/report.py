"""The figures of a bench as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chatapp.evaluation.report import table
from chatapp.operations.bench import currency, learning, switching
from chatapp.operations.bench.currency import Currency
from chatapp.operations.bench.first_token import FirstToken, Times
from chatapp.operations.bench.ingest import IngestSpeed
from chatapp.operations.bench.large_search import Searched
from chatapp.operations.bench.learning import Learning
from chatapp.operations.bench.memory import ProcessMemory
from chatapp.operations.bench.parsing import Parsing
from chatapp.operations.bench.quality import Measured
from chatapp.operations.bench.switching import Switching

GOALS = {1: 12, 8: 50, 32: 150}
"""Milliseconds that the first token may come later, by questions at once."""

MIB = 1024 * 1024


@dataclass(slots=True)
class Report:
    """What was measured so far. Seconds, milliseconds and bytes as the names of the fields say."""

    machine: dict[str, Any] = field(default_factory=dict)
    first_start_seconds: float = 0.0
    second_start_seconds: float = 0.0
    stop_seconds: float = 0.0
    idle: list[ProcessMemory] = field(default_factory=list)
    busy: list[ProcessMemory] = field(default_factory=list)
    ingest: IngestSpeed | None = None
    search_ms: float = 0.0
    first_token: list[FirstToken] = field(default_factory=list)
    first_token_parts: dict[str, float] = field(default_factory=dict)
    quality: list[Measured] = field(default_factory=list)
    parsing: Parsing | None = None
    searched: list[Searched] = field(default_factory=list)
    currency: Currency | None = None
    switching: Switching | None = None
    learning: list[Learning] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the report for people."""
        found = [f"Machine: {', '.join(f'{name} {value}' for name, value in self.machine.items())}"]
        if self.first_start_seconds:
            found.append(
                f"Start: {self.first_start_seconds:.1f} s first, {self.second_start_seconds:.1f} s again; "
                f"stop {self.stop_seconds:.1f} s"
            )
        found += [*_memory("Memory after the start", self.idle), *_memory("Memory after the work", self.busy)]
        if self.ingest is not None:
            found.append(
                f"Ingestion: {self.ingest.chunks} passages of {self.ingest.documents} documents in "
                f"{self.ingest.seconds:.1f} s = {self.ingest.chunks_per_second:.1f} a second; the embedding model "
                f"alone in {self.ingest.processes} processes {self.ingest.embedder_chunks_per_second:.1f}; "
                f"ratio {self.ingest.ratio:.2f}"
            )
            found.append(f"Search over {self.ingest.chunks} passages: median {self.search_ms:.1f} ms")
        return [
            *found,
            *self._first_token(),
            *self._quality(),
            *self._parsing(),
            *(line for one in self.searched for line in _searches(one)),
            *(currency.lines(self.currency) if self.currency else ()),
            *(switching.lines(self.switching) if self.switching else ()),
            *learning.lines(self.learning),
        ]

    def _first_token(self) -> list[str]:
        rows = [
            (
                str(row.at_once), str(row.questions), f"{row.direct.p50:.1f}", f"{row.product.p50:.1f}",
                f"{row.added_p50:.1f}", f"{row.added_p95:.1f}", str(GOALS.get(row.at_once, "")),
            )
            for row in self.first_token
        ]  # fmt: skip
        head = ("at once", "questions", "model p50", "product p50", "added p50", "added p95", "goal")
        parts = ", ".join(f"{name} {value:.1f}" for name, value in self.first_token_parts.items())
        found = ["First token (ms):", *table(head, rows)] if rows else []
        return [*found, f"  one question at a time, median ms since it arrived: {parts}"] if parts else found

    def _quality(self) -> list[str]:
        rows = [
            (
                row.name, str(row.documents), str(row.failed), str(row.questions), f"{row.hit1:.3f}", f"{row.hit5:.3f}",
                f"{row.hit10:.3f}", f"{row.mrr:.3f}",
            )
            for row in self.quality
        ]  # fmt: skip
        head = ("set", "documents", "failed", "questions", "hit@1", "hit@5", "hit@10", "MRR@10")
        return ["Retrieval:", *table(head, rows)] if rows else []

    def _parsing(self) -> list[str]:
        if self.parsing is None:
            return []
        files = [
            (
                one.file,
                one.format,
                one.expect,
                f"{one.seconds:.3f}",
                "; ".join(one.unmet) or ("rightly refused" if one.refused else "met"),
            )
            for one in self.parsing.files
        ]
        speeds = [
            (
                one.name, str(one.files), f"{one.pages:.0f}", f"{one.pages_per_second:.0f}",
                f"{one.pages_per_processor_second:.0f}", f"{one.peak / MIB:.0f}",
            )
            for one in self.parsing.speeds
        ]  # fmt: skip
        met = sum(not one.unmet for one in self.parsing.files)
        found = [f"Parsing: {met} of {len(files)} files as expected"]
        found += table(("file", "format", "expected", "seconds", "what is unmet"), files) if files else []
        found += table(("format", "files", "pages", "pages/s", "of processor", "peak MiB"), speeds) if speeds else []
        return [*found, f"Highlights: {self.parsing.highlights.words()}"]


def _memory(title: str, processes: Sequence[ProcessMemory]) -> list[str]:
    if not processes:
        return []
    by_role: Mapping[str, list[ProcessMemory]] = {
        role: [p for p in processes if p.role == role] for role in sorted({p.role for p in processes})
    }
    rows = [
        (role, str(len(group)), f"{sum(p.pss for p in group) / MIB:.0f}", f"{max(p.rss for p in group) / MIB:.0f}")
        for role, group in by_role.items()
    ]
    rows.append(("together", str(len(processes)), f"{sum(p.pss for p in processes) / MIB:.0f}", ""))
    return [f"{title} (MiB):", *table(("process", "count", "PSS", "largest RSS"), rows)]


def _searches(one: Searched) -> list[str]:
    beside = {"embedding alone": one.embed_alone, "exact scan alone": one.scan_alone}
    named: dict[str, Times] = {
        **one.stages, **{f"total, {count} documents": times for count, times in one.narrowed.items()}, **beside,
    }  # fmt: skip
    ratio = one.stages["total"].p50 / max(0.01, one.embed_alone.p50 + one.scan_alone.p50)
    sizes = ", ".join(f"{name} {size / MIB:.0f}" for name, size in (one.disk | one.memory).items())
    rate = one.chunks / max(0.1, one.index_seconds)
    head = (
        f"Searches of {one.chunks} passages of {one.documents} documents on {one.store}, {one.searches} one after the "
        f"other, load {one.load[0]} to {one.load[1]} (ms):"
    )
    indexing = (
        f"  indexed in {one.index_seconds:.0f} s = {rate:.0f} a second, {one.optimize_seconds:.0f} s of it optimising; "
        f"rows and files in {one.rows_seconds:.0f} s; the embedding model alone {one.embedded_per_second:.0f} a second"
    )
    return [
        head,
        *table(("stage", "p50", "p95"), [(name, f"{t.p50:.1f}", f"{t.p95:.1f}") for name, t in named.items()]),
        f"  {ratio:.2f} times embedding and exact scan alone",
        indexing,
        f"  MiB: {sizes}",
    ]
