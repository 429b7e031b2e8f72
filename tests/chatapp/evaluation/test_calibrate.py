"""``manage.py calibrate`` on a base that was really ingested."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from chatapp.evaluation.calibration import calibrated, read_questions
from chatapp.evaluation.labelled import UnusableSet
from chatapp.evaluation.metrics import auroc
from knowledge.documents.live import LiveIndex
from knowledge.documents.models import IndexGeneration
from knowledge.documents.searching import _Embedders, search
from knowledge.documents.services import keep_answer_curve
from knowledge.errors import EmbeddingFailed
from knowledge.retrieval.calibration import FEWEST, Curve, TooFewQuestions, brier, fit
from knowledge.types import Query, RetrievalResult, Scope

ANSWERED = [
    "Where do visitors register?", "When do visitors register?", "What do visitors wear?", "Where may guests park?",
    "How long may guests park?", "How many days of annual leave are there?", "Where is leave requested?",
    "Until when may unused days be carried over?", "Who wears a badge?", "Which gate is the yard behind?",
]  # fmt: skip
UNANSWERED = [
    "How do I boil an egg?", "Who won the football match?", "What is the capital of Peru?", "How tall is a giraffe?",
    "When was the moon landing?", "What does a violin cost?", "Which paint suits a kitchen?", "How old is the sun?",
    "Can a visitor bring a dog?", "Is leave paid in the first year?",
]  # fmt: skip
QUESTION = Query(text="Where do visitors register?")


def write(path: Path, answered: list[str], unanswered: list[str]) -> Path:
    rows = [{"text": text} for text in answered] + [{"text": text, "answerable": False} for text in unanswered]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("calibrate", *map(str, arguments), stdout=out)
    return out.getvalue()


def ask(library: Any) -> RetrievalResult:
    return search(
        QUESTION, scope=Scope(tenant=str(library.tenant.pk), knowledge_bases=frozenset({str(library.base.pk)}))
    )


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write(tmp_path / "questions.jsonl", ANSWERED, UNANSWERED)


@pytest.mark.django_db(transaction=True)
def test_a_base_is_calibrated_and_goes_back(library: Any, questions: Path) -> None:
    before = ask(library)
    assert before.uncalibrated is None
    said = run(library.base.slug, questions)
    assert "10 questions with an answer, 10 without." in said
    assert "House rules: calibrated." in said
    after = ask(library)
    assert after.uncalibrated == before.answerable != after.answerable
    library.base.refresh_from_db()
    kept = library.base.answer_curve
    assert (kept["answered"], kept["unanswered"]) == (10, 10)
    assert kept["auroc"] > 0.8
    run(library.base.slug, questions)  # again: from the chances before the curve
    library.base.refresh_from_db()
    assert library.base.answer_curve["slope"] == pytest.approx(kept["slope"])
    run(library.base.slug, "--forget")
    assert ask(library).answerable == before.answerable
    assert ask(library).uncalibrated is None


@pytest.mark.django_db(transaction=True)
def test_the_curve_belongs_to_its_base_and_its_embedding_model(
    library: Any, make_library: Any, other_tenant: Any, questions: Path
) -> None:
    other = make_library(other_tenant)
    run(library.base.slug, questions, "--tenant", library.tenant.slug)
    assert ask(library).uncalibrated is not None
    assert ask(other).uncalibrated is None
    library.base.refresh_from_db()
    library.base.answer_curve = {**library.base.answer_curve, "space": "another_model"}
    library.base.save()
    assert ask(library).uncalibrated is None


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_keeps_nothing(library: Any, questions: Path) -> None:
    assert "Brier score" in run(library.base.slug, questions, "--dry-run")
    library.base.refresh_from_db()
    assert library.base.answer_curve is None


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_done_is_said_and_keeps_nothing(library: Any, questions: Path, tmp_path: Path) -> None:
    few = write(tmp_path / "few.jsonl", ANSWERED, UNANSWERED[:-1])
    for arguments, words in (
        ((library.base.slug,), "or --forget"),
        ((library.base.slug, questions, "--forget"), "or --forget"),
        ((library.base.slug, "--forget", "--dry-run"), "--forget alone"),
        ((library.base.slug, few), "for 10 questions with an answer and 9 without"),
        ((library.base.slug, tmp_path / "none.jsonl"), "cannot be read"),
        (("nowhere", questions), "Known: house-rules"),
    ):
        with pytest.raises(CommandError, match=words):
            run(*arguments)
    IndexGeneration.objects.all().delete()
    with pytest.raises(CommandError, match="no document that could answer"):
        run(library.base.slug, questions)
    library.base.refresh_from_db()
    assert library.base.answer_curve is None


@pytest.mark.parametrize(
    "line", ['{"answerable": true}', '{"text": " "}', '{"text": "Why?", "answerable": "yes"}', '{"text": 7}']
)
def test_a_row_that_is_no_question_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(f'{{"text": "Who?"}}\n\n{line}\n')
    with pytest.raises(UnusableSet, match=r"question 2: it needs a \"text\""):
        read_questions(path)


def test_the_figures_are_of_questions_the_curve_was_not_fitted_on() -> None:
    """Of few questions a curve looks better on those it was fitted on."""
    answered = [0.3, 0.9, 0.6, 0.7, 0.2, 0.8, 0.5, 0.9, 0.4, 0.7, 0.6, 0.8]
    unanswered = [0.5, 0.1, 0.7, 0.3, 0.6, 0.2, 0.4, 0.8, 0.3, 0.1]
    found = calibrated(answered, unanswered)
    curve = fit(answered, unanswered)
    assert found.curve == curve
    assert found.brier_after > brier([curve.of(c) for c in answered], [curve.of(c) for c in unanswered])
    assert found.brier_before == brier(answered, unanswered)
    assert found.auroc == auroc(answered, unanswered)[0]
    shares = {threshold: (before, after) for threshold, before, after in found.kept}
    assert shares[0.5][0] == (10 / 12 - 1 / 12, 6 / 10)
    assert all(one[1][0] >= two[1][0] for one, two in pairwise(shares.values()))
    with pytest.raises(TooFewQuestions):
        calibrated([0.5] * FEWEST, [0.5] * (FEWEST - 1))


@pytest.mark.django_db(transaction=True)
def test_nothing_is_kept_where_the_chance_says_nothing(library: Any, tmp_path: Path) -> None:
    turned = write(tmp_path / "turned.jsonl", UNANSWERED, ANSWERED)
    with pytest.raises(CommandError, match="says nothing about these questions"):
        run(library.base.slug, turned)
    library.base.refresh_from_db()
    assert library.base.answer_curve is None


@pytest.mark.django_db(transaction=True)
def test_nothing_is_fitted_where_the_embedding_model_is_away(
    library: Any, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: object, space: str) -> NoReturn:
        raise EmbeddingFailed("away")

    monkeypatch.setattr(_Embedders, "__call__", away)
    with pytest.raises(CommandError, match="could not be asked"):
        run(library.base.slug, questions)


@pytest.mark.django_db(transaction=True)
def test_curves_of_a_scope_are_those_of_its_calibrated_bases(library: Any, make_library: Any, tenant: Any) -> None:
    second = make_library(tenant, name="Second house")
    for base, intercept in ((library.base, 1.0), (second.base, -1.0)):
        base.refresh_from_db()
        keep_answer_curve(base=base, curve=Curve(slope=2.0, intercept=intercept))
    third = make_library(tenant, name="Third house")
    scope = Scope(tenant=str(tenant.pk), knowledge_bases=frozenset(str(x.base.pk) for x in (library, second, third)))
    assert LiveIndex().curves(scope) == {
        str(library.base.pk): Curve(slope=2.0, intercept=1.0), str(second.base.pk): Curve(slope=2.0, intercept=-1.0)
    }  # fmt: skip
    assert LiveIndex().curves(replace(scope, tenant=str(uuid4()))) == {}
