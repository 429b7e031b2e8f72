from __future__ import annotations

import pytest

from chatapp.answering.names import missing_names

SOURCE = "The World Health Organization met in Geneva. Maria Keller of the German office signed form AB-12 for TiO2."


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("It met in Geneva.", []),
        ("It met in Vienna.", ["Vienna"]),
        ("The WHO met in Geneva.", []),  # an acronym of words that stand there
        ("The UNO met in Geneva.", ["UNO"]),
        ("Maria Keller’s office in Germany signed.", []),  # possessive, and another form of a name
        ("The form was signed by Maria Meier.", ["Meier"]),
        ("They signed form AB-12.", []),
        ("They signed form AC-12.", ["AC-12"]),
        ("They used TiO2.", []),
        ("They used TiO3.", ["TiO3"]),
        ("Vienna is no name at the start of a sentence, nor is It after a full stop. It met on Monday in May.", []),
        ("It met in Vienna, and again in Vienna.", ["Vienna"]),
        ("", []),
    ],
)
def test_names_that_no_source_has(sentence: str, missing: list[str]) -> None:
    assert missing_names(sentence, [SOURCE]) == missing


def test_names_of_the_question_need_no_source() -> None:
    assert missing_names("Nothing was said by Otto.", [SOURCE], question="What did Otto say?") == []


def test_one_source_of_several_is_enough() -> None:
    assert missing_names("It met in Vienna.", ["Other words.", "The host was Vienna."]) == []


def test_german_nouns_are_no_names_but_acronyms_are() -> None:
    source = "Der Mieter hat die Wohnung bei dem Auszug zu reinigen, und er zahlt die Kosten der Häuser nicht."
    assert missing_names("Nach dem Ende des Vertrags zahlt die Firma nicht mehr für die Reinigung.", [source]) == []
    assert missing_names("Nach dem Ende zahlt die BMW nicht mehr für die Reinigung.", [source]) == ["BMW"]


def test_a_long_sentence_takes_no_longer_than_its_length() -> None:
    words = "Abc " * 20_000
    assert missing_names(words, ["Abc"]) == []
