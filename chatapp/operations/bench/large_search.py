"""Searches of a large knowledge base, timed stage by stage, beside what no search can do without.

A program of its own, started by ``chatapp.operations.bench.retrieval``: its database, store and files are those of
the DATA_DIR it is given. It prints one line of JSON, a ``Searched``.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import psutil

from chatapp.operations.bench.first_token import Times

if TYPE_CHECKING:
    from chatapp.operations.bench.large_base import Built
    from knowledge.types import Query, RetrievalResult, Scope

LIMIT = 8
WARM_UP = 8
QUIET = 2.5
"""Seconds after which LanceDB's store takes a table that nobody writes to into memory."""
BESIDE = 4
"""Of so many searches one is followed by what runs beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One base on one store. Milliseconds, bytes and seconds as the names say."""

    store: str
    chunks: int
    documents: int
    searches: int
    stages: dict[str, Times]
    embed_alone: Times  # the same questions, by the embedding model alone
    scan_alone: Times  # cosines of all vectors and the best 100 of them, by numpy
    narrowed: dict[str, Times] = field(default_factory=dict)  # documents that may be searched -> total
    index_seconds: float = 0.0
    optimize_seconds: float = 0.0
    rows_seconds: float = 0.0
    embedded_per_second: float = 0.0
    disk: dict[str, int] = field(default_factory=dict)  # part -> bytes
    memory: dict[str, int] = field(default_factory=dict)  # process -> bytes
    load: tuple[float, float] = (0.0, 0.0)  # of the machine, before and after the searches

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Searched:
        """Read what the program printed."""
        plain = {name: found[name] for name in found if name not in ("stages", "narrowed")}
        plain |= {name: Times(**found[name]) for name in ("embed_alone", "scan_alone")}
        nested = {name: {key: Times(**value) for key, value in found[name].items()} for name in ("stages", "narrowed")}
        return cls(**(plain | nested | {"load": tuple(found["load"])}))


def main() -> None:
    """Build the base if need be and measure: ``CHUNKS SEARCHES``."""
    chunks, searches = int(sys.argv[1]), int(sys.argv[2])
    import django

    django.setup()
    from django.core.management import call_command

    from chatapp.operations.bench.large_base import build
    from chatapp.operations.bootstrap import prepare_data_dir

    prepare_data_dir()
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    built = build(chunks, say=_say)
    _say("Searching ...")
    print(json.dumps(asdict(_measure(built, searches=searches))))


def _measure(built: Built, *, searches: int) -> Searched:
    from django.conf import settings

    asking = _Asking(built)
    beside = _Beside(built)
    for number in range(WARM_UP):
        asking.ask(asking.question(-1 - number))
    time.sleep(QUIET)
    for number in range(WARM_UP):
        asking.ask(asking.question(-101 - number))
    before = os.getloadavg()[0]
    found, embedding, scanning = [], [], []
    for number in range(searches):
        question = asking.question(number)
        found.append(asking.ask(question).timings)
        if number % BESIDE == 0:
            embedding.append(beside.embed(question))
            scanning.append(beside.scan())
    after = os.getloadavg()[0]
    return Searched(
        store=settings.STORE, chunks=built.chunks, documents=built.documents, searches=searches,
        stages=_by_stage(found), embed_alone=Times.of(embedding), scan_alone=Times.of(scanning),
        narrowed=_narrowed(asking, built, searches=max(10, searches // 5)), index_seconds=built.index_seconds,
        optimize_seconds=built.optimize_seconds, rows_seconds=built.rows_seconds,
        embedded_per_second=built.embedded_per_second, disk=_disk(Path(settings.DATA_DIR)), memory=_memory(),
        load=(round(before, 1), round(after, 1)),
    )  # fmt: skip


class _Asking:
    def __init__(self, built: Built) -> None:
        from chatapp.operations.bench.made_texts import MadeTexts

        self._texts, self._built = MadeTexts(), built

    def question(self, number: int) -> Query:
        """Return a question that no other number gives, about a chunk somewhere in the base."""
        from chatapp.operations.bench.large_base import CHUNKS
        from chatapp.operations.bench.made_texts import asked
        from knowledge.types import Query

        chosen = random.Random(number)  # noqa: S311 - the same ones every time is the point
        chunks = self._texts.chunks(chosen.randrange(self._built.documents), count=CHUNKS)
        text = asked(chosen.choice(chunks)[1], texts=self._texts, number=abs(number))
        return Query(text=text, limit=LIMIT, merge_neighbours=True)

    def ask(self, query: Query, scope: Scope | None = None) -> RetrievalResult:
        from knowledge.documents.searching import search

        return search(query, scope=scope or self._built.scope)


class _Beside:
    """What is measured in the same minutes, because machines are not equally fast all the time."""

    def __init__(self, built: Built) -> None:
        self._vectors = np.random.default_rng(3).standard_normal((built.chunks, 384), dtype=np.float32)

    def embed(self, query: Query) -> float:
        from knowledge import wiring

        began = time.perf_counter()
        wiring.embedder().embed_query(f"{query.text} ")  # remembered under another text than the search's
        return time.perf_counter() - began

    def scan(self) -> float:
        began = time.perf_counter()
        scores = self._vectors @ self._vectors[0]
        np.argpartition(-scores, min(100, len(scores) - 1))
        return time.perf_counter() - began


def _narrowed(asking: _Asking, built: Built, *, searches: int) -> dict[str, Times]:
    """Search a tenth, and two thirds of the documents: what a filter leaves comes as a list of them."""
    from knowledge.documents.models import Document

    ids = sorted(
        str(pk)
        for pk in Document.objects.filter(knowledge_base__pk=UUID(built.knowledge_base)).values_list("pk", flat=True)
    )
    random.Random(1).shuffle(ids)  # noqa: S311
    found = {}
    for count in (max(1, len(ids) // 10), max(1, len(ids) * 2 // 3)):
        scope = replace(built.scope, documents=frozenset(ids[:count]))
        asking.ask(asking.question(-100), scope)
        times = [asking.ask(asking.question(10_000 + n), scope).timings["total"] / 1_000 for n in range(searches)]
        found[f"{count}"] = Times.of(times)
    return found


def _by_stage(found: list[Any]) -> dict[str, Times]:
    return {stage: Times.of([timings.get(stage, 0.0) / 1_000 for timings in found]) for stage in found[0]}


def _disk(folder: Path) -> dict[str, int]:
    parts = {"database": "footnote.sqlite3*", "files": "files/**/*", "lance": "lance/**/*", "weaviate": "weaviate/**/*"}
    sizes = {
        name: sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())
        for name, pattern in parts.items()
    }
    return {name: size for name, size in sizes.items() if size}


def _memory() -> dict[str, int]:
    found = {"search": psutil.Process().memory_info().rss}
    if server := os.environ.get("BENCH_SERVER_PID"):
        found["server"] = psutil.Process(int(server)).memory_info().rss
    return found


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
