"""Ingestion speed beside the speed of the embedding model alone, and the latency of a search."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from chatapp.operations.bench import corpus
from chatapp.operations.bench.client import Client, Unexpected, Upload

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSpeed:
    """Passages a second from the first upload to the last document ready, and of the embedding model alone."""

    documents: int
    chunks: int
    seconds: float
    chunks_per_second: float
    embedder_chunks_per_second: float
    processes: int
    ratio: float


def ingest_speed(client: Client, base: str, files: Sequence[Upload], *, processes: int) -> IngestSpeed:
    """Ingest the files, then let as many processes as the worker has embed the same passages and nothing else.

    :raises Unexpected: a document failed.
    """
    began = time.monotonic()
    rows = client.ingest(base, files)
    seconds = time.monotonic() - began
    if failed := [row["error"] for row in rows if row["status"] != "ready"]:
        raise Unexpected(f"{len(failed)} documents failed: {failed[0]}")
    chunks = sum(row["chunks"] for row in rows)
    alone = embedder_speed([file.data.decode() for file in files], chunks=chunks, processes=processes)
    return IngestSpeed(
        documents=len(rows), chunks=chunks, seconds=round(seconds, 1), chunks_per_second=round(chunks / seconds, 1),
        embedder_chunks_per_second=round(alone, 1), processes=processes, ratio=round(chunks / seconds / alone, 2),
    )  # fmt: skip


def embedder_speed(texts: Sequence[str], *, chunks: int, processes: int) -> float:
    """Return passages a second of the embedding model when so many processes share the documents' passages.

    Each document is cut at its headings, which is where the chunker cuts these.
    """
    passages = [part for text in texts for part in text.split("\n## ")[1:]][:chunks]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_embed, [passages[:2]] * processes))  # loads the model
        shares = [passages[i::processes] for i in range(processes)]
        began = time.monotonic()
        list(pool.map(_embed, shares))
        return len(passages) / (time.monotonic() - began)


def _embed(passages: Sequence[str]) -> int:
    import django

    django.setup()
    from knowledge import wiring

    for at in range(0, len(passages), BATCH):
        wiring.embedder().embed_passages(passages[at : at + BATCH])
    return len(passages)


def search_latency(client: Client, base: str, *, searches: int) -> float:
    """Return the median milliseconds of a search over HTTP, one after the other."""
    times = []
    for number in range(searches):
        began = time.perf_counter()
        client.search(corpus.fact(number).question, [base], limit=8)
        times.append(time.perf_counter() - began)
    return round(1000 * statistics.median(times), 1)
