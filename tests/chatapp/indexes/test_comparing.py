"""Two indexes on the same questions: figures, sentences, the command."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from index_work import work_on_indexes

from chatapp.evaluation.generations import TOP
from chatapp.evaluation.question_files import Asked, Wanted
from chatapp.evaluation.verdicts import lines, sentences, verdict
from chatapp.indexes.asking import recent_questions
from chatapp.indexes.comparing import NothingToCompare, called, compared, other_of
from knowledge.documents import searching
from knowledge.documents.indexes import generations
from knowledge.documents.models import DocumentVersion, IndexGeneration
from knowledge.tenants.access import actor_for, system_actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

KNOWN = (
    Asked(text="Where do guests park?", wanted=(Wanted("visitors.md", "park in the yard"),)),
    Asked(text="How many days of leave are there?", wanted=(Wanted("leave.md", "27 days of annual leave"),)),
    Asked(text="Until when is leave carried over?", wanted=(Wanted("leave.md", "until 31\nMarch"),)),
)


@pytest.fixture
def other(library: Any) -> IndexGeneration:
    found = generations.start(base=library.base, chunker="fixed:target=100")
    work_on_indexes()
    library.base.refresh_from_db()
    found.refresh_from_db()
    return found


def evaluate(*arguments: object) -> str:
    out = io.StringIO()
    call_command("evaluate", "generations", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_both_are_asked_and_judged_by_passage_and_document(library: Any, other: IndexGeneration) -> None:
    found = compared(KNOWN, base=library.base, other=other)
    assert (found.asked, found.of) == (3, 3)
    by = {judged.by: judged for judged in found.judged}
    assert list(by) == ["passage", "document"]
    assert [m.name for m in by["passage"].measures] == ["hit@1", "recall@1", "recall@5", "recall@10", "MRR@10"]
    assert by["document"].live_first == by["document"].other_first == 3
    assert by["passage"].questions == 3
    assert found.live_ms > 0
    assert found.other_ms > 0
    assert found.live.endswith("structural")
    assert found.other.endswith("fixed:target=100")
    assert json.loads(json.dumps(found.as_json()))["judged"][0]["by"] == "passage"


def test_an_index_that_lost_a_document_is_told_from_one_that_has_it(library: Any, other: IndexGeneration) -> None:
    """The records of one document are taken out of the other index: the questions that it answers are lost there."""
    from knowledge.documents.models import Chunk

    leave = library.documents[1].current_version
    Chunk.objects.filter(generation=other, version=leave).delete()
    found = compared(KNOWN, base=library.base, other=other)
    judged = found.judged[0]
    assert (judged.live_first, judged.better) == (3, ())
    assert {(c.question, c.live, c.other) for c in judged.worse} == {(q.text, 1, None) for q in KNOWN[1:]}
    assert found.agreement.same_first == 1
    assert 0 < found.agreement.overlap < 1
    assert judged.measures[0].difference.value == pytest.approx(-2 / 3)
    text = "\n".join(lines(found))
    assert "The new index finds the right passage first for 1 of 3 questions, the one in use for 3;" in text
    assert "better for 0, worse for 2" in text


def test_what_cannot_be_placed_is_said(library: Any, other: IndexGeneration) -> None:
    questions = [
        *KNOWN,
        Asked(text="Who cooks?", wanted=(Wanted("menu.md", "the cook"),)),
        Asked(text="When is the desk open?", wanted=(Wanted("visitors", "the desk is open at night"),)),
    ]
    found = compared(questions, base=library.base, other=other)
    assert found.asked == 4
    assert found.notes == (
        "Not in this knowledge base, and left out: “menu.md”.",
        "1 quotes do not stand in their documents; any passage of these counts.",
    )
    with pytest.raises(NothingToCompare, match=r"None of these questions names a document of House rules\."):
        compared(questions[3:4], base=library.base, other=other)


def test_time_that_is_short_asks_fewer(library: Any, other: IndexGeneration) -> None:
    found = compared(KNOWN, base=library.base, other=other, seconds=0)
    assert (found.asked, found.of) == (1, 3)
    assert any("1 of 3 questions, drawn at random, were asked" in line for line in sentences(found))


def test_only_what_is_built_is_compared(library: Any, other: IndexGeneration) -> None:
    assert other_of(library.base).pk == other.pk
    assert called(other) == "The new index"
    with pytest.raises(NothingToCompare, match="is the one in use"):
        other_of(library.base, library.base.live_generation)
    generations.make_live(other)
    library.base.refresh_from_db()
    former = other_of(library.base)
    assert called(former) == "The index from before"
    former.state = IndexGeneration.State.BUILDING
    with pytest.raises(NothingToCompare, match="not built to the end"):
        other_of(library.base, former)


@pytest.fixture
def asked(library: Any, use_model: Any, owner: Any, make_user: Any) -> Any:
    """Call with a user and a question: it was asked of the library and answered after a search."""
    from stored_answers import stored_answer

    from chatapp.conversations.models import AnswerRun

    def ask(user: Any, text: str, *, bases: Any = None, turns: Any = (), **more: Any) -> AnswerRun:
        use_model(library.tenant, "scripted-ok")
        run = stored_answer(actor_for(user_id=user.pk), text=text)
        changes = {"knowledge_bases": bases or [str(library.base.pk)], "retrieval": {"limit": 8, "turns": list(turns)}}
        AnswerRun.objects.filter(pk=run.pk).update(**{**changes, **more})
        return run

    return ask


def test_questions_asked_last_are_taken_once_each(library: Any, asked: Any, owner: Any, make_user: Any) -> None:
    from django.utils import timezone

    editor = make_user("editor@acme.test", tenant=library.tenant, role="editor")
    turns = [{"role": "user", "text": "Tell me about leave."}]
    asked(owner, "When may I park?")
    asked(editor, "How many days?", turns=turns)
    asked(owner, "when may I park")
    asked(owner, "Of another base?", bases=["00000000-0000-0000-0000-000000000000"])
    asked(owner, "Hello", retrieval={})
    asked(owner, "Erased?", erased=timezone.now())
    everybody = recent_questions(actor=system_actor(library.tenant), base=library.base, most=10)
    assert [one.text for one in everybody] == ["when may I park", "How many days?"]
    assert everybody[1].history[0].text == "Tell me about leave."
    own = recent_questions(actor=actor_for(user_id=editor.pk), base=library.base, most=10)
    assert [one.text for one in own] == ["How many days?"]
    assert len(recent_questions(actor=system_actor(library.tenant), base=library.base, most=1)) == 1


def test_the_command_compares_on_real_questions_and_on_files(
    library: Any, other: IndexGeneration, asked: Any, owner: Any, tmp_path: Path
) -> None:
    where = ("--tenant", "acme", "--knowledge-base", library.base.slug)
    with pytest.raises(CommandError, match="Nobody has asked anything here yet"):
        evaluate(*where)
    asked(owner, "When may guests park?")
    said = evaluate(*where)
    assert "Both find the same passage first for" in said
    assert "of 1 question;" in said
    file = tmp_path / "q.jsonl"
    rows = [{"question": a.text, "document": a.wanted[0].document, "quote": a.wanted[0].quote} for a in KNOWN]
    file.write_text("\n".join(map(json.dumps, rows)))
    figures = tmp_path / "figures.json"
    said = evaluate(*where, "--file", file, "--with", other.pk, "--json", figures)
    assert "The new index finds the right passage first for" in said
    assert json.loads(figures.read_text())["asked"] == 3
    file.write_text("{")
    with pytest.raises(CommandError, match="line 1: not JSON"):
        evaluate(*where, "--file", file)
    with pytest.raises(CommandError, match="No such index"):
        evaluate(*where, "--with", DocumentVersion.objects.all()[0].pk)


@pytest.mark.parametrize(
    ("live", "new", "p", "words"),
    [
        (79, 84, 0.18, "for 84 of 100 questions, the one in use for 79; the difference may be chance (p = .18)."),
        (60, 84, 0.004, "for 84 of 100 questions, the one in use for 60; that is hardly chance (p = .004)."),
        (60, 84, 0.0002, "the one in use for 60; that is hardly chance (p < .001)."),
        (84, 84, 1.0, "for 84 of 100 questions, and so does the one in use for 84."),
    ],
)
def test_the_sentence_to_decide_by(live: int, new: int, p: float, words: str) -> None:
    from chatapp.evaluation.bootstrap import Figure
    from chatapp.evaluation.generations import Judged, Measure

    none = Figure(0.0, 0.0, 0.0)
    measure = Measure(name="hit@1", live=none, other=none, difference=none, p=p)
    judged = Judged(
        by="passage", questions=100, live_first=live, other_first=new, measures=(measure,), better=(), worse=()
    )  # fmt: skip
    said = verdict(judged, called="The new index")
    assert said.startswith("The new index finds the right passage first ")
    assert said.endswith(words)


def test_overlap_counts_ranges_of_the_same_document(library: Any, other: IndexGeneration) -> None:
    from knowledge.types import Query, Scope

    scope = Scope(tenant=str(library.tenant.pk), knowledge_bases=frozenset({str(library.base.pk)}))
    found = compared([Asked(text="badge parking leave")], base=library.base, other=other)
    live = searching.search(Query(text="badge parking leave"), scope=scope).passages[:TOP]
    named = {str(library.base.pk): str(other.pk)}
    new = searching.search(Query(text="badge parking leave"), scope=scope, generations=named).passages[:TOP]

    def met(ones: Any, others: Any) -> float:
        return sum(any(set(range(a.start, a.end)) & set(range(b.start, b.end)) and a.document == b.document for b in others) for a in ones) / len(ones)  # fmt: skip

    assert found.agreement.overlap == pytest.approx((met(live, new) + met(new, live)) / 2, abs=1e-4)
    assert found.judged == ()
