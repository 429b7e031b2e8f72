"""A version's token vectors: small, exact where they are read back, refused where they are damaged."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.embedding.base import TokenStates
from knowledge.reranking.token_vectors import Stack, TokenVectors, Writer, compress, pack, read, unpack, word_at

DIMENSIONS = 384


def made(tokens: int, *, seed: int = 0, sentences: int = 1) -> TokenVectors:
    random = np.random.default_rng(seed)
    return TokenVectors(
        signs=random.integers(0, 256, (tokens, DIMENSIONS // 8)).astype(np.uint8),
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
    return np.array_equal(one.signs, two.signs) and np.array_equal(one.sentences, two.sentences)


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 5))
def test_what_was_written_is_read_back(tokens: list[int], sentences: int) -> None:
    chunks = [made(count, seed=number, sentences=sentences) for number, count in enumerate(tokens)]
    found = read(reader(written(chunks)), range(-1, len(chunks) + 2))
    assert sorted(found) == list(range(len(chunks)))
    assert all(same(found[number], chunk) for number, chunk in enumerate(chunks))


def test_only_the_wanted_chunks_are_read() -> None:
    data, asked = written([made(200, seed=number) for number in range(50)]), []

    def read_at(offset: int, count: int) -> bytes:
        asked.append(count)
        return data[offset : offset + count]

    assert list(read(read_at, [7])) == [7]
    assert sum(asked) < len(data) / 40


@pytest.mark.parametrize("cut", [0, 5, 20, 60, -1])
def test_a_file_that_is_cut_off_is_refused(cut: int) -> None:
    data = written([made(9), made(9)])
    with pytest.raises(ValueError, match="cut off"):
        read(reader(data[:cut]), [1])


def test_a_file_of_another_kind_is_refused() -> None:
    data = written([made(3)])
    with pytest.raises(ValueError, match="not a file of token vectors"):
        read(reader(b"PK\x03\x04" + data[4:]), [0])


def test_a_file_that_was_not_finished_is_refused() -> None:
    out = io.BytesIO()
    writer = Writer(out, count=2, dimensions=DIMENSIONS)
    writer.add([pack(made(3))])
    with pytest.raises(ValueError, match="1 chunks instead of 2"):
        writer.finish()
    with pytest.raises(ValueError, match="not finished"):
        read(reader(out.getvalue()), [0])


def test_a_chunk_without_a_word_piece() -> None:
    assert same(unpack(pack(made(0)), dimensions=DIMENSIONS), made(0))


def states(text: str, *words: str) -> TokenStates:
    """One token for each word, found one after the other, with a state of its own."""
    spans, at = [], 0
    for word in words:
        at = text.index(word, at)
        spans.append((at, at + len(word)))
        at += len(word)
    random = np.random.default_rng(len(words))
    return TokenStates(
        spans=np.array(spans, np.int32).reshape(-1, 2),
        states=random.standard_normal((len(words), DIMENSIONS)).astype(np.float32),
    )


def test_sentences_begin_at_their_first_word_that_counts() -> None:
    text = "Rules > Parking\nThe guests park north. The staff parks south."
    tokens = states(text, "Rules", ">", "Parking", "The", "guests", "park", "north", ".", "The", "staff", "parks", ".")
    found = compress(tokens, text, prefix=16)
    assert len(found.signs) == 7, "no stop words, no punctuation"
    assert found.sentences.tolist() == [2, 5]
    assert compress(tokens, text, prefix=len(text)).sentences.tolist() == []


def test_only_signs_are_kept_and_they_tell_who_is_near() -> None:
    random = np.random.default_rng(3)
    vectors = random.standard_normal((40, 8)).astype(np.float32) @ random.standard_normal((8, DIMENSIONS))
    text = " ".join(f"word{number}" for number in range(40))
    tokens = TokenStates(spans=states(text, *text.split()).spans, states=vectors.astype(np.float32))
    stack = Stack([compress(tokens, text, prefix=0)])
    found = stack.products(np.eye(DIMENSIONS, dtype=np.float32))
    assert np.array_equal(found > 0, vectors > 0)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.corrcoef((found @ unit.T).ravel(), (unit @ unit.T).ravel())[0, 1] > 0.98


def test_a_text_of_nothing_but_stop_words_keeps_them() -> None:
    text = "to be or not to be"
    assert len(compress(states(text, *text.split()), text, prefix=0).signs) == 6


def test_a_text_without_tokens() -> None:
    empty = compress(states(""), "", prefix=0)
    assert (len(empty.signs), len(empty.sentences), len(Stack([empty]))) == (0, 0, 0)


def test_a_piece_is_part_of_its_word() -> None:
    text = "the Zwickelbauer, naïve"
    assert word_at(text, 8, 10) == "Zwickelbauer"
    assert word_at(text, 16, 17) == ","
    assert word_at(text, 18, 20) == "naïve"


def test_odd_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        Writer(io.BytesIO(), count=1, dimensions=385)
