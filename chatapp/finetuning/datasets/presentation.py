"""Rows of training data as their pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatapp.answering.prompt import last_question
from chatapp.evaluation.expected import find
from chatapp.finetuning.datasets.checks import BLOCKING, FLAGS
from chatapp.finetuning.datasets.drifting import in_words
from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingRow
from chatapp.finetuning.datasets.shapes import question_of
from knowledge.documents import selectors
from knowledge.documents.access import access_version
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["Flag", "SourceShown", "counts_of", "drift_words", "flags_of", "following", "row_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """What was found on a row, for people."""

    name: str
    title: str
    blocks: bool
    words: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceShown:
    """A source of a prompt with the words that answer, cut for drawing: ``parts`` are ``(text, is the answer)``."""

    label: str
    title: str
    answers: bool
    parts: Sequence[tuple[str, bool]]


def flags_of(flags: Mapping[str, Any]) -> list[Flag]:
    """Return the flags of a row, what keeps it from approval first."""
    found = [
        Flag(name=name, title=title, blocks=name in BLOCKING, words=flags[name])
        for name, title in FLAGS.items()
        if name in flags
    ]
    return sorted(found, key=lambda flag: not flag.blocks)


def row_context(row: TrainingRow, *, actor: Actor) -> dict[str, Any]:
    """Return what the review page shows of a row: the question, its sources with the answer lit, and the rest."""
    sources, _, _ = last_question(row.prompt)
    quotes = _oracles(row, actor)
    rest = row.prompt[:-1] if sources else row.prompt
    return {
        "row": row,
        "question": question_of(row.prompt),
        "sources": [_shown(source.label, source.title, source.text, quotes) for source in sources],
        "messages": [message for message in rest if message["role"] != "system"] if sources else rest,
        "system": next((m["content"] for m in row.prompt if m["role"] == "system"), "") if sources else "",
        "flags": flags_of(row.flags),
        "lineage": list(row.sources.exclude(role=RowSource.Role.ANSWER).order_by("role", "title", "pk")),
        "answer": row.sources.filter(role=RowSource.Role.ANSWER).first(),
    }


def _oracles(row: TrainingRow, actor: Actor) -> list[str]:
    """Return the words that answer, as far as their versions are there for this reader."""
    found = []
    for source in row.sources.filter(role=RowSource.Role.ORACLE, document__isnull=False).order_by("pk"):
        try:
            version = access_version(actor=actor, document_id=source.document_id, number=source.version)
        except KnowledgeError:
            continue
        text = selectors.text_of_version(str(version.pk))[source.start or 0 : source.end or 0]
        if text.strip():
            found.append(text)
    # The shortest is the span itself; others are the passages around it.
    return sorted(set(found), key=len)[:1]


def _shown(label: str, title: str, text: str, quotes: Sequence[str]) -> SourceShown:
    places = [place for quote in quotes for place in find(text, quote)[:1]]
    if not places:
        return SourceShown(label=label, title=title, answers=False, parts=[(text, False)])
    start, end = places[0]
    parts = [(text[:start], False), (text[start:end], True), (text[end:], False)]
    return SourceShown(label=label, title=title, answers=True, parts=[part for part in parts if part[0]])


def counts_of(version: DatasetVersion, standing: Any) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return the approved rows by split, kind and origin, as tables with their words."""
    return [
        ("Use", [(label, standing.approved_split[name]) for name, label in TrainingRow.Split.choices]),
        ("Kind", [(label, n) for name, label in TrainingRow.Kind.choices if (n := standing.approved_kind[name])]),
        ("Origin", [(label, n) for name, label in TrainingRow.Origin.choices if (n := standing.approved_origin[name])]),
    ]


def drift_words(version: DatasetVersion) -> list[tuple[str, str]]:
    """Return what drift says of a frozen version, as lines."""
    before = version.drift.get("version_before")
    name = f"Against version {before}" if before else "Against the version before"
    return [
        (name, in_words(version.drift.get("before"))),
        ("Against questions asked", in_words(version.drift.get("asked"))),
    ]


def following(row: TrainingRow, *, state: str) -> tuple[uuid.UUID | None, uuid.UUID | None, int]:
    """Return the rows before and after one in its list of a state, and how many the list has."""
    rows = list(row.version.rows.filter(state=state).order_by("created", "pk").values_list("pk", "created"))
    place = (row.created, row.pk)
    before = [pk for pk, created in rows if (created, pk) < place]
    after = [pk for pk, created in rows if (created, pk) > place]
    return (before[-1] if before else None), (after[0] if after else None), len(rows)
