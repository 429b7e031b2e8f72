from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chatapp.answering.verification.signals import by_vectors, by_words
from chatapp.answering.verification.support import LENGTHS, TIERS, expanded
from chatapp.answering.verification.vectors import (
    SourceVectors,
    StatementVectors,
    may_mean_the_same,
    source_vectors,
    statement_vectors,
)


def source(*signs: list[int], first: list[int] | None = None) -> SourceVectors:
    """A source of tokens of eight dimensions, each of 1 and -1; a sentence of ten characters begins at each of first."""
    bits = np.array(signs).reshape(-1, 8) > 0
    starts = first if first is not None else [0]
    packed = np.packbits(bits, axis=1)
    return SourceVectors(
        signs=packed, sentences=tuple((10 * n, 10 * n + 9) for n in range(len(starts))),
        first=np.array(starts, dtype=np.int64),
    )  # fmt: skip


def statement(*signs: list[int]) -> StatementVectors:
    tokens = np.array(signs, dtype=np.float32) / np.float32(8**0.5)
    whole = tokens.sum(axis=0)
    return StatementVectors(tokens=tokens, whole=whole / np.linalg.norm(whole))


A = [1, 1, 1, 1, 1, 1, 1, 1]
B = [1, 1, 1, 1, -1, -1, -1, -1]
C = [1, 1, -1, -1, 1, 1, -1, -1]
D = [1, -1, 1, -1, 1, -1, 1, -1]  # the four are at right angles


def test_the_same_words_in_the_same_order_are_met_entirely() -> None:
    found, place = by_vectors(statement(A, B, C), [source(D, A, B, C)])
    assert found["met"] == found["in_order"] == pytest.approx(1)
    assert found["far"] == 0
    assert place is not None


def test_the_same_words_in_another_order_are_met_but_not_in_order() -> None:
    found, _ = by_vectors(statement(A, B, C), [source(C, B, A)])
    assert found["met"] == pytest.approx(1)
    assert found["in_order"] == pytest.approx(1 / 3)


def test_words_that_are_not_there_are_far() -> None:
    found, _ = by_vectors(statement(A, D), [source(A, B)])
    assert found["far"] == 0.5
    assert found["met"] == pytest.approx(0.5)


def test_the_best_of_several_sources_counts_for_each_word() -> None:
    found, _ = by_vectors(statement(A, B), [source(A, D), source(D, B)])
    assert found["met"] == pytest.approx(1)
    assert found["source_tokens"] == pytest.approx(np.log(5))


def test_the_nearest_sentences_may_be_up_to_three() -> None:
    apart = source(D, A, B, C, D, first=[0, 1, 2, 3, 4])
    _, place = by_vectors(statement(A, B, C), [source(D), apart])
    assert place is not None
    assert (place.source, place.start, place.end) == (1, 10, 39)
    assert place.cosine == pytest.approx(1)


def test_a_source_without_words_says_nothing() -> None:
    empty = SourceVectors(signs=np.zeros((0, 0), np.uint8), sentences=(), first=np.zeros(0, np.int64))
    found, place = by_vectors(statement(A), [empty])
    assert (found["met"], found["far"], place) == (0.0, 1.0, None)
    both, place = by_vectors(statement(A), [empty, source(A)])
    assert both["met"] == pytest.approx(1)
    assert place is not None


def test_sentences_of_a_real_source_are_ranges_of_its_text(table: Any) -> None:
    text = "  The otter sleeps.\n\nIt wakes at noon! … Then it swims. " + "A long line of words, and more. " * 100
    (found,) = source_vectors([text], table=table)
    assert text[slice(*found.sentences[0])] == "The otter sleeps."
    assert all(text[start:end] == text[start:end].strip() for start, end in found.sentences)
    assert list(found.first) == sorted(set(found.first.tolist()))
    assert found.units().shape == (len(found.signs), 384)
    assert np.linalg.norm(found.units(), axis=1) == pytest.approx(1, abs=1e-4)


def test_vectors_of_a_text_do_not_depend_on_the_others(table: Any) -> None:
    texts = ["The otter sleeps at noon.", "", "Herons hunt fish."]
    together = source_vectors(texts, table=table)
    for text, found in zip(texts, together, strict=True):
        (alone,) = source_vectors([text], table=table)
        assert np.unpackbits(alone.signs).tolist() == pytest.approx(np.unpackbits(found.signs).tolist(), abs=1)
        assert alone.sentences == found.sentences
    (one,) = statement_vectors(["The of and"], table=table)
    assert len(one.tokens)  # nothing but stop words is still something


def test_a_statement_longer_than_the_model_reads_is_read_to_its_end(table: Any) -> None:
    (begun,) = statement_vectors(["A line of words, and more. " * 40], table=table)
    (whole,) = statement_vectors(["A line of words, and more. " * 80], table=table)
    assert len(whole.tokens) == 2 * len(begun.tokens)
    (nothing,) = statement_vectors([""], table=table)
    assert by_vectors(nothing, [source(A)])[1] is None


def test_the_same_word_counts_for_more_beside_the_same_words(table: Any) -> None:
    one, two, other = statement_vectors(["old harbour", "the old harbour closed", "harbour dues"], table=table)
    harbour = one.tokens[-1]
    assert harbour @ two.tokens[1] > harbour @ other.tokens[0] + 0.05


def test_words_that_mean_nearly_the_same_are_told_from_others(table: Any) -> None:
    assert may_mean_the_same("allowed", "permitted", table=table)
    assert may_mean_the_same("buy", "purchase", table=table)
    assert not may_mean_the_same("beer", "cake", table=table)
    assert not may_mean_the_same("umbrellas", "dogs", table=table)


def test_words_are_counted_by_hand() -> None:
    found = by_words("Twelve red books burn.", ["Red books stand here. Twelve cats."], question="")
    assert found["words"] == 0.75
    assert found["window"] == 0.75
    assert found["pairs"] == pytest.approx(1 / 3)  # red books
    assert (found["unmet"], found["numbers"]) == (1, 0)
    assert by_words("It costs 5 euro.", ["It costs money."])["numbers"] == 1
    assert by_words("It costs 5 euro.", ["It costs money."], question="Why 5?")["numbers"] == 0
    assert set(by_words("", [])) >= set(TIERS["words"])


def test_products_are_taken_with_the_lengths_only_and_far_values_are_clipped() -> None:
    names = TIERS["vectors"]
    lengths = sum(name in LENGTHS for name in names)
    row = np.zeros((1, len(names)))
    row[0, 0] = 1_000.0
    found = expanded(row, names, [0.0] * len(names), [1.0] * len(names))
    assert found.shape == (1, len(names) + lengths * (len(names) - lengths) + 3)
    assert found.max() == 2.5
