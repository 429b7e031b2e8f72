"""Who labels what, what they are shown, and what their labels change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from stored_answers import QUOTES, stored_answer, stored_source

from chatapp.answering.check import JudgedBy
from chatapp.answering.verification import default_record
from chatapp.answering.verification.verifier import HELD, NOT_FOUND, Judgement, with_thresholds
from chatapp.conversations import verifying
from chatapp.conversations.models import AnswerRun, Conversation
from chatapp.labelling import queue, records, selectors, services
from chatapp.labelling.models import SentenceLabel, VerificationRecord
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.parsing.formats import MARKDOWN
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def base(tenant: Any) -> KnowledgeBase:
    return KnowledgeBase.objects.create(tenant=tenant, name="Rules", slug="rules")


@pytest.fixture
def visitors(base: KnowledgeBase) -> Document:
    return stored_source(base, "visitors")


@pytest.fixture
def answered(owner: Any, tenant: Any, use_model: Any, visitors: Document) -> Callable[..., AnswerRun]:
    """Call for an answer whose first sentence cites the visitors and has the verdict given."""

    def answer(
        verdict: str = "weak", score: float = 0.4, reasons: list[str] | None = None, judged_by: str | None = None
    ) -> AnswerRun:
        use_model(tenant, "scripted-ok")
        run = stored_answer(actor_for(user_id=owner.pk), visitors)
        said = {"weak": "some of what it says is not there", "supported": HELD, "unsupported": NOT_FOUND}[verdict]
        first = {**run.sentences[0], "verdict": verdict, "score": score, "reasons": reasons or [said]}
        first |= {} if judged_by is None else {"judged_by": judged_by}
        AnswerRun.objects.filter(pk=run.pk).update(sentences=[first, *run.sentences[1:]], status="done")
        run.refresh_from_db()
        return run

    return answer


@pytest.fixture
def labeller(make_user: Any, tenant: Any) -> Any:
    return make_user("labeller@acme.test", tenant=tenant, role="admin")


@pytest.fixture
def editor(make_user: Any, tenant: Any) -> Any:
    return make_user("editor@acme.test", tenant=tenant, role="editor")


@pytest.fixture
def page(client: Client, labeller: Any) -> Callable[..., str]:
    def get() -> str:
        client.force_login(labeller)
        response = client.get("/labels/")
        assert response.status_code == 200
        return str(response.content.decode())

    return get


def post(client: Client, path: str, **data: object) -> int:
    return client.post(f"/labels/{path}", {key: str(value) for key, value in data.items()}).status_code


def test_the_sentence_is_shown_with_its_words_and_without_its_verdict(answered: Any, page: Any) -> None:
    answered()
    html = page()
    assert "Visitors register at the front desk before 18:00 and wear a badge." in html
    assert "<mark>" in html
    assert "About visitors" in html
    assert "some of what it says is not there" not in html
    assert "owner@acme.test" not in html
    assert "1 sentence waits for you" in html


def test_a_label_is_kept_the_next_comes_and_it_can_be_taken_back(
    answered: Any, page: Any, client: Client, labeller: Any
) -> None:
    run = answered()
    page()
    assert post(client, "label", run=run.pk, sentence=0, label="not_supported") == 302
    row = SentenceLabel.objects.get()
    assert (row.label, row.verdict, row.chance, row.open, row.by_id) == (
        "not_supported",
        "weak",
        0.4,
        True,
        labeller.pk,
    )
    assert row.verifier == default_record().verifier
    assert "You have labelled every sentence there is" in page()
    post(client, "label", run=run.pk, sentence=0, label="supported")
    assert SentenceLabel.objects.get().label == "supported", "a second look replaces the first"
    assert post(client, "undo") == 302
    assert not SentenceLabel.objects.exists()
    post(client, "undo")
    assert "There is no label to take back" in page()
    assert post(client, "label", run=run.pk, sentence=0, label="maybe") == 302
    assert not SentenceLabel.objects.exists()


@pytest.mark.parametrize(("sentence", "run"), [(9, None), (-1, None), ("x", None), (0, uuid.uuid4()), (0, "no id")])
def test_what_is_no_sentence_is_not_found(
    answered: Any, client: Client, labeller: Any, sentence: Any, run: Any
) -> None:
    found = answered()
    client.force_login(labeller)
    assert post(client, "label", run=run or found.pk, sentence=sentence, label="supported") == 404


def test_readers_do_not_label_and_editors_do_not_move_the_lines(
    answered: Any, client: Client, editor: Any, make_user: Any, tenant: Any
) -> None:
    run = answered()
    client.force_login(make_user("reader@acme.test", tenant=tenant, role="reader"))
    assert client.get("/labels/").status_code == 403
    assert post(client, "label", run=run.pk, sentence=0, label="supported") == 403
    client.force_login(editor)
    for wanted in ("fit", "reset", "1"):
        assert post(client, "records", do=wanted) == 403


def test_marks_of_markdown_are_not_shown(
    answered: Callable[..., AnswerRun], page: Callable[..., str], visitors: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUOTES, "visitors", "Visitors register at the **front desk** before 18:00 and wear a badge.")
    DocumentVersion.objects.filter(document=visitors).update(media_type=MARKDOWN)
    answered()
    assert "**" not in page()
    DocumentVersion.objects.filter(document=visitors).update(media_type="text/plain")
    assert "the **front desk** before" in page()


def test_sentences_of_others_and_of_closed_sources_are_not_there(
    answered: Any, client: Client, labeller: Any, page: Any, make_user: Any, other_tenant: Any, base: KnowledgeBase
) -> None:
    run = answered()
    stranger = make_user("stranger@other.test", tenant=other_tenant, role="owner")
    client.force_login(stranger)
    assert b"Visitors register" not in client.get("/labels/").content
    assert post(client, "label", run=run.pk, sentence=0, label="supported") == 404
    KnowledgeBase.objects.filter(pk=base.pk).update(tenant=other_tenant)
    assert "Visitors register" not in page()
    client.force_login(labeller)
    assert post(client, "label", run=run.pk, sentence=0, label="supported") == 404
    assert not SentenceLabel.objects.exists()


def test_editors_label_their_own_answers_and_administrators_everybodys(
    answered: Any, client: Client, editor: Any, labeller: Any
) -> None:
    run = answered()
    client.force_login(editor)
    assert b"Visitors register" not in client.get("/labels/").content
    assert post(client, "label", run=run.pk, sentence=0, label="supported") == 404
    Conversation.objects.filter(pk=run.conversation_id).update(user=editor)
    html = client.get("/labels/").content.decode()
    assert "Visitors register" in html
    assert "The answers are your own" in html
    assert post(client, "label", run=run.pk, sentence=0, label="supported") == 302
    client.force_login(labeller)
    html = client.get("/labels/").content.decode()
    assert "Visitors register" in html
    assert run.question.text not in html


def test_what_exact_words_decided_counts_as_certain(answered: Any, labeller: Any) -> None:
    run = answered("unsupported", 0.7, ["number 14 not in the source"])
    actor = actor_for(user_id=labeller.pk)
    assert actor is not None
    candidate = queue.access_sentence(actor=actor, run=run.pk, index=0)
    assert (candidate.chance, candidate.open) == (0.0, False)


@pytest.mark.parametrize(
    ("judged_by", "score", "chance", "by_chance"),
    [
        (None, 0.4, 0.4, True), ("vectors", 0.4, 0.4, True), ("words", 0.4, 0.4, True), ("check", 0.4, 0.0, False),
        ("judge", 0.95, 0.95, False), ("encoder", 0.7, 0.7, False),
    ],
)  # fmt: skip
def test_what_a_model_judged_is_not_taken_for_the_chance_though_it_says_the_same(
    answered: Any, client: Client, labeller: Any, judged_by: str | None, score: float, chance: float, by_chance: bool
) -> None:
    run = answered("weak", score, judged_by=judged_by)
    client.force_login(labeller)
    post(client, "label", run=run.pk, sentence=0, label="supported")
    row = SentenceLabel.objects.get()
    assert (row.chance, row.open, row.judged_by) == (chance, by_chance, judged_by or "")
    assert [each.open for each in selectors.marked(run.tenant_id)] == [by_chance]


def test_a_label_keeps_the_verifier_that_judged_the_sentence_then(answered: Any, client: Client, labeller: Any) -> None:
    run = answered()
    assert run.verification["verifier"] == default_record().verifier
    client.force_login(labeller)
    for kept, verifier in (({}, default_record().verifier), ({**run.verification, "verifier": "older"}, "older")):
        AnswerRun.objects.filter(pk=run.pk).update(verification=kept)
        post(client, "label", run=run.pk, sentence=0, label="supported")
        assert SentenceLabel.objects.get().verifier == verifier
    assert selectors.marked(run.tenant_id) == [], "of another verifier's chances"


def test_a_label_outlives_its_answer_as_a_number(answered: Any, client: Client, labeller: Any) -> None:
    run = answered()
    client.force_login(labeller)
    post(client, "label", run=run.pk, sentence=0, label="supported")
    run.conversation.delete()
    [row] = selectors.marked(run.tenant_id)
    assert (row.chance, row.held) == (0.4, True)


def labels(tenant: Any, user: Any, *rows: tuple[float, str], at_random: bool = True) -> None:
    SentenceLabel.objects.bulk_create(
        SentenceLabel(
            tenant=tenant, run_ref=uuid.uuid4(), sentence=0, by=user, label=label, verdict="weak", chance=chance,
            open=True, at_random=at_random, verifier=default_record().verifier,
        )
        for chance, label in rows
    )  # fmt: skip


def test_the_curve_moves_with_the_labels(tenant: Any, labeller: Any, page: Any) -> None:
    assert "There are not enough labels yet" in page()
    labels(tenant, labeller, *[(0.6, "supported")] * 20, *[(0.2, "not_supported")] * 20)
    assert "AUROC 1.000" in page()
    labels(tenant, labeller, *[(0.1, "supported")] * 20)
    html = page()
    assert "AUROC 0.500" in html
    assert "<polyline" in html
    assert "Supported: 40, Not supported: 20, Unsure: 0." in html


def test_people_who_disagree_tell_nothing_and_are_counted(tenant: Any, labeller: Any, owner: Any, page: Any) -> None:
    run = uuid.uuid4()
    for user, label in ((labeller, "supported"), (owner, "not_supported")):
        SentenceLabel.objects.create(
            tenant=tenant, run_ref=run, sentence=0, by=user, label=label, verdict="weak", chance=0.4, open=True,
            at_random=True, verifier=default_record().verifier,
        )  # fmt: skip
    assert selectors.marked(tenant.pk) == []
    assert "Where several people labelled the same sentence (1), 0.00 of their labels are alike" in page()


def test_thresholds_are_fitted_used_and_set_back(
    tenant: Any, labeller: Any, owner: Any, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    client.force_login(owner)
    post(client, "records", do="fit")
    assert b"Thresholds are fitted from 50 sentences of each kind" in client.get("/labels/").content
    labels(tenant, labeller, *[(0.35, "supported")] * 60, *[(0.2, "not_supported")] * 60)
    post(client, "records", do="fit")
    record = VerificationRecord.objects.get()
    assert (record.active, record.held, record.others, record.auroc) == (False, 60, 60, 1.0)
    assert record.balanced_accuracy > record.shipped_accuracy
    assert verifying.thresholds_of(tenant.pk).record is None
    with django_capture_on_commit_callbacks(execute=True):
        assert post(client, "records", do=record.pk) == 302
    found = verifying.thresholds_of(tenant.pk)
    assert (found.pair, found.record) == ((record.supported, record.unsupported), record.pk)
    assert b"In force" in client.get("/labels/").content
    assert services.reset_record(actor=actor_for(user_id=owner.pk)) is None  # type: ignore[arg-type,func-returns-value]
    assert verifying.thresholds_of(tenant.pk).record is None
    for unknown in ("999999", "x", ""):
        assert post(client, "records", do=unknown) == 404


def test_a_record_of_another_tenant_or_verifier_is_not_used(
    tenant: Any, other_tenant: Any, owner: Any, client: Client
) -> None:
    fields = {
        "supported": 0.4, "unsupported": 0.2, "held": 60, "others": 60, "auroc": 0.9, "auroc_low": 0.8,
        "auroc_high": 0.95, "balanced_accuracy": 0.8, "shipped_accuracy": 0.7,
    }  # fmt: skip
    foreign = VerificationRecord.objects.create(tenant=other_tenant, verifier=default_record().verifier, **fields)
    old = VerificationRecord.objects.create(tenant=tenant, verifier="older", active=True, **fields)
    client.force_login(owner)
    for row in (foreign, old):
        assert post(client, "records", do=row.pk) == 404
    records.forget(tenant.pk)
    assert verifying.thresholds_of(tenant.pk).pair == (default_record().supported, default_record().unsupported)


def test_own_thresholds_change_only_what_a_chance_decided() -> None:
    def judged(score: float, by: JudgedBy = "vectors") -> Judgement:
        return Judgement(verdict="weak", score=score, reasons=("as it was",), evidence=None, judged_by=by)

    by_chance = [judged(0.4), judged(0.1, "words"), judged(0.25)]
    others = [judged(0.0, "check"), judged(0.9, "encoder"), judged(0.9, "judge")]
    found = with_thresholds([*by_chance, *others], (0.3, 0.2))
    assert [each.verdict for each in found] == ["supported", "unsupported", "weak", *["weak"] * 3]
    assert found[0].reasons == (HELD,)
    assert found[3:] == others
