from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from document_world import World
from labelled_sets import change, write_set

from chatapp.evaluation.caching import CachedEmbedder
from chatapp.evaluation.corpus import Answered, Corpus, build
from chatapp.evaluation.labelled import LabelledSet, Question, Span, UnusableSet, load
from knowledge.chunking.structural import StructuralChunker
from knowledge.embedding import LocalEmbedder
from knowledge.retrieval import RetrievalProfile
from knowledge.retrieval.spaces import PAIRS
from knowledge.stores.lance import LanceStore
from knowledge.types import EmbeddingSpec, Query, Scope, Turn, Vector


class Letters:
    """Counts letters: quick, without token states, and it remembers how often it was asked."""

    spec = EmbeddingSpec(model="letters", dimension=26, model_hash="0", precision="float32", max_tokens=256)

    def __init__(self) -> None:
        self.passages = 0

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        self.passages += len(texts)
        counts = [[1e-3 + text.lower().count(chr(97 + n)) for n in range(26)] for text in texts]
        vectors = np.array(counts, dtype=np.float32).reshape(len(texts), 26)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def embed_query(self, text: str) -> Vector:
        return self.embed_passages([text])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


def asked(source: LabelledSet, *ids: str) -> list[Question]:
    return [q for q in source.questions if q.id in ids]


def test_passages_are_ranges_of_the_set(ferry_corpus: Corpus) -> None:
    (answered,) = ferry_corpus.run(asked(ferry_corpus.source, "meaning-1"))
    assert ferry_corpus.chunks == 24
    assert ferry_corpus.failed == {}
    assert answered.spans[0].document == "part-1"
    assert "Dogs stay on a leash" in answered.passages[0].text
    for passage, span in zip(answered.passages, answered.spans, strict=True):
        assert ferry_corpus.source.text_of(span) == passage.text
    assert set(answered.timings) >= {"embed", "search", "rerank", "total"}


def test_late_interaction_has_its_stored_vectors(ferry_corpus: Corpus) -> None:
    answered = ferry_corpus.ask(asked(ferry_corpus.source, "meaning-1")[0])
    assert all("rerank" in passage.scores for passage in answered.passages)


