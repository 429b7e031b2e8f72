from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatapp.evaluation.labelled import QuestionSet, Span
from chatapp.operations.bench import quality

GOLD = Span("a", 100, 200)
NAMES = {"doc-1": "a", "doc-2": "b"}


def passage(start: int, end: int, document: str = "doc-1") -> dict[str, Any]:
    return {"document": document, "start": start, "end": end}


def test_the_rank_is_that_of_the_first_hit_within_ten() -> None:
    miss, hit = passage(500, 600), passage(100, 200)
    assert quality.first_hit([miss, hit, hit], [GOLD], NAMES) == 2
    assert quality.first_hit([miss] * 10 + [hit], [GOLD], NAMES) == 0
    assert quality.first_hit([], [GOLD], NAMES) == 0
    assert quality.first_hit([passage(100, 200, "doc-2"), passage(100, 200, "unknown")], [GOLD], NAMES) == 0


def test_rates_count_misses_too() -> None:
    measured = quality.summary("set", [1, 2, 6, 0], documents=3, failed=1)
    assert (measured.hit1, measured.hit5, measured.hit10) == (0.25, 0.5, 0.75)
    assert measured.mrr == round((1 + 1 / 2 + 1 / 6) / 4, 3)
    assert quality.summary("none", [], documents=0, failed=0).hit5 == 0


class FakeClient:
    """Answers as if every search found the second document's first ten characters."""

    def __init__(self) -> None:
        self.searches: list[dict[str, Any]] = []
        self.bases = 0

    def knowledge_base(self, name: str) -> str:
        self.bases += 1
        return f"base-{self.bases}"

    def ingest(self, base: str, files: list[Any]) -> list[dict[str, Any]]:
        return [{"id": f"{base}/{file.name[:5]}", "status": "ready"} for file in files]

    def search(self, query: str, bases: list[str], *, limit: int, history: list[Any]) -> dict[str, Any]:
        self.searches.append({"query": query, "bases": bases, "history": history})
        return {"passages": [{"document": f"{bases[-1]}/00000", "start": 0, "end": 10}]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "wiki"
    folder.mkdir()
    rows = {
        "corpus": [{"doc_id": d, "title": f"Page {d}", "text": "0123456789"} for d in "ab"],
        "queries": [
            {"query_id": "1", "text": "first?", "split": "hand", "scope_doc_id": "a"},
            {"query_id": "2", "text": "none?", "split": "hand", "answerable": False},
            {"query_id": "3", "text": "other split?", "split": "known_item"},
            {
                "query_id": "4", "text": "and then?", "split": "hand", "scope_doc_id": "b",
                "history": [{"role": "user", "text": "before"}, {"role": "agent", "text": "reply"}],
            },
        ],
        "qrels": [
            {"query_id": "1", "doc_id": "a", "start": 0, "end": 10, "grade": 1},
            {"query_id": "3", "doc_id": "a", "start": 0, "end": 10, "grade": 1},
            {"query_id": "4", "doc_id": "b", "start": 0, "end": 10, "grade": 1},
        ],
    }  # fmt: skip
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return tmp_path


def test_only_answerable_questions_of_the_split_are_asked(data: Path) -> None:
    client: Any = FakeClient()
    measured = quality.Library(client, data).measure(quality.SETS[0])
    assert {s["query"] for s in client.searches} == {"first?", "and then?"}
    assert (measured.documents, measured.questions, client.bases) == (2, 2, 1)
    assert measured.hit1 == 0.5  # document 00000 is "a", the gold of one of the two


def test_history_goes_along_in_the_roles_of_the_interface(data: Path) -> None:
    client: Any = FakeClient()
    quality.Library(client, data).measure(quality.SETS[0])
    history = next(s["history"] for s in client.searches if s["query"] == "and then?")
    assert [turn["role"] for turn in history] == ["user", "assistant"]


def test_scoped_questions_are_asked_of_their_own_document(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = FakeClient()
    scoped = QuestionSet("scoped", "wiki", lambda q: bool(q.get("scope_doc_id")), scoped=True)
    monkeypatch.setattr(quality, "SETS", (*quality.SETS, scoped))
    library = quality.Library(client, data)
    measured = library.measure(scoped)
    assert client.bases == 2
    assert {tuple(s["bases"]) for s in client.searches} == {("base-1",), ("base-2",)}
    assert measured.hit1 == 1.0
    client.searches.clear()
    library.measure(quality.SETS[1])  # the others of the folder go to all of its bases
    assert [s["bases"] for s in client.searches] == [["base-1", "base-2"]]
    assert client.bases == 2


def test_a_folder_is_ingested_once(data: Path) -> None:
    client: Any = FakeClient()
    library = quality.Library(client, data)
    library.measure(quality.SETS[0])
    library.measure(quality.SETS[1])
    assert client.bases == 1
