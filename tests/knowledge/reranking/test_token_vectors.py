"""A version's token vectors: small, exact where they are read back, refused where they are damaged."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.embedding.base import TokenStates
from knowledge.reranking.projection import DIMENSIONS, fit, projection
from knowledge.reranking.token_vectors import TokenVectors, Writer, compress, pack, read, sentence_starts, unpack


def made(tokens: int, *, seed: int = 0, sentences: int = 1) -> TokenVectors:
    random = np.random.default_rng(seed)
    return TokenVectors(
        vectors=random.integers(-127, 128, (tokens, DIMENSIONS)).astype(np.int8),
        lengths=random.random(tokens).astype(np.float16),
        sentences=np.arange(min(sentences, tokens)).astype(np.uint16),
    )


def written(chunks: list[TokenVectors]) -> bytes:
    out = io.BytesIO()
    writer = Writer(out, count=len(chunks), dimensions=DIMENSIONS)
    writer.add(pack(chunk) for chunk in chunks)
    writer.finish()
    return out.getvalue()


def reader(data: bytes):
    return lambda offset, count: data[offset : offset + count]


def same(one: TokenVectors, two: TokenVectors) -> bool:
    return (
        np.array_equal(one.vectors, two.vectors)
        and np.array_equal(one.lengths, two.lengths)
        and np.array_equal(one.sentences, two.sentences)
    )


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 5))
def test_what_was_written_is_read_back(tokens: list[int], sentences: int) -> None:
    chunks = [made(count, seed=number, sentences=sentences) for number, count in enumerate(tokens)]
    found = read(reader(written(chunks)), range(-1, len(chunks) + 2), dimensions=DIMENSIONS)
    assert sorted(found) == list(range(len(chunks)))
    assert all(same(found[number], chunk) for number, chunk in enumerate(chunks))


def test_only_the_wanted_chunks_are_read() -> None:
    data, asked = written([made(200, seed=number) for number in range(50)]), []

    def read_at(offset: int, count: int) -> bytes:
        asked.append(count)
        return data[offset : offset + count]

    assert list(read(read_at, [7], dimensions=DIMENSIONS)) == [7]
    assert sum(asked) < len(data) / 40


@pytest.mark.parametrize("cut", [0, 5, 20, 60, -1])
def test_a_file_that_is_cut_off_is_refused(cut: int) -> None:
    data = written([made(9), made(9)])
    with pytest.raises(ValueError, match="cut off"):
        read(reader(data[:cut]), [1], dimensions=DIMENSIONS)


def test_a_file_of_another_kind_is_refused() -> None:
    data = written([made(3)])
    with pytest.raises(ValueError, match="not a file of token vectors"):
        read(reader(b"PK\x03\x04" + data[4:]), [0], dimensions=DIMENSIONS)
    with pytest.raises(ValueError, match="not a file of token vectors"):
        read(reader(data), [0], dimensions=64)


def test_a_file_that_was_not_finished_is_refused() -> None:
    out = io.BytesIO()
    writer = Writer(out, count=2, dimensions=DIMENSIONS)
    writer.add([pack(made(3))])
    with pytest.raises(ValueError, match="1 chunks instead of 2"):
        writer.finish()
    with pytest.raises(ValueError, match="not finished"):
        read(reader(out.getvalue()), [0], dimensions=DIMENSIONS)


def test_a_chunk_without_a_word_piece() -> None:
    assert same(unpack(pack(made(0)), dimensions=DIMENSIONS), made(0))


def test_sentences_begin_at_their_first_word_piece() -> None:
    text = "Rules > Parking\nGuests park north. Staff park south."
    spans = [(0, 5), (6, 7), (8, 15), (16, 22), (23, 27), (28, 33), (33, 34), (35, 40), (41, 45), (46, 51), (51, 52)]
    tokens = TokenStates(spans=np.array(spans, np.int32), states=np.zeros((11, 384), np.float32))
    assert sentence_starts(tokens, text, prefix=16).tolist() == [3, 7]
    assert sentence_starts(tokens, text, prefix=len(text)).tolist() == []


def test_compression_keeps_who_is_near_whom() -> None:
    random = np.random.default_rng(3)
    states = random.standard_normal((40, 384)).astype(np.float32) @ projection() @ projection().T
    found = compress(
        TokenStates(spans=np.zeros((40, 2), np.int32), states=states), sentences=np.zeros(1, np.uint16),
        projection=projection(),
    )  # fmt: skip
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    small = found.vectors.astype(np.float32) / 127
    assert np.abs(small @ small.T - unit @ unit.T).max() < 0.02
    assert np.allclose(found.lengths, np.linalg.norm(states, axis=1), rtol=0.01)


def test_a_state_of_zeros_stays_one() -> None:
    tokens = TokenStates(spans=np.zeros((1, 2), np.int32), states=np.zeros((1, 384), np.float32))
    assert not compress(tokens, sentences=np.zeros(0, np.uint16), projection=projection()).vectors.any()


def test_the_committed_projection_is_orthonormal() -> None:
    matrix = projection()
    assert matrix.shape == (384, DIMENSIONS)
    assert np.abs(matrix.T @ matrix - np.eye(DIMENSIONS)).max() < 1e-3


def test_fitting_finds_the_leading_directions(local_embedder) -> None:
    texts = ["Guests may park at the north gate.", "Employees get twenty days of leave a year."] * 20
    own = fit(texts, embedder=local_embedder, dimensions=4)
    _, (tokens,) = local_embedder.embed_with_tokens(texts[:1])
    unit = tokens.states / np.linalg.norm(tokens.states, axis=1, keepdims=True)
    assert own.shape == (384, 4)
    assert np.square(unit @ own).sum() > np.square(unit @ projection()[:, -4:]).sum() * 3
    with pytest.raises(ValueError, match="no text"):
        fit([], embedder=local_embedder)
