"""Which language a text is in: real sentences (Django's own translations, read in place), short ones, hostile ones."""

from __future__ import annotations

import gettext
import time
from collections import Counter
from pathlib import Path

import django
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.languages import STEMMERS, detect, likely, stop_words

LOCALES = {
    "en_GB": "en", "de": "de", "fr": "fr", "es": "es", "it": "it", "pt": "pt", "nl": "nl", "ru": "ru", "ar": "ar",
    "he": "he", "el": "el", "th": "th", "hi": "hi", "zh_Hans": "zh", "ja": "ja", "ko": "ko",
}  # fmt: skip
NEIGHBOURS = "ca ro da sv nb nn gl pl cs tr fi hu id uk bg sr be mk fa ur mr".split()


def sentences(locale: str) -> list[str]:
    """Return the longer sentences of Django's translation."""
    found: list[str] = []
    for path in sorted(Path(django.__file__).parent.glob(f"**/locale/{locale}/LC_MESSAGES/django.mo")):
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        found += [
            text
            for key, text in catalogue.items()
            if key and isinstance(text, str) and len(text) > 40 and "%" not in text
        ]
    return found


@pytest.mark.parametrize(("locale", "language"), LOCALES.items())
def test_language_is_told(locale: str, language: str) -> None:
    lines = sentences(locale)
    assert len(lines) > 10
    assert detect("\n".join(lines)) == language
    single = Counter(detect(line) for line in lines)
    assert set(single) <= {language, ""}  # a single sentence may leave it open, but is never taken for another
    assert single[language] > 0.6 * len(lines)


@pytest.mark.parametrize("locale", NEIGHBOURS)
def test_language_that_is_not_supported_is_not_taken_for_a_relative(locale: str) -> None:
    lines = sentences(locale)
    assert detect("\n".join(lines)) == ""
    assert sum(detect(line) == "" for line in lines) > 0.85 * len(lines)


@pytest.mark.parametrize(
    "text",
    ["", " \n", "12345 67890", "def main(): return os.path.join(a, b)", "Otter", "🦦🦦", "\ud800", "la la la la de"],
)
def test_too_little_tells_nothing(text: str) -> None:
    assert detect(text) in ("", "en")


def test_most_of_a_text_decides() -> None:
    german = "Der Mieter hat die Kosten zu tragen, wenn er die Wohnung nicht gereinigt hat. "
    english = "The tenant must bear the cost if the flat was not cleaned when it was left. "
    assert detect(german * 5 + english) == "de"
    assert detect(english * 5 + german) == "en"
    assert detect(english + german * 2_000) == "de"  # a title page is not the text
    assert detect("東京都の人口は増えています。" * 3 + "PDF API HTTP") == "ja"


def test_question_needs_two_words_among_the_languages_there_are() -> None:
    assert likely("Wie hoch ist die Miete?", among=("en", "de")) == "de"
    assert likely("What is the rent of die Miete?", among=("en", "de")) == "en"
    assert likely("Miete", among=("en", "de")) == ""
    assert likely("", among=("en", "de")) == ""
    assert likely("wie ist", among=()) == ""


def test_stop_words_are_folded_as_terms_are() -> None:
    for language in STEMMERS:
        words = stop_words(language)
        assert len(words) > 40
        assert all(word == word.casefold() for word in words)
    assert "the" in stop_words("ru")
    assert "the" not in stop_words("de")
    assert stop_words("") == stop_words("en") == stop_words("xx")


@given(st.text(max_size=400))
def test_any_text_has_a_known_language_or_none(text: str) -> None:
    assert detect(text) in {"", *LOCALES.values()}


@pytest.mark.parametrize(
    "text", ["a" * 5_000_000, "the " * 1_000_000, "東" * 3_000_000, "\u093e" * 1_000_000, "é" * 3_000_000]
)
def test_size_does_not_matter(text: str) -> None:
    started = time.process_time()
    detect(text)
    assert time.process_time() - started < 1
