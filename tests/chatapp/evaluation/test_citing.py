"""Citation recall and precision, against cases worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from labelled_sets import write_rows

from chatapp.evaluation.citing import CitedSentence, figures, scored
from chatapp.evaluation.labelled import Span


def holds(statement: str, sources: Sequence[str]) -> bool:
    """A statement is held when all its letters are in the sources."""
    return set(statement) <= set("".join(sources))


def cited(statement: str, *sources: str, words: Sequence[Span] = ()) -> CitedSentence:
    return CitedSentence(statement=statement, sources=sources, words=tuple(words))


@pytest.mark.parametrize(
    ("sentences", "recall", "precision"),
    [
        ([cited("a", "a")], 1.0, 1.0),
        ([cited("a")], 0.0, 0.0),  # no citation
        ([cited("a", "b")], 0.0, 0.0),  # the wrong one
        ([cited("ab", "a", "b")], 1.0, 1.0),  # neither alone, both needed
        ([cited("a", "a", "b")], 1.0, 0.5),  # the second adds nothing
        ([cited("ab", "ab", "b", "c")], 1.0, 1 / 3),
        ([cited("a", "a", "a")], 1.0, 1.0),  # each holds it alone
        ([cited("a", "a"), cited("b")], 0.5, 1.0),
        ([cited("a", "a"), cited("b", "c")], 0.5, 0.5),
        ([], 0.0, 0.0),
    ],
)
def test_recall_and_precision_of_an_answer(
    sentences: list[CitedSentence], recall: float, precision: float
) -> None:  # fmt: skip
    assert scored(sentences, holds) == pytest.approx((recall, precision))


def test_means_are_over_answers_and_those_without_statements_do_not_count() -> None:
    gold = [Span("d", 0, 10)]
    good = [cited("a", "a", words=[Span("d", 0, 10)])]
    bad = [cited("b"), cited("c", "c", words=[Span("d", 50, 60)]), cited("a", "a", words=[Span("d", 2, 8)])]
    found = figures("two", [(good, gold), (bad, gold), ([], gold)], holds=holds)
    assert (found.answers, found.statements) == (2, 4)
    assert found.recall == pytest.approx((1 + 2 / 3) / 2)
    assert found.precision == pytest.approx(1.0)
    assert found.gold_recall == pytest.approx((1 + 1 / 3) / 2)
    assert found.gold_precision == pytest.approx((1 + 1 / 2) / 2)
    assert figures("none", [], holds=holds).recall == 0.0


def test_the_command_sees_planted_defects(ferry: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (ferry / "qrels.jsonl").read_text().splitlines()]
    write_rows(ferry, {"qrels": [*rows, *({**row, "grade": 2} for row in rows)]})
    out, written = StringIO(), tmp_path / "found.json"
    call_command("evaluate", "citations", str(ferry), "--json", str(written), stdout=out, stderr=StringIO())
    found = {row["name"]: row for row in json.loads(written.read_text())}
    assert len(out.getvalue().splitlines()) == 2 + len(found)
    right = found["scripted"]
    assert (right["recall"], right["gold_recall"], right["gold_precision"]) == (1.0, 1.0, 1.0)
    assert found["scripted, every 5th mark off by one"]["recall"] < 1.0
    many = found["scripted, one citation too many"]
    assert many["recall"] == 1.0
    assert many["precision"] < 0.8
    assert many["gold_precision"] < 0.8
    none = found["scripted, no citation"]
    assert (none["recall"], none["precision"], none["gold_recall"]) == (0.0, 0.0, 0.0)
    assert found["extractive"]["recall"] > 0.9


def test_a_set_without_marked_sentences_is_refused_in_words(ferry: Path) -> None:
    with pytest.raises(CommandError, match="no question with marked sentences"):
        call_command("evaluate", "citations", str(ferry), stdout=StringIO(), stderr=StringIO())
