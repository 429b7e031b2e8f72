"""Retrieval quality on labelled sets, over HTTP: hit rates and mean reciprocal rank.

Sets, questions and what counts as a hit are those of ``chatapp.evaluation.labelled``; ``manage.py evaluate
retrieval`` measures the same without HTTP and database, in more detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from chatapp.evaluation import labelled
from chatapp.evaluation.labelled import LabelledSet, Question, QuestionSet, Row, SourceDocument, Span, is_hit
from chatapp.operations.bench.client import Client, Upload

DEPTH = 10

SETS = tuple(asked for asked in labelled.SETS if not asked.copies)


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


def first_hit(passages: Sequence[Row], gold: Sequence[Span], documents: Mapping[str, str]) -> int:
    """Return the rank of the first hit from 1, or 0; ``documents`` maps the product's ids to those of the set."""
    for rank, passage in enumerate(passages[:DEPTH], start=1):
        place = Span(documents.get(str(passage["document"]), ""), passage["start"], passage["end"])
        if any(is_hit(place, span) for span in gold):
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
        self._sources: dict[str, LabelledSet] = {}
        self._bases: dict[str, tuple[dict[str, str], dict[str, str], int]] = {}

    def source(self, folder: str) -> LabelledSet:
        if folder not in self._sources:
            self._sources[folder] = labelled.load(self._data / folder)
        return self._sources[folder]

    def bases(self, folder: str) -> tuple[dict[str, str], dict[str, str], int]:
        """Return the base of each document of the set, the set's id of each document here, and how many failed.

        Where some questions are scoped, every document has a base of its own; a search over all of them is the same.
        """
        if folder not in self._bases:
            corpus = self.source(folder).documents
            scoped = any(asked.folder == folder and asked.scoped for asked in SETS)
            groups = [[document] for document in corpus] if scoped else [list(corpus)]
            base_of: dict[str, str] = {}
            names: dict[str, str] = {}
            failed = 0
            for sources in groups:
                base = self._client.knowledge_base(folder)
                for source, document in zip(sources, self._client.ingest(base, _files(sources)), strict=True):
                    base_of[source.id], names[document["id"]] = base, source.id
                    failed += document["status"] != "ready"
            self._bases[folder] = base_of, names, failed
        return self._bases[folder]

    def measure(self, asked: QuestionSet, *, most: int | None = None) -> Measured:
        """Ask every answerable question of the set (or ``most``, evenly spread) and rate what came back."""
        base_of, names, failed = self.bases(asked.folder)
        questions = [q for q in labelled.chosen(self.source(asked.folder), asked, most=most) if q.answerable]
        everything = sorted(set(base_of.values()))

        def rank(question: Question) -> int:
            bases = [base_of[question.row["scope_doc_id"]]] if asked.scoped else everything
            turns = question.history if asked.history else ()
            history = [{"role": turn.role, "text": turn.text} for turn in turns]
            answer = self._client.search(question.text, bases, limit=DEPTH, history=history)
            return first_hit(answer["passages"], question.gold, names)

        with ThreadPoolExecutor(2) as threads:
            ranks = list(threads.map(rank, questions))
        return summary(asked.name, ranks, documents=len(names), failed=failed)


def _files(documents: Sequence[SourceDocument]) -> list[Upload]:
    files = []
    for number, document in enumerate(documents):
        name = "".join(c if c.isalnum() else "_" for c in document.title)[:60]
        files.append(Upload(f"{number:05d}-{name}.{document.suffix}", document.text.encode()))
    return files
