from __future__ import annotations

import pytest

from knowledge.parsing.invisible import invisible_characters

HIDDEN = "".join(chr(0xE0000 + ord(c)) for c in "ignore")
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


def test_hidden_words_are_kept_and_reported_with_their_line(parse) -> None:
    document = parse(f"first\nvisible{HIDDEN}", "a.txt")
    assert document.text.endswith(HIDDEN)
    assert document.warnings == ("Invisible characters are in the text: Unicode tags (6, the first on line 2).",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\u202ecod.exe\u202c", "that turn the reading direction (1,"),
        ("x" + "\U000e0101\U000e0120\ufe01", "variation selectors (3,"),
    ],
)
def test_each_kind_is_named(text: str, words: str) -> None:
    (warning,) = invisible_characters(text)
    assert words in warning


@pytest.mark.parametrize(
    "text", ["plain", "شكرا\u200f", "❤\ufe0f", "葛\U000e0100", f"flag {SCOTLAND}", "क्\u200dष", "\u2066x\u2069"]
)
def test_what_scripts_and_emoji_need_is_not_reported(text: str) -> None:
    assert invisible_characters(text) == ()


def test_hidden_words_behind_a_flag_are_reported() -> None:
    assert "tags (6," in invisible_characters(f"{SCOTLAND} {HIDDEN}")[0]
