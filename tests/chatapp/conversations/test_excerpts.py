from __future__ import annotations

from chatapp.conversations.excerpts import READ, cited_excerpt, read_excerpt

TEXT = "# Fees\n\nThe **late fee** is `50` cents, see [the rules](https://a.test/).\n\n| **Day** | Fee |\n|---|---|\n| Sunday | 1 |"


def cited(words: str, *, markdown: bool = True, text: str = TEXT) -> dict[str, str]:
    at = text.index(words)
    return cited_excerpt(text, (at, at + len(words)), quote=words, markdown=markdown)


def test_a_card_shows_no_marks_and_exactly_the_cited_words() -> None:
    found = cited("late fee** is `50` cents")
    assert found == {"before": "The ", "match": "late fee is 50 cents", "after": ", see the rules.", "above": ""}
    assert cited("# Fees")["match"] == "Fees"
    assert cited("the rules](https://a.test/)")["match"] == "the rules"


def test_the_head_of_a_table_above_has_no_marks_either() -> None:
    assert cited("Sunday")["above"] == "| Day | Fee |\n|---|---|\n| "


def test_other_formats_are_shown_as_they_are() -> None:
    found = cited("late fee** is `50` cents", markdown=False)
    assert (found["before"], found["match"]) == ("The **", "late fee** is `50` cents")


def test_a_place_that_holds_only_marks_and_an_unknown_text_show_the_quote() -> None:
    assert cited("**")["match"] == "**"
    assert cited_excerpt("", (0, 4), quote="kept", markdown=True)["match"] == "kept"


def test_a_passage_that_was_read_is_cut() -> None:
    assert read_excerpt("## Fees\n**Late**", markdown=True)["before"] == "Fees\nLate"
    assert read_excerpt("a" * 400, markdown=False)["before"] == "a" * READ + "…"
    assert read_excerpt("", markdown=True)["before"] == ""
