from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from knowledge.chunking.cutting import even_parts, grapheme_border, sentence_ends, strip

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"


def cut(text: str, **sizes: int) -> list[str]:
    return [text[a:b] for a, b in even_parts(text, 0, len(text), **sizes)]


def test_sentences_end_at_their_marks_but_not_at_abbreviations() -> None:
    text = 'Dr. Smith paid 3.5 euros. "Why?" she asked. He said e.g. nothing. 東京です。大阪'
    parts = [text[:end].rsplit(" ", 1)[-1] for end in sentence_ends(text, 0, len(text))]
    assert parts == ["euros.", "asked.", "nothing.", "東京です。"]


def test_parts_are_even_and_end_with_sentences() -> None:
    text = "This is a sentence of some length. " * 60
    parts = cut(text, target=900, limit=1125)
    assert all(part.endswith(".") for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) < 200


def test_without_sentences_words_stay_whole() -> None:
    parts = cut("wordword " * 500, target=900, limit=1125)
    assert set(" ".join(parts).split()) == {"wordword"}


def test_without_any_separator_the_cut_is_hard() -> None:
    assert [len(part) for part in cut("a" * 3000, target=900, limit=1125)] == [750, 750, 750, 750]


def test_a_range_over_the_target_is_cut_when_asked_for() -> None:
    assert len(cut("a" * 1000, target=600, limit=1125)) == 2


def test_a_cut_does_not_part_graphemes() -> None:
    for text, unit in (
        (FAMILY * 300, FAMILY),
        (FLAGS * 400, FLAGS),
        ("e\u0301" * 900, "e\u0301"),
        ("\u1112\u1161\u11ab" * 600, "\u1112\u1161\u11ab"),
    ):
        for part in cut(text, target=400, limit=500):
            assert part.startswith(unit[0])
            assert len(part) % (2 if unit is FLAGS else len(unit)) == 0


def test_endless_combining_marks_do_not_stop_the_cut() -> None:
    parts = cut("a" + "\u0301" * 5000, target=900, limit=1125)
    assert max(map(len, parts)) <= 1125
    assert sum(map(len, parts)) == 5001


def test_a_border_is_not_moved_below_the_lowest() -> None:
    assert grapheme_border("e" + "\u0301" * 10, 5, 3) >= 3


def test_cutting_takes_linear_time() -> None:
    started = time.monotonic()
    for text in ("a" * 3_000_000, ". " * 1_500_000, "漢" * 3_000_000, "\u0301" * 3_000_000, "A. " * 1_000_000):
        even_parts(text, 0, len(text), target=900, limit=1125)
    assert time.monotonic() - started < 20


@given(st.text(max_size=400), st.integers(5, 60))
def test_parts_hold_everything_but_white_space(text: str, target: int) -> None:
    limit = target + target // 4 + 1
    parts = even_parts(text, 0, len(text), target=target, limit=limit)
    assert "".join("".join(text[a:b].split()) for a, b in parts) == "".join(text.split())
    assert all(b - a <= limit for a, b in parts)
    assert all(strip(text, a, b) == (a, b) for a, b in parts)
    assert parts == sorted(parts)