@pytest.mark.django_db
def test_passages_and_scores_are_those_of_the_product(
    ferry_corpus: Corpus, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same documents, ingested into the database and searched there, come back alike."""
    from knowledge import wiring
    from knowledge.documents import searching, services, tasks
    from knowledge.tenants.access import system_actor

    monkeypatch.setattr(tasks, "publish", lambda *_, **__: True)
    actor = system_actor(tenant)
    world = World(actor, services.create_knowledge_base(actor=actor, name="Ferry"))
    try:
        for document in ferry_corpus.source.documents:
            world.add(document.text, f"{document.id}.md", title=document.title)
        for question in asked(ferry_corpus.source, "meaning-0", "words-5", "meaning-13", "nothing-0"):
            expected = searching.search(Query(text=question.text, limit=20), scope=world.scope).passages
            found = ferry_corpus.ask(question).passages
            assert [(p.title, p.start, p.text) for p in found] == [(p.title, p.start, p.text) for p in expected]
            assert [p.score for p in found] == pytest.approx([p.score for p in expected], abs=1e-5)
    finally:
        wiring.reset()


def test_a_scoped_question_stays_in_its_document(ferry_corpus: Corpus) -> None:
    question = asked(ferry_corpus.source, "meaning-1")[0]
    everywhere = ferry_corpus.ask(question, profile=RetrievalProfile(floor=0.0))
    inside = ferry_corpus.ask(question, profile=RetrievalProfile(floor=0.0), scoped=True)
    assert {span.document for span in inside.spans} == {"part-1"} < {span.document for span in everywhere.spans}
    nowhere = Question(id="x", text=question.text, gold=(), answerable=True, history=(), row={})
    assert ferry_corpus.ask(nowhere, scoped=True).passages == ()


def test_history_is_searched_unless_left_out(ferry_corpus: Corpus) -> None:
    history = (Turn(role="user", text="What applies to dogs?"), Turn(role="assistant", text="They stay on a leash."))
    question = Question(id="x", text="And on the stairs?", gold=(), answerable=True, history=history, row={})
    assert "Dogs" in ferry_corpus.ask(question).passages[0].text
    assert ferry_corpus.ask(question).passages != ferry_corpus.ask(question, history=False).passages


def test_profile_and_limit_are_honoured(ferry_corpus: Corpus) -> None:
    question = asked(ferry_corpus.source, "words-3")[0]
    assert len(ferry_corpus.ask(question, limit=2).passages) == 2
    plain = ferry_corpus.ask(question, profile=RetrievalProfile(rerank=0, keyword_weight=1.0))
    assert all("rerank" not in passage.scores for passage in plain.passages)
    assert [p.score for p in plain.passages] == [p.scores["keyword"] for p in plain.passages]


def test_a_scope_outside_the_corpus_finds_nothing(ferry_corpus: Corpus) -> None:
    foreign = Scope(tenant=ferry_corpus.scope.tenant, knowledge_bases=frozenset({ferry_corpus.scope.tenant}))
    parts = ferry_corpus.parts
    keys = [p.key for p in ferry_corpus.ask(asked(ferry_corpus.source, "words-3")[0]).passages]
    assert parts.live.passages(keys, scope=ferry_corpus.scope)
    assert parts.live.passages(keys, scope=foreign) == {}
    assert list(parts.generations(foreign)) == []
    assert parts.statistics.for_terms(["form"], scope=foreign).chunks == 0


def test_another_chunker_takes_its_vectors_from_the_cache(ferry: Path, tmp_path: Path) -> None:
    source, inner = load(ferry), Letters()
    answers: list[Answered] = []
    for _ in range(2):
        with build(source, embedder=inner, cache=tmp_path / "cache") as corpus:
            assert corpus.cached
            answers += corpus.run(asked(source, "words-3"))
    assert inner.passages == 24 + 1 + 2 * len(PAIRS), "the model's scale is measured once as well"
    assert [p.text for p in answers[0].passages] == [p.text for p in answers[1].passages]
    with build(
        source, embedder=inner, cache=tmp_path / "cache", chunker=StructuralChunker(target=60, limit=80)
    ) as fine:
        assert fine.chunks > 24
    assert inner.passages > 25


def test_without_token_vectors_nothing_is_reranked(ferry: Path) -> None:
    with build(load(ferry), embedder=Letters()) as corpus:
        assert corpus.parts.reranker is None
        assert not corpus.cached
        (answered,) = corpus.run(asked(corpus.source, "words-3"))
    assert answered.passages
    assert "rerank" not in answered.passages[0].scores


def test_a_given_store_is_left_as_it_was(ferry: Path, tmp_path: Path) -> None:
    store = LanceStore(tmp_path / "lance")
    with build(load(ferry), store=store, embedder=Letters()) as corpus:
        tenant = corpus.scope.tenant
        assert store.spaces(tenant=tenant) == [Letters.spec.space]
        with build(load(write_set(tmp_path / "more", rules=2)), store=store, embedder=Letters()) as other:
            assert {s.document for s in other.run(asked(other.source, "words-1"))[0].spans} == {"part-1"}
            assert other.chunks == 2
    assert store.spaces(tenant=tenant) == []
    store.close()


def test_a_document_without_text_is_named(ferry: Path) -> None:
    source = load(ferry)
    change(ferry, "corpus", lambda row: {**row, "text": " " * 900} if row["doc_id"] == "part-2" else row)
    with build(load(ferry), embedder=Letters()) as corpus:
        assert list(corpus.failed) == ["part-2"]
        assert corpus.failed["part-2"].endswith(".")
        assert corpus.chunks == 21
        (answered,) = corpus.run(asked(source, "words-4"))
    assert "part-2" not in {span.document for span in answered.spans}


def test_a_text_that_parsing_changes_is_refused(ferry: Path) -> None:
    change(ferry, "corpus", lambda row: {**row, "text": f"\ufeff{row['text']}"})
    changed = build(load(ferry), embedder=Letters())
    with pytest.raises(UnusableSet, match="The text of the document part-1 changes when it is parsed."):
        changed.__enter__()


def test_the_cache_is_closed_with_the_corpus(ferry: Path, tmp_path: Path) -> None:
    with build(load(ferry), embedder=Letters(), cache=tmp_path / "cache") as corpus:
        embedder = corpus.parts.embedder
    assert isinstance(embedder, CachedEmbedder)
    with pytest.raises(Exception, match="closed database"):
        embedder.embed_query("anything new")


def test_the_real_sets_keep_their_texts(data: Path, embedder: LocalEmbedder) -> None:
    """A few documents of each set: parsed text and gold spans are those of the files."""
    from chatapp.evaluation.corpus import parse

    for name in ("wiki", "squad", "papers", "longdoc", "multiturn", "longanswer"):
        source = load(data / name)
        for document in source.documents[:: max(1, len(source.documents) // 8)]:
            assert parse(document).text == document.text


def test_questions_about_a_real_article_are_answered(data: Path, embedder: LocalEmbedder) -> None:
    whole = load(data / "squad")
    document = whole.documents[0]
    questions = tuple(q for q in whole.questions if {s.document for s in q.gold} == {document.id})[:20]
    with build(LabelledSet(name="squad", documents=(document,), questions=questions), embedder=embedder) as corpus:
        found = corpus.run(questions)
    held = sum(any(_overlap(s, g) for s in a.spans[:5] for g in a.question.gold) for a in found)
    assert len(found) == 20
    assert held >= 18


def _overlap(one: Span, two: Span) -> bool:
    return one.document == two.document and one.start < two.end and two.start < one.end
