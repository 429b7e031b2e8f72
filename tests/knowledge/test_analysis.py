from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.analysis import LONGEST_TERM, index_terms, terms, variants


def test_words_are_folded_stemmed_and_stop_words_dropped() -> None:
    assert terms("The Herons were FISHING in the rivers") == ["heron", "fish", "river"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AB-12/3", ["ab-12/3", "ab", "12", "3"]),
        ("v1.2.3", ["v1.2.3", "v1", "2", "3"]),
        ("foo_bar", ["foo_bar", "foo", "bar"]),
        ("os.path", ["os.path", "os", "path"]),
        ("COVID-19", ["covid-19", "covid", "19"]),
        ("well-known", ["well", "known"]),
        ("and/or", []),
        ("__init__", ["init"]),
    ],
)
def test_identifiers_are_kept_whole_and_in_parts(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234,567 people", ["1234567", "peopl"]),
        ("12.50", ["12.50", "12", "50"]),
        ("2024", ["2024"]),
        ("1, 2", ["1", "2"]),
    ],
)
def test_numbers_are_kept(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_compatible_forms_are_one() -> None:
    assert terms("\ufb01le \uff21\uff22 caf\u0065\u0301") == terms("file AB caf\u00e9")


def test_scripts_without_spaces_become_bigrams() -> None:
    assert terms("東京都") == ["東京", "京都"]
    assert terms("水") == ["水"]
    assert terms("Tokyo東京2020") == ["tokyo", "東京", "2020"]


def test_vowel_signs_do_not_cut_words() -> None:
    assert terms("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


def test_apostrophes_leave_no_debris() -> None:
    assert terms("the company's policy; don't worry, they'll pay") == ["compani", "polici", "worri", "pay"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Die Häuser der Mieter", ["haus", "miet"]),
        ("fr", "l'indemnité des employés", ["indemn", "emploi"]),
        ("es", "las vacaciones de los empleados", ["vacacion", "emple"]),
        ("it", "i contratti della società", ["contratt", "societ"]),
        ("pt", "os contratos das empresas", ["contrat", "empres"]),
        ("ru", "в договорах аренды reports", ["договор", "аренд", "report"]),
        ("", "The herons were fishing", ["heron", "fish"]),
        ("ja", "東京のreports", ["東京", "京の", "report"]),
        ("xx", "herons", ["heron"]),
    ],
)
def test_other_languages_have_their_stemmer_and_stop_words(language: str, text: str, expected: list[str]) -> None:
    assert terms(text, language=language) == expected


def test_word_in_several_languages_is_one_group() -> None:
    assert list(variants("Häuser die AB-12 東京", languages=("en", "de"))) == [
        ("häuser", "haus"), ("die",), ("ab-12",), ("ab",), ("12",), ("東京",),
    ]  # fmt: skip
    assert list(variants("die Häuser", languages=("en", "de"), without={"die"})) == [("häuser", "haus")]


def test_one_term_is_never_long() -> None:
    assert {len(term) for term in terms("x" * 10_000)} == {LONGEST_TERM}


def test_title_and_headings_are_indexed_with_the_text() -> None:
    assert index_terms("Leave", ("Parents", "Weeks"), "Sixteen of them") == "leav parent week sixteen"


@given(st.text(max_size=300))
def test_terms_survive_the_white_space_of_the_index(text: str) -> None:
    found = terms(text)
    assert " ".join(found).split() == found
    assert all(found)


@given(st.text(alphabet=st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=20))
def test_query_and_document_meet(word: str) -> None:
    inside = set(index_terms("", (), f"before {word} after").split())
    assert set(terms(word)) <= inside


def test_threads_get_the_same_stems() -> None:
    words = [
        f"{stem}{ending}" for stem in ("nation", "relat", "oper", "gener") for ending in ("al", "ing", "ions", "ed")
    ]
    words = [f"{word}{chr(97 + i % 26)}s" for i in range(200) for word in words]
    expected: list[list[str]] = []
    threads = [threading.Thread(target=lambda: expected.append(terms(" ".join(words)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found == expected[0] for found in expected)


@pytest.mark.parametrize("text", ["a" * 200_000, "1," * 100_000, "a-" * 100_000, "東" * 200_000, "_" * 200_000])
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.perf_counter()
    terms(text)
    assert time.perf_counter() - started < 3
