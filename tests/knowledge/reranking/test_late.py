"""Late interaction: the passage that says it wins, and nothing breaks where vectors are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from knowledge.analysis import terms
from knowledge.embedding import LocalEmbedder
from knowledge.reranking import LateInteraction, RerankCandidate, RerankQuery
from knowledge.reranking.features import FeatureReranker
from knowledge.reranking.late import (
    CLOSENESS_WEIGHT,
    FOLLOW_UP,
    MADE_ANEW,
    best_sentences,
    max_similarity,
    piece_weights,
    tokens_of,
)
from knowledge.reranking.token_vectors import Stack, TokenVectors

TEXTS = (
    "The canteen opens at eight. Lunch is served from noon to two.",
    "Visitors leave their car at the north gate. A badge is needed for the garage.",
    "Employees get twenty days of leave a year. Sick leave is separate.",
)


def candidate(number: int, text: str, *, title: str = "House rules", cosine: float = 0.3) -> RerankCandidate:
    return RerankCandidate(
        key=str(number), tenant="t", document="d", version_id="v", generation="g", ordinal=number, title=title,
        heading_path=(), text=text, terms="", keyword=0.0, cosine=cosine, fused=0.15,
    )  # fmt: skip


DIMENSIONS = 8
PLAIN = np.ones(DIMENSIONS, np.float32)


def sign(*negative: int) -> np.ndarray:
    """A vector of ones with some components turned round."""
    vector = PLAIN.copy()
    vector[list(negative)] = -1
    return vector


def chunk(*rows: np.ndarray, sentences: tuple[int, ...] = ()) -> TokenVectors:
    signs = np.packbits(np.array(rows).reshape(-1, DIMENSIONS) > 0, axis=1)
    return TokenVectors(signs=signs, sentences=np.array(sentences, np.uint16))


def unit(*rows: np.ndarray) -> np.ndarray:
    return np.stack(rows).astype(np.float32) / np.float32(DIMENSIONS**0.5)


def test_each_piece_takes_its_best_match_weighted() -> None:
    one, two, far = sign(), sign(0, 1, 2, 3), sign(*range(8))  # two is at right angles to one, far opposite
    chunks = Stack([chunk(one, two, far), chunk(two), chunk(), chunk(far)])
    found = max_similarity(unit(one, two), np.array([3, 1], np.float32), chunks, chunks=4)
    assert found.tolist() == pytest.approx([1.0, 0.25, 0.0, 0.0])
    assert max_similarity(unit(one), np.zeros(1, np.float32), chunks, chunks=4).tolist() == [0, 0, 0, 0]
    assert max_similarity(unit(one), np.ones(1, np.float32), Stack([chunk()]), chunks=1).tolist() == [0]


def test_the_best_sentence_is_found_and_titles_are_not_sentences() -> None:
    title, one, two = sign(0, 2, 4, 6), sign(), sign(0, 1, 2, 3)
    otherwise = np.array([0.1, 0.2, 0.3], np.float32)
    chunks = [chunk(title, one, one, two, two, sentences=(1, 3)), chunk(one, two), chunk()]
    vectors = Stack(chunks)
    assert best_sentences(two, chunks, vectors, otherwise=otherwise).tolist() == pytest.approx([1.0, 0.2, 0.3])
    assert best_sentences(title, chunks, vectors, otherwise=otherwise)[0] == pytest.approx(0.0)
    nothing = best_sentences(np.zeros(DIMENSIONS, np.float32), chunks, vectors, otherwise=otherwise)
    assert nothing.tolist() == pytest.approx(otherwise.tolist())


def test_a_follow_up_leaves_more_to_the_search(local_embedder: LocalEmbedder) -> None:
    stored = tokens_of(local_embedder, [(f"House rules\n{text}", 12) for text in TEXTS])
    reranker = LateInteraction(local_embedder, stored=lambda candidates: [stored[c.ordinal] for c in candidates])
    rows = [candidate(number, text) for number, text in enumerate(TEXTS)]
    alone = reranker.scores(RerankQuery(text="And for visitors?"), rows)
    follow_up = reranker.scores(RerankQuery(text="And for visitors?", previous="Where is the garage?"), rows)
    assert alone is not None
    assert follow_up == pytest.approx([score * FOLLOW_UP for score in alone])


def test_words_that_stand_together_count(local_embedder: LocalEmbedder) -> None:
    stored = tokens_of(local_embedder, [("House rules\nnorth gate", 12)])
    reranker = LateInteraction(local_embedder, stored=lambda found: stored * len(found))
    asked = RerankQuery(text="north gate", terms={"north": 0.5, "gate": 0.5})
    together, apart = (
        replace(candidate(0, "north gate"), terms=words) for words in ("north gate", "north a b c d e f gate")
    )
    near, far = reranker.scores(asked, [together, apart]) or (0, 0)
    assert near - far == pytest.approx(CLOSENESS_WEIGHT)


def test_pieces_weigh_as_much_as_their_word_is_rare(local_embedder: LocalEmbedder) -> None:
    text = "Where may guests park, Zwickelbauer?"
    tokens = local_embedder.query_tokens(text)
    found = piece_weights(tokens, text, {"guest": 2.0, terms("Zwickelbauer")[0]: 7.0})
    by_piece = list(zip([text[start:end] for start, end in tokens.spans.tolist()], found.tolist(), strict=True))
    assert dict(by_piece)["guests"] == pytest.approx(2.1)
    assert dict(by_piece)["Where"] == pytest.approx(0.1)
    assert dict(by_piece)[","] == dict(by_piece)["?"] == 0
    parts = [weight for piece, weight in by_piece if piece in "Zwickelbauer"]
    assert len(parts) > 2
    assert parts == pytest.approx([7.1] * len(parts))


def test_the_passage_that_answers_wins(local_embedder: LocalEmbedder) -> None:
    stored = tokens_of(local_embedder, [(f"House rules\n{text}", 12) for text in TEXTS])
    reranker = LateInteraction(local_embedder, stored=lambda candidates: [stored[c.ordinal] for c in candidates])
    query = "Where do visitors park their cars?"
    asked = RerankQuery(
        text=query, idf={"visitor": 3.0, "park": 3.0, "car": 3.0}, vector=local_embedder.embed_query(query)
    )
    scores = reranker.scores(asked, [candidate(number, text) for number, text in enumerate(TEXTS)])
    assert scores is not None
    assert max(range(3), key=scores.__getitem__) == 1
    without = reranker.scores(RerankQuery(text=query, idf=asked.idf), [candidate(1, TEXTS[1])])
    assert without is not None
    assert 0 < without[0] < 1


def test_missing_vectors_are_made_while_they_are_few(local_embedder: LocalEmbedder) -> None:
    stored = tokens_of(local_embedder, [(f"House rules\n{text}", 12) for text in TEXTS])
    query = RerankQuery(text="Where do visitors park?", vector=local_embedder.embed_query("Where do visitors park?"))
    rows = [candidate(number, text) for number, text in enumerate(TEXTS)]
    all_there = LateInteraction(local_embedder, stored=lambda found: [stored[c.ordinal] for c in found])
    one_lacks = LateInteraction(local_embedder, stored=lambda found: [None, *stored[1:]])
    assert one_lacks.scores(query, rows) == pytest.approx(all_there.scores(query, rows), abs=1e-3)


def test_where_too_many_vectors_are_missing_neighbouring_words_are_judged(local_embedder: LocalEmbedder) -> None:
    nothing = LateInteraction(local_embedder, stored=lambda found: [None] * len(found))
    texts = [TEXTS[n % len(TEXTS)] for n in range(MADE_ANEW + 1)]
    rows = [replace(candidate(n, text), terms=" ".join(terms(text))) for n, text in enumerate(texts)]
    assert nothing.scores(RerankQuery(text="Where do visitors park?"), rows) is None  # no two words of known weight
    query = RerankQuery(text="visitors car", terms={"visitor": 0.5, "car": 0.5})
    near = FeatureReranker().scores(query, rows)
    assert near is not None
    assert max(near) > 0
    assert nothing.scores(query, rows) == pytest.approx([CLOSENESS_WEIGHT * score for score in near])


@pytest.mark.parametrize("question", ["?!", "🙂", "a", "文档"])
def test_odd_questions_have_finite_scores(local_embedder: LocalEmbedder, question: str) -> None:
    reranker = LateInteraction(local_embedder, stored=lambda found: [None] * len(found))
    asked = RerankQuery(text=question, vector=local_embedder.embed_query(question))
    scores = reranker.scores(asked, [candidate(0, TEXTS[0])])
    assert scores is None or np.isfinite(scores).all()
