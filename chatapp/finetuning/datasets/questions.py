"""Rows from questions with the words that answer them: a person's own, or a file of evaluation questions."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatapp.answering.evidence import whole_sentences
from chatapp.evaluation.expected import find, place
from chatapp.evaluation.labelled import UnusableSet
from chatapp.evaluation.question_files import Asked, read_questions
from chatapp.finetuning.datasets.near import words_of
from chatapp.finetuning.datasets.raft import Case, LeftOut, Oracle
from knowledge.documents import selectors
from knowledge.documents.access import access_version
from knowledge.documents.models import DocumentVersion, KnowledgeBase
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["Placed", "QuestionsRefused", "case_of", "key_of", "placed", "span_of"]

LONGEST_ANSWER = 8_000


class QuestionsRefused(KnowledgeError):
    code = "questions_refused"
    status = 422
    default_message = "These questions cannot be used."


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Questions as work of a build, and sentences about what could not be placed."""

    work: list[dict[str, Any]]
    notes: list[str]


def key_of(question: str) -> str:
    """Return the same key for the same words, whatever their case, spacing and punctuation."""
    words = words_of(question)
    return hashlib.sha256(" ".join(words or [question.strip()]).encode("utf-8", "surrogatepass")).hexdigest()


def placed(data: bytes, *, name: str, bases: Sequence[KnowledgeBase]) -> Placed:
    """Return the questions of a file (``question``, ``document``, ``quote``, perhaps ``answer``) with where their
    answers stand.

    :raises QuestionsRefused: the file cannot be read, or none of its questions names words of a document here.
    """
    try:
        asked = read_questions(data, name=name)
    except UnusableSet as error:
        raise QuestionsRefused(str(error)) from error
    work, unknown, lost, without = list[dict[str, Any]](), dict[str, None](), 0, 0
    seen: set[str] = set()
    for base in bases:
        found = place(asked, base=base)
        unknown.update(dict.fromkeys(found.unknown))
        lost += found.lost
        for question, expected in found.questions:
            spans = [span for each in expected for span in each.places[:1]]
            without += not spans
            if spans and question.text not in seen:
                seen.add(question.text)
                work.append(_item(question, spans[0].document, spans[0].start, spans[0].end, name))
    notes = [f"{len(asked) - len(seen)} of {len(asked)} questions were not placed."] if len(seen) < len(asked) else []
    notes += [f"{lost} quotes do not stand in their documents."] if lost else []
    notes += (
        [f"{without} questions name a document without words of it (“quote”): they are left out."] if without else []
    )
    if not work:
        raise QuestionsRefused(
            "None of these questions names words of a document in the knowledge bases of the dataset. "
            + " ".join([*notes, *(f"Unknown: “{title}”." for title in list(unknown)[:3])])
        )
    return Placed(work=work, notes=notes)


def _item(question: Asked, document: str, start: int, end: int, name: str) -> dict[str, Any]:
    return {
        "question": question.text, "document": document, "start": start, "end": end,
        "answer": question.answer[:LONGEST_ANSWER], "name": name[:100],
    }  # fmt: skip


def case_of(item: Mapping[str, Any], *, actor: Actor) -> Case:
    """Return the case of a piece of work.

    :raises LeftOut: its document is gone, or its words do not stand there any more.
    """
    try:
        version = access_version(actor=actor, document_id=item["document"])
    except KnowledgeError as error:
        raise LeftOut("Its document is gone.") from error
    text = selectors.text_of_version(str(version.pk))
    start, end = int(item["start"]), int(item["end"])
    if not 0 <= start < end <= len(text):
        raise LeftOut("Its document has a newer version without these words.")
    if not item.get("answer"):
        start, end = whole_sentences(text, start, end)
    return Case(
        question=item["question"], oracle=Oracle(version=version, start=start, end=end), answer=item.get("answer", ""),
        name=item.get("name", ""),
    )  # fmt: skip


def span_of(version: DocumentVersion, quote: str) -> tuple[int, int]:
    """Return where the words of a quote stand first in a version.

    :raises QuestionsRefused: they do not.
    """
    found = find(selectors.text_of_version(str(version.pk)), quote)
    if not found:
        raise QuestionsRefused(
            "The quote does not stand in the document. Copy it word for word from the reader, where it can be searched."
        )
    return found[0]


def kept_out(work: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what is kept of questions that no training row may ask."""
    for item in work:
        yield {
            "key": key_of(item["question"]), "text": item["question"], "document_ref": uuid.UUID(item["document"]),
            "start": item["start"], "end": item["end"],
        }  # fmt: skip
