"""``manage.py calibrate`` on a base that was really ingested."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chatapp.evaluation.calibration import calibrated, read_questions
from chatapp.evaluation.labelled import UnusableSet
from knowledge.documents.models import IndexGeneration
from knowledge.documents.searching import search
from knowledge.retrieval.calibration import FEWEST, TooFewQuestions
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
        ((library.base.slug, few), "10 questions with an answer and 9 without"),
        ((library.base.slug, tmp_path / "none.jsonl"), "cannot be read"),
        (("nowhere", questions), "Known: house-rules"),
    ):
        with pytest.raises(CommandError, match=words):
            run(*arguments)
    IndexGeneration.objects.all().delete()
    with pytest.raises(CommandError, match="no document yet"):
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
    """Chances that say nothing: a curve judged by its own questions would look better than the share of each kind."""
    found = calibrated([0.2, 0.4, 0.6, 0.8] * 5, [0.2, 0.4, 0.6, 0.8] * 5)
    assert found.auroc == 0.5
    assert found.brier_after >= 0.25
    assert found.brier_before == pytest.approx(0.3)
    kept = {threshold: (share, refused) for threshold, share, refused in found.kept}
    assert kept[0.05] == (1.0, 0.0)
    assert kept[0.9] == (0.0, 1.0)
    with pytest.raises(TooFewQuestions):
        calibrated([0.5] * FEWEST, [0.5] * (FEWEST - 1))
