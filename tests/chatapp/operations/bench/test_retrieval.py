"""Searches of a large base, here a small one: built in a folder of its own, searched, and reported."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from chatapp.operations.bench import retrieval
from chatapp.operations.bench.first_token import Times
from chatapp.operations.bench.large_search import Searched
from chatapp.operations.bench.made_texts import MadeTexts, asked
from chatapp.operations.bench.product import StartFailed
from chatapp.operations.bench.report import MIB, Report
from knowledge.analysis import index_terms


def test_texts_are_the_same_every_time_and_of_the_length_of_passages() -> None:
    one, two = MadeTexts(), MadeTexts()
    assert one.chunks(7, count=3) == two.chunks(7, count=3) != one.chunks(8, count=3)
    assert all(100 <= len(text.split()) <= 180 for _, text in one.chunks(7, count=20))


def test_words_follow_the_law_of_zipf() -> None:
    texts = MadeTexts()
    words = " ".join(text for number in range(20) for _, text in texts.chunks(number, count=20)).lower().split()
    assert 0.02 < words.count("the") / len(words) < 0.08
    assert len(set(words)) > 8_000


def test_the_quick_analysis_is_the_real_one() -> None:
    texts = MadeTexts()
    for heading, text in texts.chunks(3, count=20):
        assert texts.terms(texts.title(3), heading, text) == index_terms(texts.title(3), (heading,), text)


def test_questions_are_sentences_of_the_text_with_words_changed() -> None:
    texts = MadeTexts()
    [(_, text)] = texts.chunks(5, count=1)
    question = asked(text, texts=texts, number=1)
    words = question.rstrip("?").lower().split()
    assert question != asked(text, texts=texts, number=2)
    assert sum(word in text.lower() for word in words) >= len(words) - 1


@pytest.mark.timeout(180)
def test_a_base_is_built_once_and_every_stage_of_its_searches_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "STORES", ("lance",))
    said: list[str] = []
    for _ in range(2):  # the second time over the base of the first
        [found] = retrieval.measure([60], searches=5, stores=["lance"], keep=tmp_path, say=said.append)
    assert (found.chunks, found.documents, found.store) == (60, 3, "lance")
    assert {"embed", "statistics", "search", "fuse", "live", "rerank", "assemble", "total"} <= set(found.stages)
    assert found.stages["total"].p50 > found.stages["rerank"].p50 > 0
    assert set(found.narrowed) == {"1", "2"}
    assert found.disk.keys() == {"database", "files", "lance"}
    assert len(list((tmp_path / "lance-60" / "files").rglob("tokens-*.bin"))) == 3
    assert Searched.from_json(json.loads(json.dumps(asdict(found)))) == found
    text = "\n".join(Report(searched=[found]).lines())
    assert "Searches of 60 passages of 3 documents on lance" in text
    assert "exact scan alone" in text


def test_a_measurement_that_ends_early_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="without figures"):
        retrieval._run(0, 0, {"DJANGO_SETTINGS_MODULE": "nowhere", "PATH": ""})


def test_without_a_weaviate_the_embedded_store_alone_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "find_server", lambda preferred: None)
    said: list[str] = []
    assert retrieval.measure([10], searches=1, stores=["weaviate"], say=said.append) == []
    assert "no Weaviate server" in said[0]


def test_the_report_tells_rates_sizes_and_the_ratio() -> None:
    found = Searched(
        store="lance", chunks=20_000, documents=1_000, searches=60, stages={"total": Times(30.0, 50.0)},
        embed_alone=Times(8.0, 9.0), scan_alone=Times(2.0, 3.0), narrowed={"100": Times(33.0, 44.0)}, index_seconds=10.0,
        optimize_seconds=2.0, rows_seconds=8.0, embedded_per_second=40.0, disk={"lance": 54 * MIB},
        memory={"search": 800 * MIB}, load=(0.5, 1.5),
    )  # fmt: skip
    text = "\n".join(Report(searched=[found]).lines())
    for words in ("3.00 times", "2000 a second", "lance 54, search 800", "load 0.5 to 1.5", "total, 100 documents"):
        assert words in text
