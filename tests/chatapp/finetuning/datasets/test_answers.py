"""Rows of answers that were given: which are taken, which are not and why, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from stored_answers import QUOTES, stored_answer, stored_source

from chatapp.answering import LabelledPassage, build_messages
from chatapp.conversations.models import AnswerRun
from chatapp.finetuning.datasets import reviewing, starting
from chatapp.finetuning.datasets.queueing import BuildRefused
from chatapp.finetuning.datasets.versions import draft_of
from chatapp.labelling.models import SentenceLabel
from knowledge.documents.services import create_knowledge_base
from knowledge.tenants.access import actor_for
from knowledge.types import Passage

Add = Callable[..., dict[str, int]]

ASKED = "Until when do visitors register?"


@pytest.fixture
def visitors(actor: Any, tenant: Any) -> Any:
    from chatapp.conversations.services import ensure_default_assistant
    from chatapp.language_models.services import sync_environment_model

    base = create_knowledge_base(actor=actor, name="Rules")
    model = sync_environment_model(tenant=tenant)
    ensure_default_assistant(tenant=tenant, knowledge_bases=[base], language_model=model)
    return stored_source(base, "visitors")


@pytest.fixture
def given(actor: Any, visitors: Any) -> Callable[..., AnswerRun]:
    """Call to have an answer of a language model with one sentence that its source holds."""

    def make(text: str = ASKED, by: Any = actor, **changes: Any) -> AnswerRun:
        run = stored_answer(by, visitors, text=text)
        passage = run.passages.get()
        labelled = LabelledPassage("S1", Passage(
            key=str(passage.key), document=str(visitors.pk), version_id="", version=1, knowledge_base="",
            title=passage.title, heading_path=(), page_first=None, page_last=None, start=0, end=len(passage.text),
            text=passage.text, tokens=10, score=1.0,
        ))  # fmt: skip
        changes = {
            "model": "openai/some", "prompt": build_messages(question=text, passages=[labelled]),
            "raw_output": f"{QUOTES['visitors'][:-1]} [S1].", **changes,
        }  # fmt: skip
        changes.setdefault("sentences", [{"index": 0, "start": 0, "end": 9, "verdict": "supported", "reasons": []}])
        AnswerRun.objects.filter(pk=run.pk).update(**changes)
        return AnswerRun.objects.get(pk=run.pk)

    return make


@pytest.fixture
def add_answers(dataset: Any, run_builds: Callable[[], list[Any]]) -> Add:
    """Call with an actor to have rows of answers proposed; return what was counted."""

    def add(actor: Any, **more: Any) -> dict[str, int]:
        starting.start_answers(actor=actor, dataset=dataset, **more)
        (build,) = run_builds()
        assert build.state == "done", build.last_error
        return {name: count for name, count in build.counts.items() if count}

    return add


def test_held_answer_becomes_a_row_with_its_lineage(
    dataset: Any, actor: Any, add_answers: Add, given: Callable[..., AnswerRun], visitors: Any
) -> None:
    run = given()
    assert add_answers(actor) == {"proposed": 1}
    (row,) = draft_of(dataset).rows.all()
    assert (row.origin, row.kind, row.flags) == ("answer", "grounded", {})
    assert row.completion == run.raw_output
    sources = {source.role: source for source in row.sources.all()}
    assert sources["answer"].run_ref == run.pk
    assert sources["oracle"].document_ref == visitors.pk
    assert row.tokens, "it was checked beside the others"
    assert add_answers(actor) == {"known": 1}, "once, though fences are random"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "extractive/default"}, "no_model"),
        ({"sentences": [{"index": 0, "start": 0, "end": 9, "verdict": "weak", "reasons": []}]}, "not_held"),
        ({"prompt": [{"role": role, "content": "x"} for role in ("system", "user", "assistant", "user")]}, "follow_up"),
    ],
)  # fmt: skip
def test_other_answers_are_left_out_with_a_reason(
    dataset: Any, actor: Any, add_answers: Add, given: Callable[..., AnswerRun], changes: dict[str, Any], reason: str
) -> None:
    given(**changes)
    assert add_answers(actor) == {"left_out": 1, reason: 1}


def test_answer_over_a_deleted_document_is_left_out(
    dataset: Any, actor: Any, add_answers: Add, given: Callable[..., AnswerRun], visitors: Any
) -> None:
    given()
    visitors.delete()
    assert add_answers(actor) == {"left_out": 1, "closed": 1}


def test_answer_that_somebody_called_wrong_is_for_correction(
    dataset: Any, actor: Any, add_answers: Add, given: Callable[..., AnswerRun], tenant: Any, owner: Any
) -> None:
    run = given()
    SentenceLabel.objects.create(
        tenant=tenant, run_ref=run.pk, sentence=0, by=owner, label="not_supported", verdict="supported", chance=0.9,
        open=True, at_random=True, verifier="x",
    )  # fmt: skip
    assert add_answers(actor) == {"left_out": 1, "wrong": 1}
    assert add_answers(actor, to_correct=True) == {"proposed": 1, "unverified": 1}
    (row,) = draft_of(dataset).rows.all()
    assert row.origin == "feedback"
    with pytest.raises(reviewing.RowRefused, match="correct it"):
        reviewing.review_row(actor=actor, row=row, state="approved")
    reviewing.edit_row(actor=actor, row=row, completion="Visitors register at the front desk before 18:00 [S1].")
    reviewing.review_row(actor=actor, row=row, state="approved")


def test_editor_takes_own_answers_and_administrators_those_of_all(
    dataset: Any, actor: Any, add_answers: Add, given: Callable[..., AnswerRun], make_user: Any, tenant: Any
) -> None:
    user = make_user("editor@acme.test", tenant=tenant, role="editor")
    given()
    editor = actor_for(user_id=user.pk, tenant_id=tenant.pk)
    with pytest.raises(BuildRefused, match="There is no answer over documents yet"):
        add_answers(editor)
    given(text="Do visitors register?", by=editor)
    assert add_answers(editor) == {"proposed": 1}
    assert add_answers(actor) == {"proposed": 1, "known": 1}


def test_correction_of_an_answer_is_feedback(
    dataset: Any, actor: Any, add_answers: Add, given: Callable[..., AnswerRun]
) -> None:
    given()
    add_answers(actor)
    (row,) = draft_of(dataset).rows.all()
    reviewing.edit_row(actor=actor, row=row, completion="Visitors register before 18:00 [S1].")
    assert row.origin == "feedback"
