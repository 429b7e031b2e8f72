"""One word of a question in an index of several languages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from knowledge.retrieval.base import CorpusStatistics
from knowledge.retrieval.words import Vocabulary
from knowledge.types import Hit


def hit(terms: str) -> Hit:
    return Hit(key="k", document="d", version="v", knowledge_base="b", text="", terms=terms, score=0.0)


def test_one_language_changes_nothing() -> None:
    words = Vocabulary()
    assert words.languages == ("en",)
    assert words.terms("The herons fished the herons") == ["heron", "fish", "heron"]
    assert words.searched(["heron", "fish"]) == ["heron", "fish"]
    hits = {"k": hit("heron")}
    assert words.read(hits) is hits
    assert Vocabulary(["de"]).terms("die Häuser") == ["haus"]


def test_languages_without_stemmer_are_read_as_english() -> None:
    assert Vocabulary(["zh", "ja", ""]).languages == ("en",)
    assert Vocabulary(["fr", "zh", "de"]).languages == ("en", "de", "fr")


def test_terms_of_one_word_have_one_leader() -> None:
    words = Vocabulary(["en", "de"])
    assert words.terms("Häuser im Dorf") == ["häuser", "im", "dorf"]
    assert words.searched(["häuser", "dorf"]) == ["häuser", "dorf", "haus"]
    assert words.read({"k": hit("das haus und häuser")})["k"].terms == "das häuser und häuser"
    assert words.spread({"häuser": 2.0}) == {"häuser": 2.0, "haus": 2.0}


def test_stop_words_of_the_language_a_question_is_in_are_left_out() -> None:
    words = Vocabulary(["en", "de"])
    assert words.terms("Wie hoch ist die Miete?") == ["hoch", "miet"]
    assert words.terms("die casting") == ["die", "cast"]


def test_word_seen_before_keeps_its_leader() -> None:
    words = Vocabulary(["en", "de"])
    first = words.terms("Häuser")
    assert words.terms("Hauses") == words.terms("Haus") == first


def test_a_word_is_counted_in_all_its_terms() -> None:
    asked: list[Sequence[str]] = []

    def count(terms: Sequence[str]) -> CorpusStatistics:
        asked.append(terms)
        return CorpusStatistics(chunks=10, average_length=5, document_frequency={"häuser": 2, "haus": 3, "dorf": 9})

    words = Vocabulary(["en", "de"])
    leaders = words.terms("Häuser Dorf")
    found = words.counted(count)(leaders)
    assert asked == [["häuser", "dorf", "haus"]]
    assert found.document_frequency == {"häuser": 5, "dorf": 9}
    assert found.average_length == pytest.approx(5)


def test_a_word_is_in_no_more_chunks_than_there_are() -> None:
    words = Vocabulary(["en", "de"])
    words.terms("Häuser")
    found = words.counted(
        lambda terms: CorpusStatistics(chunks=4, average_length=1, document_frequency=dict.fromkeys(terms, 3))
    )
    assert found(["häuser"]).document_frequency == {"häuser": 4}
