"""Rows of answers that were given: which are taken, which are not and why, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from stored_answers import QUOTES, stored_answer, stored_source

from chatapp.answering import LabelledPassage, build_messages
from chatapp.conversations.models import AnswerRun
from chatapp.finetuning.datasets import services
from chatapp.finetuning.datasets.versions import draft_of
from chatapp.labelling.models import SentenceLabel
from knowledge.documents.services import create_knowledge_base
from knowledge.tenants.access import actor_for
from knowledge.types import Passage

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


def test_held_answer_becomes_a_row_with_its_lineage(
    dataset: Any, actor: Any, given: Callable[..., AnswerRun], visitors: Any
) -> None:
    run = given()
    counts, left_out = services.add_answers(actor=actor, dataset=dataset)
    assert (counts["proposed"], counts["unverified"], dict(left_out)) == (1, 0, {})
    (row,) = draft_of(dataset).rows.all()
    assert (row.origin, row.kind, row.flags) == ("answer", "grounded", {})
    assert row.completion == run.raw_output
    sources = {source.role: source for source in row.sources.all()}
    assert sources["answer"].run_ref == run.pk
    assert sources["oracle"].document_ref == visitors.pk
    assert services.add_answers(actor=actor, dataset=dataset)[0]["known"] == 1, "once, though fences are random"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "extractive/default"}, "no_model"),
        ({"sentences": [{"index": 0, "start": 0, "end": 9, "verdict": "weak", "reasons": []}]}, "not_held"),
        ({"prompt": [{"role": role, "content": "x"} for role in ("system", "user", "assistant", "user")]}, "follow_up"),
    ],
)  # fmt: skip
def test_other_answers_are_left_out_with_a_reason(
    dataset: Any, actor: Any, given: Callable[..., AnswerRun], changes: dict[str, Any], reason: str
) -> None:
    given(**changes)
    counts, left_out = services.add_answers(actor=actor, dataset=dataset)
    assert (counts["proposed"], dict(left_out)) == (0, {reason: 1})


def test_answer_over_a_deleted_document_is_left_out(
    dataset: Any, actor: Any, given: Callable[..., AnswerRun], visitors: Any
) -> None:
    given()
    visitors.delete()
    assert dict(services.add_answers(actor=actor, dataset=dataset)[1]) == {"closed": 1}


def test_answer_that_somebody_called_wrong_is_for_correction(
    dataset: Any, actor: Any, given: Callable[..., AnswerRun], tenant: Any, owner: Any
) -> None:
    run = given()
    SentenceLabel.objects.create(
        tenant=tenant, run_ref=run.pk, sentence=0, by=owner, label="not_supported", verdict="supported", chance=0.9,
        open=True, at_random=True, verifier="x",
    )  # fmt: skip
    assert dict(services.add_answers(actor=actor, dataset=dataset)[1]) == {"wrong": 1}
    services.add_answers(actor=actor, dataset=dataset, to_correct=True)
    (row,) = draft_of(dataset).rows.all()
    assert row.origin == "feedback"
    with pytest.raises(services.RowRefused, match="correct it"):
        services.review_row(actor=actor, row=row, state="approved")
    services.edit_row(actor=actor, row=row, completion="Visitors register at the front desk before 18:00 [S1].")
    services.review_row(actor=actor, row=row, state="approved")


def test_editor_takes_own_answers_and_administrators_those_of_all(
    dataset: Any, actor: Any, given: Callable[..., AnswerRun], make_user: Any, tenant: Any
) -> None:
    user = make_user("editor@acme.test", tenant=tenant, role="editor")
    given()
    editor = actor_for(user_id=user.pk, tenant_id=tenant.pk)
    assert services.add_answers(actor=editor, dataset=dataset)[0]["proposed"] == 0
    given(text="Do visitors register?", by=editor)
    assert services.add_answers(actor=editor, dataset=dataset)[0]["proposed"] == 1
    assert services.add_answers(actor=actor, dataset=dataset)[0]["proposed"] == 1


def test_correction_of_an_answer_is_feedback(dataset: Any, actor: Any, given: Callable[..., AnswerRun]) -> None:
    given()
    services.add_answers(actor=actor, dataset=dataset)
    (row,) = draft_of(dataset).rows.all()
    services.edit_row(actor=actor, row=row, completion="Visitors register before 18:00 [S1].")
    assert row.origin == "feedback"
