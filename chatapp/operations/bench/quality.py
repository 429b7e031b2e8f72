"""Retrieval quality on labelled sets, over HTTP: hit rates and mean reciprocal rank.

A passage is a hit when it shares at least half of the shorter of (passage, gold span) with a gold span
of the same document. The sets are folders with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.operations.bench.client import Client, Upload

DEPTH = 10
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gold:
    """A span of a document that answers, in code points."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One set as measured; rates from 0 to 1."""

    name: str
    documents: int
    failed: int
    questions: int
    hit1: float
    hit5: float
    hit10: float
    mrr: float


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Some questions of a folder. ``scoped``: each is asked of its own document only, in a base of its own."""

    name: str
    folder: str
    wanted: Callable[[Row], bool]
    scoped: bool = False


SETS = (
    QuestionSet("wiki, hand", "wiki", lambda q: q.get("split") == "hand"),
    QuestionSet("wiki, known_item", "wiki", lambda q: q.get("split") == "known_item"),
    QuestionSet("squad, split eval", "squad", lambda q: q.get("split") == "eval"),
    QuestionSet("papers, standalone", "papers", lambda q: bool(q.get("standalone"))),
    QuestionSet("papers, scoped", "papers", lambda q: bool(q.get("scope_doc_id")), scoped=True),
    QuestionSet("longdoc", "longdoc", lambda q: True),
    QuestionSet("multiturn, with history", "multiturn", lambda q: True),
    QuestionSet("longanswer", "longanswer", lambda q: True),
)


def read(path: Path) -> list[Row]:
    """Return the rows of a JSON lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def gold_spans(folder: Path) -> dict[str, list[Gold]]:
    """Return the relevant spans of every question."""
    found: dict[str, list[Gold]] = {}
    for row in read(folder / "qrels.jsonl"):
        found.setdefault(row["query_id"], []).append(Gold(row["doc_id"], row["start"], row["end"]))
    return found


def is_hit(passage: Row, gold: Gold, documents: Mapping[str, str]) -> bool:
    """Tell whether a passage counts; ``documents`` maps the product's ids to those of the set."""
    if documents.get(str(passage["document"])) != gold.document:
        return False
    shared = min(passage["end"], gold.end) - max(passage["start"], gold.start)
    return bool(2 * shared >= min(passage["end"] - passage["start"], gold.end - gold.start))


def first_hit(passages: Sequence[Row], gold: Sequence[Gold], documents: Mapping[str, str]) -> int:
    """Return the rank of the first hit from 1, or 0."""
    for rank, passage in enumerate(passages[:DEPTH], start=1):
        if any(is_hit(passage, span, documents) for span in gold):
            return rank
    return 0


def summary(name: str, ranks: Sequence[int], *, documents: int, failed: int) -> Measured:
    """Turn the ranks of all questions into rates."""
    count = max(1, len(ranks))
    rates = {k: round(sum(0 < rank <= k for rank in ranks) / count, 3) for k in (1, 5, 10)}
    mrr = round(sum(1 / rank for rank in ranks if rank) / count, 3)
    return Measured(
        name=name, documents=documents, failed=failed, questions=len(ranks),
        hit1=rates[1], hit5=rates[5], hit10=rates[10], mrr=mrr,
    )  # fmt: skip


class Library:
    """Folders of the evaluation data as knowledge bases of a product; each is ingested once."""

    def __init__(self, client: Client, data: Path) -> None:
        self._client, self._data = client, data
        self._bases: dict[str, tuple[dict[str, str], dict[str, str], int]] = {}

    def bases(self, folder: str) -> tuple[dict[str, str], dict[str, str], int]:
        """Return the base of each document of the set, the set's id of each document here, and how many failed.

        Where some questions are scoped, every document has a base of its own; a search over all of them is the same.
        """
        if folder not in self._bases:
            corpus = read(self._data / folder / "corpus.jsonl")
            scoped = any(chosen.folder == folder and chosen.scoped for chosen in SETS)
            groups = [[row] for row in corpus] if scoped else [corpus]
            base_of: dict[str, str] = {}
            names: dict[str, str] = {}
            failed = 0
            for rows in groups:
                base = self._client.knowledge_base(folder)
                for row, document in zip(rows, self._client.ingest(base, _files(folder, rows)), strict=True):
                    base_of[row["doc_id"]], names[document["id"]] = base, row["doc_id"]
                    failed += document["status"] != "ready"
            self._bases[folder] = base_of, names, failed
        return self._bases[folder]

    def measure(self, chosen: QuestionSet, *, most: int | None = None) -> Measured:
        """Ask every answerable question of the set (or ``most``, evenly spread) and rate what came back."""
        base_of, names, failed = self.bases(chosen.folder)
        gold = gold_spans(self._data / chosen.folder)
        rows = read(self._data / chosen.folder / "queries.jsonl")
        asked = [q for q in rows if q.get("answerable", True) and q["query_id"] in gold and chosen.wanted(q)]
        asked = asked[:: max(1, len(asked) // most)] if most else asked
        everything = sorted(set(base_of.values()))

        def rank(query: Row) -> int:
            bases = [base_of[query["scope_doc_id"]]] if chosen.scoped else everything
            history = [{"role": _role(turn["role"]), "text": turn["text"]} for turn in query.get("history") or ()]
            answer = self._client.search(query["text"], bases, limit=DEPTH, history=history)
            return first_hit(answer["passages"], gold[query["query_id"]], names)

        with ThreadPoolExecutor(2) as threads:
            ranks = list(threads.map(rank, asked))
        return summary(chosen.name, ranks, documents=len(names), failed=failed)


def _role(role: str) -> str:
    return "user" if role == "user" else "assistant"


def _files(folder: str, rows: Sequence[Row]) -> list[Upload]:
    suffix = "md" if folder in ("wiki", "longdoc") else "txt"
    files = []
    for number, row in enumerate(rows):
        name = "".join(c if c.isalnum() else "_" for c in row["title"])[:60]
        files.append(Upload(f"{number:05d}-{name}.{suffix}", row["text"].encode()))
    return files
