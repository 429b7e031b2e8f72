"""Rows over passages: as production renders them, verified, with refusals, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chatapp.answering.lines import NO_ANSWER
from chatapp.answering.prompt import last_question, read_sources
from chatapp.finetuning.datasets import reviewing, writing
from chatapp.finetuning.datasets.making import setting_of
from chatapp.finetuning.datasets.questions import QuestionsRefused, span_of
from chatapp.finetuning.datasets.raft import Case, LeftOut, Oracle, is_absent, raft_row
from chatapp.finetuning.datasets.verifying import verify
from knowledge.types import Scope

QUESTION = "Until when can visitors register?"
ANSWER = "Visitors can register at the front desk before 18:00."
QUOTE = "Visitors register at the front desk before 18:00 and wear a badge on all floors."


@pytest.fixture
def setting(raft: Any, actor: Any) -> Any:
    return setting_of(raft, actor=actor, origin="case", seed=1, options={"absent": 0.0})


@pytest.fixture
def case(library: Any) -> Case:
    version = library.documents[0].current_version
    version.document = library.documents[0]
    start, end = span_of(version, QUOTE)
    return Case(question=QUESTION, oracle=Oracle(version=version, start=start, end=end), answer=ANSWER)


def passes(proposal: Any, setting: Any) -> tuple[str, ...]:
    return verify(proposal.prompt, proposal.completion, thresholds=setting.thresholds).reasons


def test_row_is_what_production_would_ask_with_a_verified_answer(case: Case, setting: Any, library: Any) -> None:
    row = raft_row(case, setting)
    sources, question, _ = last_question(row.prompt)
    assert [message["role"] for message in row.prompt] == ["system", "user"]
    assert question == QUESTION
    assert len(sources) >= 2, "distractors come along"
    label = next(source.label for source in sources if QUOTE in source.text)
    assert row.completion == f"Visitors can register at the front desk before 18:00 [{label}]."
    assert passes(row, setting) == ()
    oracle, *read = row.sources
    assert (oracle.role, oracle.document, oracle.version) == ("oracle", library.documents[0].pk, 1)
    assert library.documents[1].pk in {source.document for source in read if source.role == "distractor"}
    assert raft_row(case, setting).key == row.key, "the same row is made again"


def test_order_of_passages_follows_the_seed(case: Case, setting: Any) -> None:
    orders = {
        tuple(s.text for s in read_sources(raft_row(case, replace(setting, seed=seed)).prompt[-1]["content"])[0])
        for seed in range(1, 9)
    }
    assert len(orders) > 1


def test_row_without_the_oracle_teaches_the_refusal_of_the_contract(case: Case, setting: Any) -> None:
    row = raft_row(case, replace(setting, absent=1.0))
    sources, _, _ = last_question(row.prompt)
    assert not any("18:00" in source.text for source in sources)
    assert row.completion == f"{NO_ANSWER}\nThe sources do not say: {QUESTION}"
    assert passes(row, setting) == ()
    assert row.sources[0].role == "oracle", "it was made from these words, read or not"


def test_passages_that_answer_as_well_are_no_distractors_of_a_refusal(case: Case, setting: Any, library: Any) -> None:
    from chatapp.finetuning.datasets import raft as module

    text = "Visitors can register at the front desk before 18:00, says the leaflet."
    copies = [
        replace(passage, version_id="other", text=text) if QUOTE in passage.text else passage
        for passage in module.search(
            module.chat_query(question=QUESTION, history=(), context_window=8192), scope=setting.scope
        ).passages
    ]
    assert any(passage.text == text for passage in copies)
    found = module._absent(case, setting, copies)
    assert "leaflet" not in found.prompt[-1]["content"]
    with pytest.raises(LeftOut, match="Nothing is left to read"):
        module._absent(case, setting, [passage for passage in copies if passage.text == text])


def test_oracle_that_the_search_does_not_bring_is_put_in(case: Case, setting: Any, library: Any) -> None:
    elsewhere = Scope(
        tenant=setting.scope.tenant, knowledge_bases=setting.scope.knowledge_bases,
        documents=frozenset({str(library.documents[1].pk)}),
    )  # fmt: skip
    row = raft_row(case, replace(setting, scope=elsewhere))
    assert any(QUOTE in source.text for source in last_question(row.prompt)[0])
    assert passes(row, setting) == ()


def test_about_a_sixth_of_the_questions_loses_its_oracle(setting: Any) -> None:
    drawn = replace(setting, absent=0.18)
    share = sum(is_absent(f"Question {number}?", drawn) for number in range(2_000)) / 2_000
    assert 0.15 < share < 0.21


WRONG = [
    ("Visitors register before 19:30 [{label}].", "number 19 not in the source"),
    ("The rules say “visitors must sing at the desk” [{label}].", "quotation not in the source"),
    ("Visitors register before 18:00.", "no source given"),
    ("Visitors register before 18:00 [S77].", "cites no source"),
    (f"{NO_ANSWER}\nNothing says so [{{label}}].", "a refusal cites none"),
    ("   ", "empty"),
]


def test_completion_that_its_sources_do_not_hold_does_not_pass(case: Case, setting: Any) -> None:
    row = raft_row(case, setting)
    label = row.completion.rpartition("[")[2].partition("]")[0]
    for completion, reason in WRONG:
        found = verify(row.prompt, completion.format(label=label), thresholds=setting.thresholds)
        assert reason in " ".join(found.reasons), completion


def test_curated_row_names_the_words_that_answer(raft: Any, actor: Any, library: Any) -> None:
    document = str(library.documents[0].pk)
    counts = writing.add_curated(
        actor=actor, dataset=raft, question=QUESTION, answer=ANSWER, document=document, quote=QUOTE
    )
    assert counts == {"proposed": 1}
    again = writing.add_curated(
        actor=actor, dataset=raft, question=QUESTION, answer=ANSWER, document=document, quote=QUOTE
    )
    assert (again["proposed"], again["known"]) == (0, 1)
    row = raft.versions.get().rows.get()
    assert (row.kind, row.state, row.flags) == ("grounded", "proposed", {})
    with pytest.raises(QuestionsRefused, match="does not stand in the document"):
        writing.add_curated(
            actor=actor, dataset=raft, question="When?", answer="Then.", document=document, quote="nowhere to be found"
        )


def test_wrong_answer_is_kept_as_unverified_and_cannot_be_approved(raft: Any, actor: Any, library: Any) -> None:
    writing.add_curated(
        actor=actor, dataset=raft, question=QUESTION, answer="Visitors register before 21:45.",
        document=str(library.documents[0].pk), quote=QUOTE,
    )  # fmt: skip
    row = raft.versions.get().rows.get()
    assert "number 21 not in the source" in row.flags["unverified"][0]
    with pytest.raises(reviewing.RowRefused, match="cannot be approved"):
        reviewing.review_row(actor=actor, row=row, state="approved")
    label = row.completion.rpartition("[")[2].partition("]")[0]
    reviewing.edit_row(actor=actor, row=row, completion=f"Visitors register before 18:00 [{label}].")
    reviewing.review_row(actor=actor, row=row, state="approved")
    row.refresh_from_db()
    assert (row.state, row.flags) == ("approved", {})
