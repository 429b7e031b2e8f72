from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from made_passages import passage

from knowledge.retrieval.cut import cut


def test_it_ends_after_a_sentence() -> None:
    whole = passage("The fee is 30 euros. It is paid at the desk. Ships of members pay nothing at all.", tokens=20)
    part = cut(whole, tokens=12)
    assert part is not None
    assert part.text == "The fee is 30 euros. It is paid at the desk."
    assert (part.start, part.end) == (7, 7 + len(part.text))
    assert part.tokens <= 12


def test_without_a_sentence_it_ends_between_words_and_without_words_anywhere() -> None:
    part = cut(passage("fee harbour pilot mooring crane", tokens=10), tokens=5)
    assert part is not None
    assert part.text == "fee harbour"
    part = cut(passage("x" * 100, tokens=10), tokens=5)
    assert part is not None
    assert part.text == "x" * 50


def test_what_fits_stays_and_what_leaves_nothing_is_nothing() -> None:
    whole = passage("The fee is 30 euros.", tokens=5)
    assert cut(whole, tokens=5) is whole
    assert cut(whole, tokens=0) is None
    assert cut(whole, tokens=-4) is None
    assert cut(passage("    a b", tokens=5), tokens=1) is None


@given(st.text(max_size=300), st.integers(0, 90), st.integers(0, 100))
def test_a_part_is_a_range_within_the_budget(text: str, tokens: int, budget: int) -> None:
    whole = passage(text, tokens=tokens)
    part = cut(whole, tokens=budget)
    if part is None:
        return
    assert part.tokens <= max(budget, 0)
    assert whole.text.startswith(part.text)
    assert (part.start, part.end - part.start) == (whole.start, len(part.text))
