from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowledge.embedding.tokens import batches

sequences = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=40), max_size=60)


@given(sequences, st.integers(20, 200), st.sampled_from([1, 16]))
def test_every_sequence_appears_once_and_whole(rows: list[list[int]], budget: int, multiple: int) -> None:
    found = {}
    for batch in batches(rows, budget=budget, multiple=multiple):
        for row, ids, mask in zip(batch.rows, batch.ids, batch.mask, strict=True):
            assert int(row) not in found
            found[int(row)] = ids[: mask.sum()].tolist()
            assert not ids[mask.sum() :].any()
    assert found == dict(enumerate(rows))


@given(sequences, st.integers(20, 200), st.sampled_from([1, 16]))
def test_batches_keep_the_budget_unless_one_text_exceeds_it(rows: list[list[int]], budget: int, multiple: int) -> None:
    for batch in batches(rows, budget=budget, multiple=multiple):
        assert batch.ids.size <= budget or len(batch.rows) == 1
        assert batch.ids.shape[1] % multiple == 0


def test_texts_of_like_length_share_a_batch() -> None:
    rows = [[1] * 100, [1] * 2, [1] * 100, [1] * 2]
    lengths = [batch.ids.shape for batch in batches(rows, budget=200, multiple=1)]
    assert lengths == [(2, 100), (2, 2)]
