"""An answer with its proof: what the file holds, and what a check says of one that was touched."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from chatapp.conversations.audit import Finding
from chatapp.conversations.exports import NOT_PROVEN, checked_export, export
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.records import digest_of, record_of
from chatapp.conversations.sealing import canonical
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.documents.services import erase_document

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

WORDS = ("Visitors register", "front desk", "About visitors")


def run_command(*arguments: object) -> str:
    out = StringIO()
    call_command("audit", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_an_exported_answer_proves_itself(make_answer: Any, visitors: Document, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    assert "digest" in run_command("--export", make_answer(visitors).pk, file)
    data = json.loads(file.read_text())
    assert data["readable"].startswith("Visitors register at the front desk")
    assert "as it was recorded" in run_command("--check", file)
    for change, words in (
        (lambda d: d["texts"].update(question="No."), "Question is not as it was recorded."),
        (lambda d: d["passages"][0].update(text="No."), "Passage S1 is not as it was recorded."),
        (lambda d: d["passages"][0].update(title="No."), "Passage S1 is not as it was recorded."),
        (lambda d: d["passages"][0].update(page=7), "Passage S1 is not as it was recorded."),
        (lambda d: d["citations"][0].update(quote="No."), "Citation S1 is not as it was recorded."),
        (lambda d: d["citations"][0].update(number=2), "Citation S1 is not as it was recorded."),
        (lambda d: d["entry"].update(previous="ff"), "The digest is not as it was recorded."),
        (lambda d: d["entry"].update(sequence=2), "The sequence is not as it was recorded."),
        (lambda d: d.update(readable="No."), "The readable text is not as it was recorded."),
        (lambda d: d["citations"].clear(), "This is no exported answer."),
        (lambda d: d["texts"].clear(), "This is no exported answer."),
        (lambda d: d.update(texts=[]), "This is no exported answer."),
    ):
        altered = json.loads(file.read_text())
        change(altered)
        assert [finding.words for finding in checked_export(altered)] == [words]
    assert checked_export([])[0].words == "This is no exported answer."


def test_an_export_tells_what_was_erased(
    make_answer: Any, visitors: Document, leave: Document, actor: Any, tmp_path: Path
) -> None:
    run = make_answer(visitors, leave)
    erase_document(document=visitors, actor=actor)
    file = tmp_path / "answer.json"
    run_command("--export", run.pk, file)
    data = json.loads(file.read_text())
    assert [p["standing"] for p in data["passages"]] == ["erased", "current"]
    said = run_command("--check", file)
    assert "Erased, as the file says: " in said
    assert "not proven" in said
    data["passages"][1]["text"] = "No."
    assert [f.words for f in checked_export(data) if f.broken] == ["Passage S2 is not as it was recorded."]
    del data["salts"]
    assert checked_export(data)[0].words == "This is no exported answer."


def test_a_file_holds_nothing_in_place_of_what_it_says_is_missing(
    make_answer: Any, visitors: Document, leave: Document, actor: Any
) -> None:
    run = make_answer(visitors, leave)
    whole = json.dumps(export(run))
    erase_document(document=visitors, actor=actor)
    data = json.loads(json.dumps(export(run)))
    assert (data["texts"]["answer"], data["sentences"], data["readable"]) == ("", [], "")
    assert [finding.broken for finding in checked_export(data)] == [False, False]
    source = next(part for part in data["erased"] if part.startswith("source "))
    for part, change, words in (
        ("prompt", lambda d: d["texts"].update(prompt=["No."]), "Prompt"),
        ("answer", lambda d: d["texts"].update(answer="No.") or d.update(readable="No."), "Answer"),
        ("sentences", lambda d: d["sentences"][0].update(verdict="weak"), "The verdicts of sentences"),
        (source, lambda d: d["passages"][0].update(text="No."), "Passage S1"),
        (source, lambda d: d["citations"][0].update(quote="No."), "Citation S1"),
    ):
        for named in ({"erased": {part: "2026-01-01"}}, {"withheld": [part]}):
            altered = json.loads(whole) | named
            for row in [*altered["passages"][:1], *altered["citations"][:1]] if part == source else ():
                row.update({name: "" for name in ("title", "text", "quote") if name in row})
            change(altered)
            broken = [finding.words for finding in checked_export(altered) if finding.broken]
            assert broken == [f"{words} is not as it was recorded."], part


def test_a_file_without_sentences_is_none_of_ours_but_of_the_first_format(make_answer: Any, visitors: Document) -> None:
    data = export(make_answer(visitors))
    del data["sentences"]
    assert [finding.words for finding in checked_export(data)] == ["This is no exported answer."]
    record = canonical(record_of(AnswerRun.objects.get(), sequence=1, form="footnote-answer-1"))
    data["entry"] |= {"record": record, "digest": digest_of(data["entry"]["previous"], record)}
    assert checked_export(data) == []


def test_an_export_withholds_what_nobody_of_the_tenant_may_see(
    make_answer: Any, make_base: Any, make_source: Any, visitors: Document, base: KnowledgeBase, other_tenant: Any
) -> None:
    run = make_answer(visitors, make_source(make_base("open"), "leave"))
    assert checked_export(export(run)) == []
    KnowledgeBase.objects.filter(pk=base.pk).update(tenant=other_tenant)
    data = json.loads(json.dumps(export(run)))
    assert not any(words in json.dumps(data, ensure_ascii=False) for words in WORDS)
    assert [p["standing"] for p in data["passages"]] == ["forbidden", "current"]
    found, not_proven = checked_export(data)
    assert not_proven == Finding(False, NOT_PROVEN)
    assert found == Finding(
        False, "Withheld from who made the file: answer, query, prompt, raw output, retrieval, 1 source."
    )
    data["citations"][1]["quote"] = "No."
    assert checked_export(data)[-1].words == "Citation S2 is not as it was recorded."
