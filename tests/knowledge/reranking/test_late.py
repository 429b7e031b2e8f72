"""Late interaction: the passage that says it wins, and nothing breaks where vectors are missing."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge.analysis import terms
from knowledge.embedding import LocalEmbedder
from knowledge.reranking import LateInteraction, RerankCandidate, RerankQuery
from knowledge.reranking.late import MADE_ANEW, best_sentences, max_similarity, piece_weights, tokens_of
from knowledge.reranking.projection import DIMENSIONS
from knowledge.reranking.token_vectors import TokenVectors

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


def vectors(*rows: tuple[int, ...], sentences: tuple[int, ...] = ()) -> TokenVectors:
    """Token vectors along axes: ``(0, 1)`` are one vector on axis 0 and one on axis 1."""
    matrix = np.zeros((len(rows[0]) if rows else 0, DIMENSIONS), np.int8)
    for row, axis in enumerate(rows[0] if rows else ()):
        matrix[row, axis] = 127
    return TokenVectors(
        vectors=matrix, lengths=np.ones(len(matrix), np.float16), sentences=np.array(sentences, np.uint16)
    )


def axes(*numbers: int) -> np.ndarray:
    return np.eye(DIMENSIONS, dtype=np.float32)[list(numbers)]


def test_each_piece_takes_its_best_match_weighted() -> None:
    chunks = [vectors((0, 1, 2)), vectors((1,)), vectors(()), vectors((5, 6))]
    found = max_similarity(axes(0, 1), np.array([3, 1], np.float32), chunks)
    assert found.tolist() == pytest.approx([1.0, 0.25, 0.0, 0.0])
    assert max_similarity(axes(0), np.zeros(1, np.float32), chunks).tolist() == [0, 0, 0, 0]
    assert max_similarity(axes(0), np.ones(1, np.float32), [vectors(())]).tolist() == [0]


def test_the_best_sentence_is_found_and_titles_are_not_sentences() -> None:
    otherwise = np.array([0.1, 0.2, 0.3], np.float32)
    chunks = [vectors((3, 0, 0, 1, 1), sentences=(1, 3)), vectors((0, 1)), vectors(())]
    assert best_sentences(axes(1)[0], chunks, otherwise=otherwise).tolist() == pytest.approx([1.0, 0.2, 0.3])
    assert best_sentences(axes(3)[0], chunks, otherwise=otherwise)[0] == pytest.approx(0.0)
    assert best_sentences(np.zeros(DIMENSIONS, np.float32), chunks, otherwise=otherwise).tolist() == pytest.approx(
        otherwise.tolist()
    )


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
    nothing = LateInteraction(local_embedder, stored=lambda found: [None] * len(found))
    assert nothing.scores(query, [candidate(n, TEXTS[0]) for n in range(MADE_ANEW + 1)]) is None


@pytest.mark.parametrize("question", ["?!", "🙂", "a", "文档"])
def test_odd_questions_have_finite_scores(local_embedder: LocalEmbedder, question: str) -> None:
    reranker = LateInteraction(local_embedder, stored=lambda found: [None] * len(found))
    asked = RerankQuery(text=question, vector=local_embedder.embed_query(question))
    scores = reranker.scores(asked, [candidate(0, TEXTS[0])])
    assert scores is None or np.isfinite(scores).all()
