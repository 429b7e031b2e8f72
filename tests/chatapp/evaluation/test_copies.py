from __future__ import annotations

from chatapp.evaluation.copies import distinct, hits_by_words
from chatapp.evaluation.labelled import Span

LONG = "The ferry leaves the harbour at noon and comes back before the lamps are lit in the village."


def test_a_near_copy_is_left_out_and_the_first_stays() -> None:
    changed = LONG.replace("noon", "one")
    other = "Salt is spread on the gangway before the first passenger walks over it each morning in winter."
    assert distinct([LONG, changed, other, LONG.upper()]) == [0, 2]
    assert distinct([other, changed, LONG]) == [0, 1]


def test_a_part_of_a_passage_is_a_copy_of_it() -> None:
    assert distinct([LONG, LONG[: len(LONG) // 2]]) == [0]
    assert distinct([LONG, f"{LONG[: len(LONG) // 4]}, said nobody who had ever been to this part of the coast"]) == [
        0,
        1,
    ]


def test_short_and_empty_texts() -> None:
    assert distinct([]) == []
    assert distinct(["a", "b", "a"]) == [0, 1]
    assert distinct(["", ""]) == [0]


def test_the_words_of_the_gold_span_count_wherever_they_stand() -> None:
    gold = [Span("a", 0, 9)]
    texts = ["It leaves\nAT   noon, it says.", "It leaves at one.", "word for word elsewhere"]
    spans = [Span("b", 0, 40), Span("b", 50, 70), Span("a", 0, 9)]
    assert hits_by_words(texts, spans, gold, ["leaves at noon"]).tolist() == [[True], [False], [True]]
    assert hits_by_words([], [], gold, ["leaves"]).shape == (0, 1)
    assert not hits_by_words(["text"], [Span("b", 0, 4)], gold, [" "]).any()
