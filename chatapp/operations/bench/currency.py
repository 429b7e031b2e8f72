"""How soon answers follow a change of the documents, and whether any cites what is replaced or deleted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chatapp.operations.bench import corpus
from chatapp.operations.bench.asking import Asked, Asker, ask, sure_of
from chatapp.operations.bench.client import Client, Unexpected, Upload

SURE = 60
"""Sections that do not change and are asked for all the time."""

LIMIT_SECONDS = 60.0
"""After that long an answer may cite nothing older than an acknowledged change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """What was measured. Times in seconds from the acknowledgement of a change to the first answer that cites it."""

    documents: int
    changes: int
    deletions: int
    questions: int
    median: float
    p95: float
    slowest: float
    stale: int  # answers that cite a version replaced more than a minute before they were asked for
    gone: int  # answers that cite a document deleted before they were asked for
    inexact: int
    empty: int  # answers without a source to questions that had one in a quiet moment
    failed: int


@dataclass(slots=True)
class _Ledger:
    """When which version of a document was acknowledged, and when its deletion was."""

    versions: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)

    def stale(self, asked: Asked) -> bool:
        latest = asked.began - LIMIT_SECONDS
        return any(
            version < number
            for document, version in asked.cited
            for when, number in self.versions.get(document, ())
            if when < latest
        )

    def gone(self, asked: Asked) -> bool:
        return any(self.deleted.get(document, asked.began) < asked.began for document, _ in asked.cited)


def measure(
    client: Client, *, documents: int, changes: int, questions: int, say: Callable[[str], None], sections: int = 2
) -> Currency:
    """Ingest, then replace ``changes`` documents one after another and delete a quarter as many, under questions.

    Those are changed whose first section is found before all others, such as that of a station with the same name and
    another number: what is measured is time, not retrieval.

    :raises Unexpected: a change was not cited within ten minutes.
    """
    base = client.knowledge_base("changing")
    say(f"Ingesting {documents} documents ...")
    rows = client.ingest(base, corpus.documents(documents, sections=sections), limit=3_600)
    ids = [str(row["id"]) for row in rows]
    firsts = range(0, documents * sections, sections)
    chosen = list(islice((number for number in firsts if _comes_first(client, base, number)), changes))
    touched = {number + each for number in chosen for each in range(sections)}
    others = [number for number in range(documents * sections) if number not in touched]  # their facts do not change
    sure = sure_of(client, base, others[:: max(1, len(others) // SURE)])
    ledger, seconds = _Ledger(), list[float]()
    say(f"Changing {len(chosen)} of them under questions ...")
    with Asker(client, base, [*sure, *touched]) as asker:
        for turn, number in enumerate(chosen):
            document = ids[number // sections]
            seconds.append(_change(client, base, document, number, ledger, sections=sections))
            if turn % 4 == 3:
                _delete(client, document, ledger)
        asker.wait_for(questions - len(asker.asked), seconds=600)
    return Currency(
        documents=documents, changes=len(seconds), deletions=len(ledger.deleted), questions=len(asker.asked),
        median=round(statistics.median(seconds), 2), p95=round(_percentile(seconds, 0.95), 2),
        slowest=round(max(seconds), 2), stale=sum(map(ledger.stale, asker.asked)),
        gone=sum(map(ledger.gone, asker.asked)), inexact=sum(not each.exact for each in asker.asked),
        empty=sum(each.empty for each in asker.asked if each.number in set(sure)), failed=len(asker.failed),
    )  # fmt: skip


def _comes_first(client: Client, base: str, number: int) -> bool:
    fact = corpus.fact(number)
    passages = client.search(fact.question, [base], limit=1)["passages"]
    return bool(passages) and fact.answer in passages[0]["text"]


def changed(number: int, *, sections: int) -> Upload:
    """Return the document of section ``number`` and those after it with another fee in the first."""
    [file] = corpus.documents(1, first=number // sections, sections=sections)
    return Upload(file.name, file.data.replace(corpus.fact(number).answer.encode(), _new(number).encode(), 1))


def _new(number: int) -> str:
    return corpus.fact(number).answer.replace(f"is {1000 + 7 * number} crowns", f"is {500_000 + number} crowns")


def _change(client: Client, base: str, document: str, number: int, ledger: _Ledger, *, sections: int) -> float:
    client.add_version(document, changed(number, sections=sections))
    acknowledged = time.monotonic()
    version = int(client.call("GET", f"/documents/{document}/versions")[0]["number"])
    ledger.versions.setdefault(document, []).append((acknowledged, version))
    while time.monotonic() - acknowledged < 600:
        asked = ask(client, base, number)
        if _new(number) in asked.content and (document, version) in asked.cited:
            return asked.ended - acknowledged
        time.sleep(0.1)
    raise Unexpected(f"Version {version} of section {number} was not cited within ten minutes: {asked.content[:200]}")


def _delete(client: Client, document: str, ledger: _Ledger) -> None:
    client.call("DELETE", f"/documents/{document}")
    ledger.deleted[document] = time.monotonic()


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def lines(found: Currency) -> list[str]:
    """Return the figures for people."""
    times = f"median {found.median} s, p95 {found.p95} s, slowest {found.slowest} s"
    return [
        f"Currency: {found.changes} of {found.documents} documents replaced, {found.deletions} deleted",
        f"  while {found.questions} questions were asked",
        f"  from the acknowledged change to an answer that cites it: {times}",
        f"  answers citing what was replaced over a minute before: {found.stale}; what was deleted: {found.gone}",
        f"  inexact quotes: {found.inexact}; answers without a source: {found.empty}; failed: {found.failed}",
    ]
