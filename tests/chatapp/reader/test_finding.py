from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.reader.finding import COUNTED, LISTED, Excerpt, excerpt, find, fold


def found(text: str, words: str) -> list[str]:
    return [text[start:end] for start, end in find(text, words).ranges]


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("The RENT is due", "rent", ["RENT"]),
        ("In der Straße", "STRASSE", ["Straße"]),
        ("cafe, CAFÉ, cafe\u0301", "café", ["cafe", "CAFÉ", "cafe\u0301"]),
        ("the ﬁnal ﬁne", "fin", ["ﬁn", "ﬁn"]),
        ("co\u00adope\u00adrate", "cooperate", ["co\u00adope\u00adrate"]),
        ("ab\u00adcd", "cd", ["cd"]),
        ("don’t – do", "don't - do", ["don’t – do"]),
        ("one\n\n two", "one   two", ["one\n\n two"]),
        ("price (net) a.c abc", "a.c", ["a.c"]),
        ("[a-z]+ .* \\d (x", ".*", [".*"]),
        ("(x", "(", ["("]),
        ("\U0001f600 smile 한국어 smile", "smile", ["smile", "smile"]),
        ("İstanbul istanbul", "istanbul", ["İstanbul", "istanbul"]),
        ("aaaa", "aa", ["aa", "aa"]),
        ("nothing here", "absent", []),
        ("some text", "  \n ", []),
        ("some text", "\u00ad", []),
        ("", "word", []),
    ],
)
def test_words_are_found_as_people_mean_them(text: str, words: str, expected: list[str]) -> None:
    assert found(text, words) == expected


@given(st.text(alphabet="aAäÄßﬁ é\u0301\u00ad\n\u200b中😀ǅ¨", max_size=40), st.data())
def test_every_part_of_a_text_is_found_where_it_stands(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    part = text[start : data.draw(st.integers(start, len(text)))]
    result = find(text, part)
    for low, high in result.ranges:
        assert 0 <= low < high <= len(text)
        assert fold(text[low:high])[0].strip() == fold(part)[0].strip()
    if fold(part)[0].strip():
        assert result.count


def test_places_are_counted_to_a_limit_and_listed_to_a_smaller_one() -> None:
    few = find("x " * 150, "x")
    assert (len(few.ranges), few.count, few.more) == (LISTED, 150, False)
    many = find("x " * (COUNTED + 5), "x")
    assert (len(many.ranges), many.count, many.more) == (LISTED, COUNTED, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("é rent ß " * 1_100_000, "rent ss e"),
        ("a " * 5_000_000, "a " * 99 + "b"),
        ("a" + " " * 10_000_000, "a b"),
        ("e\u0301" * 5_000_000, "x"),
    ],
)
def test_ten_megabytes_take_seconds_whatever_is_asked(text: str, words: str) -> None:
    began = time.process_time()
    find(text, words)
    assert time.process_time() - began < 8  # 2 s here; the pattern of a regular expression took minutes


def test_an_excerpt_is_cut_at_words_and_keeps_the_words_exact() -> None:
    text = "Aaa " * 40 + "the\nmarked words, and then " + "bbb " * 40
    start = text.index("marked")
    shown = excerpt(text, (start, start + len("marked words")))
    assert shown.match == "marked words"
    assert shown.before.startswith("… Aaa")
    assert shown.before.endswith("Aaa the ")
    assert shown.after.startswith(", and then bbb")
    assert shown.after.endswith("bbb …")
    assert excerpt("abc", (1, 2)) == Excerpt(before="a", match="b", after="c")
