"""Which sentence a person is shown next, and whether they may see it.

Half of all sentences, drawn by a digest of their place, stand for the whole: they are shown in the order of that digest
and alone make the curve. Of the other half those come first whose chance is nearest to a threshold. Both take turns.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db.models import Prefetch

from chatapp.answering.folding import plain
from chatapp.answering.gate import WITHHELD
from chatapp.answering.verification import default_record
from chatapp.answering.verification.verifier import BY_CHANCE, BY_MODEL, SAID_OF
from chatapp.conversations.access import visible_runs
from chatapp.conversations.models import AnswerRun, Citation
from chatapp.conversations.selectors import citation_detail, kinds_of
from chatapp.conversations.shown import shown_of
from chatapp.conversations.standing import standings
from chatapp.conversations.verifying import thresholds_of
from chatapp.labelling.models import SentenceLabel
from knowledge.documents.access import as_uuid
from knowledge.errors import NotFound
from knowledge.tenants.access import Actor

__all__ = ["Candidate", "SentenceNotFound", "access_sentence", "next_sentence"]

RUNS = 200
"""Answers that sentences are taken from: the newest ones."""

JUDGED = frozenset({"supported", "weak", "unsupported"})


class SentenceNotFound(NotFound):
    default_message = "No such sentence."


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A checked sentence of an answer with the words it rests on."""

    run: AnswerRun
    index: int
    text: str
    verdict: str
    chance: float  # 0..1, that its sources hold it
    open: bool  # only the fitted chance decided
    judged_by: str  # see ``JudgedBy``; empty where the answer is older than that
    citations: tuple[Citation, ...]

    @property
    def place(self) -> tuple[uuid.UUID, int]:
        return self.run.pk, self.index

    @property
    def verifier(self) -> str:
        """Whose chance it is; of answers that do not say it, today's."""
        return str(self.run.verification.get("verifier") or default_record().verifier)

    @property
    def digest(self) -> str:
        return sha256(f"{self.run.pk}:{self.index}".encode()).hexdigest()

    @property
    def at_random(self) -> bool:
        return int(self.digest[-1], 16) % 2 == 0

    def sources(self, *, actor: Actor) -> list[dict[str, Any]]:
        """Return the cited words as a page shows them."""
        shown, kinds = shown_of(self.run, actor=actor), kinds_of([self.run])
        return [
            citation_detail(citation, shown=shown, slides=kinds.slides, markdown=kinds.markdown)
            for citation in self.citations
        ]


def next_sentence(*, actor: Actor) -> tuple[Candidate | None, int]:
    """Return the sentence to label next, and how many wait for the actor, those of documents they may not see included.

    There is none to label next where the actor has labelled all that they may see.
    """
    labelled = SentenceLabel.objects.filter(tenant_id=actor.tenant_id, by_id=actor.user_id)
    done = set(labelled.values_list("run_ref", "sentence"))
    waiting = [each for each in _candidates(actor) if each.place not in done]
    drawn = sorted((each for each in waiting if each.at_random), key=lambda each: each.digest)
    limits = thresholds_of(actor.tenant_id).pair
    unsure = sorted(
        (each for each in waiting if not each.at_random),
        key=lambda each: (not each.open, min(abs(each.chance - limit) for limit in limits), each.digest),
    )
    order = [*drawn, *unsure] if len(done) % 2 == 0 else [*unsure, *drawn]
    return next(_seen_by(actor, order), None), len(waiting)


def access_sentence(*, actor: Actor, run: object, index: int) -> Candidate:
    """:raises SentenceNotFound: there is none, or the actor may not see the answer or a source of the sentence."""
    parsed = as_uuid(run)
    rows = _runs(actor).filter(pk=parsed) if parsed and 0 <= index < 2**31 else ()
    wanted = [each for row in rows for each in _of_run(row) if each.index == index]
    found = next(_seen_by(actor, wanted), None)
    if found is None:
        raise SentenceNotFound
    return found


def _runs(actor: Actor) -> Any:
    ended = (AnswerRun.Status.DONE, AnswerRun.Status.STOPPED)
    cited = Prefetch("citations", queryset=Citation.objects.select_related("passage").order_by("number", "id"))
    rows = visible_runs(actor=actor).filter(status__in=ended, citations__isnull=False).distinct()
    return rows.select_related("answer").prefetch_related(cited)


def _candidates(actor: Actor) -> list[Candidate]:
    runs = _runs(actor).defer("events", "prompt", "raw_output").order_by("-started", "pk")[:RUNS]
    return [candidate for run in runs for candidate in _of_run(run)]


def _of_run(run: AnswerRun) -> Iterator[Candidate]:
    """Yield the statements of an answer that cite something and got a verdict."""
    for sentence in run.sentences:
        if sentence["verdict"] not in JUDGED or WITHHELD in sentence["reasons"]:
            continue
        cited = tuple(each for each in run.citations.all() if each.sentence == sentence["index"])
        text = plain(run.answer.text[sentence["start"] : sentence["end"]])
        if not cited or not text:
            continue
        is_open = _is_open(sentence)
        yield Candidate(
            run=run, index=sentence["index"], text=text, verdict=sentence["verdict"], citations=cited,
            chance=_chance(sentence, is_open=is_open), open=is_open, judged_by=sentence.get("judged_by", ""),
        )  # fmt: skip


def _is_open(sentence: dict[str, Any]) -> bool:
    """Tell whether only the fitted chance decided. In answers that do not say who judged, the reason tells."""
    if "judged_by" in sentence:
        return sentence["judged_by"] in BY_CHANCE
    return list(sentence["reasons"]) == [SAID_OF[sentence["verdict"]]]


def _chance(sentence: dict[str, Any], *, is_open: bool) -> float:
    """Return the chance behind a verdict. The score of what exact words or numbers decided is a share of words."""
    if is_open or sentence.get("judged_by") in BY_MODEL:
        return float(sentence["score"])
    return 1.0 if sentence["verdict"] == "supported" else 0.0


def _seen_by(actor: Actor, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield those of which the actor may open every document that the sentence cites; asked once for all of them."""
    where = standings((c.passage for candidate in candidates for c in candidate.citations), actor=actor)
    for candidate in candidates:
        if all(where[citation.passage_id].opens for citation in candidate.citations):
            yield candidate
