from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from labelled_sets import change

from chatapp.evaluation.corpus import Corpus, build
from chatapp.evaluation.labelled import QuestionSet, load
from chatapp.evaluation.metrics import MEASURES
from chatapp.evaluation.runner import (
    Settings,
    UnknownSetting,
    ablations,
    measure,
    with_settings,
    without,
)
from knowledge.embedding import LocalEmbedder
from knowledge.retrieval import DEFAULT, RetrievalProfile

FERRY = QuestionSet("ferry", "ferry", lambda q: True)


def test_any_field_of_the_profile_can_be_set() -> None:
    found = with_settings(Settings(), ["keyword_weight=0.4", "candidates=20", "rerank_weight= 2"])
    assert found.profile == RetrievalProfile(keyword_weight=0.4, candidates=20, rerank_weight=2.0)
    assert with_settings(found, ["rerank_weight=none"]).profile.rerank_weight is None
    assert with_settings(Settings(), []).profile == DEFAULT


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("keyword_weigth=1", "no name=value of a retrieval setting; there are"),
        ("keyword_weight", "no name=value"),
        ("keyword_weight=much", "The retrieval setting keyword_weight cannot be 'much'."),
        ("candidates=1.5", "cannot be '1.5'"),
        ("rerank_weight=heavy", "cannot be 'heavy'"),
    ],
)
def test_what_cannot_be_set_is_said(assignment: str, words: str) -> None:
    with pytest.raises(UnknownSetting, match=words):
        with_settings(Settings(), [assignment])


def test_stages_are_switched_off() -> None:
    off = without(Settings(), ["keyword", "rerank", "history"])
    assert (off.profile.keyword_weight, off.profile.rerank, off.history) == (0.0, 0, False)
    assert without(Settings(), ["vector"]).profile.keyword_weight == 1.0
    assert without(Settings(), []) == Settings()


def test_only_stages_that_do_something_are_taken_away(ferry_corpus: Corpus) -> None:
    names = [s.name for s in ablations(Settings(), FERRY, ferry_corpus)]
    assert names == ["without keyword", "without vector", "without rerank"]  # nobody said anything before
    off = without(Settings(), ["rerank"])
    assert [s.name for s in ablations(off, FERRY, ferry_corpus)] == ["without keyword", "without vector"]


def test_history_is_a_stage_where_there_is_one(ferry: Path, embedder: LocalEmbedder) -> None:
    history = [{"role": "user", "text": "Tell me about dogs."}, {"role": "agent", "text": "They are welcome."}]
    change(ferry, "queries", lambda q: {**q, "text": "And what else is there to know?", "history": history} if q["query_id"] == "meaning-1" else q)  # fmt: skip
    with build(load(ferry), embedder=embedder) as corpus:
        assert ablations(Settings(), FERRY, corpus)[-1].history is False
        assert "without history" not in [s.name for s in ablations(Settings(), replace(FERRY, history=False), corpus)]
        follow_up = QuestionSet("dogs", "ferry", lambda q: q["query_id"] == "meaning-1")
        whole, alone = measure(corpus, follow_up), measure(corpus, follow_up, Settings(history=False))
        same = measure(corpus, replace(follow_up, history=False))
    assert whole.figures["MRR@10"].value == 1.0
    assert alone.figures["MRR@10"].value < 1.0
    assert same.scores == alone.scores


def test_a_whole_set_is_measured(ferry_corpus: Corpus) -> None:
    found = measure(ferry_corpus, FERRY)
    assert (found.name, found.settings, found.documents, found.chunks, found.failed) == (
        "ferry",
        "all stages",
        8,
        24,
        0,
    )
    assert len(found.scores) == 48
    assert all(len(scores) == len(MEASURES) for scores in found.scores.values())
    assert list(found.figures) == list(MEASURES)
    for place, measured in enumerate(MEASURES):
        mean = sum(scores[place] for scores in found.scores.values()) / 48
        assert found.figures[measured].value == pytest.approx(mean)
    assert found.figures["hit@5"].value > 0.9
    assert found.figures["hit@1"].low < found.figures["hit@1"].value < found.figures["hit@1"].high
    assert found.no_answer is not None
    assert found.no_answer.unanswerable == 6
    assert found.no_answer.auroc > 0.9
    assert found.no_answer_by_score is not None
    assert found.no_answer_by_score.auroc > 0.5
    assert {"embed", "search", "fuse", "live", "rerank", "assemble", "total"} <= set(found.latency)
    assert all(0 <= p50 <= p95 for p50, p95 in found.latency.values())


def test_a_part_of_a_set_is_measured(ferry_corpus: Corpus) -> None:
    found = measure(ferry_corpus, replace(FERRY, wanted=lambda q: q.get("split") == "words"), most=5)
    assert set(found.scores) == {"words-0", "words-5", "words-10", "words-15", "words-20"}
    assert found.no_answer is None


def test_no_question_at_all(ferry_corpus: Corpus) -> None:
    found = measure(ferry_corpus, replace(FERRY, wanted=lambda q: False))
    assert (found.scores, found.no_answer, found.latency) == ({}, None, {})
    assert found.figures["MRR@10"].value == 0.0


def test_copies_count_once_and_by_their_words(ferry: Path, embedder: LocalEmbedder) -> None:
    """Part 9 repeats part 1 with a few words changed; gold stays where it was."""
    extra: list[dict[str, object]] = []

    def note(row: dict[str, object]) -> dict[str, object]:
        if row["doc_id"] == "part-1":
            changed = str(row["text"]).replace("The office keeps", "Here the office keeps")
            extra.append({**row, "doc_id": "part-0", "text": changed})
        return row

    change(ferry, "corpus", note)
    with (ferry / "corpus.jsonl").open("a") as out:
        import json

        out.write(json.dumps(extra[0]) + "\n")
    dogs = QuestionSet("dogs", "ferry", lambda q: q["query_id"] == "meaning-1")
    # Gold are the words without the sentence that was changed, so that both copies hold them.
    change(ferry, "qrels", lambda row: {**row, "end": row["start"] + 50} if row["query_id"] == "meaning-1" else row)
    with build(load(ferry), embedder=embedder) as corpus:
        strict, lenient = measure(corpus, dogs), measure(corpus, replace(dogs, copies=True))
        ranked = corpus.ask(next(q for q in corpus.source.questions if q.id == "meaning-1"))
    assert {span.document for span in ranked.spans[:2]} == {"part-0", "part-1"}
    assert lenient.figures["MRR@10"].value == 1.0
    assert lenient.figures["MRR@10"].value >= strict.figures["MRR@10"].value
    assert lenient.figures["precision@5"].value == 0.2  # the other copy is left out
