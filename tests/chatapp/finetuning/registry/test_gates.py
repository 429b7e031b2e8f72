"""What an answer is worth, what a verdict says, and an evaluation over real HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tuned_world

from chatapp.finetuning.registry import gates, services
from chatapp.finetuning.registry.general import GENERAL
from chatapp.finetuning.registry.scoring import Row, contains, score

SOURCES = tuned_world.PROMPT.format(n=9)


def row(completion: str) -> Row:
    return Row(key="k", prompt=[{"role": "user", "content": SOURCES}], completion=completion)


@pytest.mark.parametrize(
    ("expected", "answer", "values"),
    [
        ("It leaves at 9 [S1].", "It leaves at 9 [S1].", (1, 1, 1)),
        ("It leaves at 9 [S1].", "It leaves at 9 [S2].", (0, 1, 1)),  # no such source
        ("It leaves at 9 [S1].", "It leaves at 9.", (0, 1, 1)),  # no label where there should be one
        ("It leaves at 9 [S1].", "NO_ANSWER\nNothing is said.", (1, 0, 0)),
        ("NO_ANSWER\nNothing is said.", "NO_ANSWER\nNothing is said.", (1, 1, 1)),
        ("NO_ANSWER\nNothing is said.", "NO_ANSWER because I do not know", (0, None, 1)),
        ('{"a": 1, "b": {"c": 2}}', '```json\n{"a": 5, "b": {"c": 0}}\n```', (1, None, 1)),
        ('{"a": 1}', '{"b": 1}', (0, None, 1)),
        ('{"a": 1}', "a is 1", (0, None, 1)),
        ("It leaves at 9 [S1].", "", (0, 0, 1)),
    ],
)
def test_an_answer_is_scored(expected: str, answer: str, values: tuple[float | None, ...]) -> None:
    for given, wanted in zip(score(row(expected), answer), values, strict=True):
        assert wanted is None or given == wanted


def test_general_questions_have_answers_that_are_found_as_words() -> None:
    assert len({each.question for each in GENERAL}) == len(GENERAL) >= 20
    assert contains("The answer is: Paris!", ("paris",)) == 1
    assert contains("Parisian", ("paris",)) == 0
    assert contains("Thank you, my friend", ("thanks", "thank you")) == 1


def measured(name: str, values: Any, general: float = 1.0, rows: int = 30) -> gates.Measured:
    return gates.Measured(name, np.tile(np.array(values, dtype=float), (rows, 1)), np.full((20, 1), general))


def test_a_version_that_is_no_worse_passes_and_says_so() -> None:
    found = gates.verdict(
        measured("version 2", (1, 0.8, 1)), base=measured("its base", (0, 0.1, 0)),
        active=measured("the active version", (1, 0.7, 1)),
    )  # fmt: skip
    assert found["verdict"] == "passed"
    assert found["figures"]["difference"]["base"]["format"]["value"] == 1
    assert "Nothing fell against the active version." in found["sentences"]


def test_what_fell_against_the_active_version_or_was_forgotten_fails() -> None:
    found = gates.verdict(
        measured("version 2", (1, 0.5, 1), general=0.0), base=measured("its base", (0, 0.1, 0)),
        active=measured("the active version", (1, 0.7, 1)),
    )  # fmt: skip
    assert found["verdict"] == "failed"
    assert any("Words as expected fell against the active version by 0.20" in each for each in found["sentences"])
    assert any(each.startswith("It forgot") for each in found["sentences"])


def test_too_few_rows_or_a_form_not_kept_fails(settings: Any) -> None:
    few = gates.verdict(measured("version 1", (1, 1, 1), rows=4), base=None, active=None)
    assert (few["verdict"], "Only 4 rows" in few["sentences"][0]) == ("failed", True)
    loose = gates.verdict(measured("version 1", (0.5, 1, 1)), base=None, active=None)
    assert "keeps the format in 50%" in loose["sentences"][0]
    assert "nobody knows what it forgot" in loose["sentences"][-1]


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_asks_the_version_and_opens_the_way(
    make_version: Any, admin: Any, scripted_model: Any, tenant: Any
) -> None:
    version = make_version(rows=6)
    gate = gates.check(version)
    assert (gate["verdict"], "No server" in gate["sentences"][0]) == ("could_not_run", True)
    tuned_world.serve(version, url=scripted_model.url, model="scripted-cite")
    gate = gates.check(version)
    version.refresh_from_db()
    assert version.gate == gate
    assert gate["verdict"] == "passed", gate
    assert gate["figures"]["rows"] == 6
    assert version.metrics["evaluation"]["after"]["format"]["value"] == 1
    assert [event.kind for event in version.events.order_by("created")][-1] == "checked"
    services.promote(admin, version.pk)
    assert version.events.get(kind="promoted").detail["forced"] is False
