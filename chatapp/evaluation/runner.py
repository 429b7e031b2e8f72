"""Ask the questions of a labelled set and say how well they were answered, with every stage or without some."""

from __future__ import annotations

import time
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from chatapp.evaluation.bootstrap import Figure, Values, intervals
from chatapp.evaluation.copies import distinct, hits_by_words
from chatapp.evaluation.corpus import Answered, Corpus
from chatapp.evaluation.labelled import LabelledSet, QuestionSet, Span, chosen
from chatapp.evaluation.metrics import DEPTH, MEASURES, NoAnswer, hits_of, no_answer, score
from knowledge.retrieval import DEFAULT, RetrievalProfile

__all__ = ["STAGES", "Measured", "Settings", "UnknownSetting", "ablations", "measure", "with_settings"]

WHOLE = "all stages"


class UnknownSetting(ValueError):
    """A setting that the profile does not have or cannot hold; the message says so in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run retrieves."""

    name: str = WHOLE
    profile: RetrievalProfile = DEFAULT
    history: bool = True


STAGES: Mapping[str, Callable[[Settings], Settings]] = {
    "keyword": lambda s: replace(s, profile=replace(s.profile, keyword_weight=0.0)),
    "vector": lambda s: replace(s, profile=replace(s.profile, keyword_weight=1.0)),
    "rerank": lambda s: replace(s, profile=replace(s.profile, rerank=0)),
    "history": lambda s: replace(s, history=False),
}
"""How to switch a stage off, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One question set as measured with one setting."""

    name: str
    settings: str
    documents: int
    failed: int
    chunks: int
    scores: Mapping[str, tuple[float, ...]]
    """Of each answerable question by its id, in the order of ``metrics.MEASURES``."""
    figures: Mapping[str, Figure]
    no_answer: NoAnswer | None  # by the chance of an answer
    latency: Mapping[str, tuple[float, float]]
    """Median and 95th percentile of each stage, milliseconds."""
    seconds: float
    notes: tuple[str, ...]
    no_answer_by_score: NoAnswer | None = None  # by the score of the best passage
    indexed: Mapping[str, float] = field(default_factory=dict)
    """Sizes of the passages (``Indexed.figures``)."""


def with_settings(settings: Settings, assignments: Sequence[str]) -> Settings:
    """Return the settings with ``name=value`` applied to fields of the profile.

    :raises UnknownSetting: there is no such field, or it cannot hold the value.
    """
    hints = typing.get_type_hints(RetrievalProfile)
    changed: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or name not in hints:
            known = ", ".join(sorted(f.name for f in fields(RetrievalProfile)))
            raise UnknownSetting(f"{assignment} is no name=value of a retrieval setting; there are {known}.")
        changed[name] = _parsed(name, value.strip(), hints[name])
    return replace(settings, profile=replace(settings.profile, **changed))


def _parsed(name: str, value: str, hint: Any) -> Any:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    for kind in typing.get_args(hint) if union else (hint,):
        try:
            if kind is types.NoneType and value.lower() in ("", "none"):
                return None
            if kind is bool and value.lower() in ("true", "false"):
                return value.lower() == "true"
            if kind in (int, float, str):
                return kind(value)
        except ValueError:
            continue
    raise UnknownSetting(f"The retrieval setting {name} cannot be {value!r}.")


def without(settings: Settings, stages: Sequence[str]) -> Settings:
    """Switch stages off."""
    for stage in stages:
        settings = STAGES[stage](settings)
    return settings


def ablations(settings: Settings, questions: QuestionSet, corpus: Corpus) -> list[Settings]:
    """Return a setting without each stage that does something here, named for it."""
    asked = chosen(corpus.source, questions)
    idle = set() if questions.history and any(q.history for q in asked) else {"history"}
    idle |= {"rerank"} if corpus.parts.reranker is None else set()
    made = {stage: replace(off(settings), name=f"without {stage}") for stage, off in STAGES.items()}
    return [s for stage, s in made.items() if stage not in idle and replace(s, name=settings.name) != settings]


def measure(
    corpus: Corpus, questions: QuestionSet, settings: Settings | None = None, *, most: int | None = None
) -> Measured:
    """Ask every question of the set (or ``most`` of each kind, evenly spread), one after the other."""
    settings = settings or Settings()
    began = time.perf_counter()
    limit = 2 * DEPTH if questions.copies else DEPTH  # of which near copies are left out
    answered = corpus.run(
        chosen(corpus.source, questions, most=most), profile=settings.profile,
        history=settings.history and questions.history, scoped=questions.scoped, limit=limit,
    )  # fmt: skip
    answerable = [a for a in answered if a.question.answerable]
    scores = {a.question.id: tuple(_scores(a, corpus.source, questions).values()) for a in answerable}
    values: Values = np.array(list(scores.values()), dtype=np.float64).reshape(len(scores), len(MEASURES))
    return Measured(
        name=questions.name,
        settings=settings.name,
        documents=len(corpus.source.documents),
        failed=len(corpus.failed),
        chunks=corpus.chunks,
        indexed=corpus.indexed.figures(),
        scores=scores,
        figures=dict(zip(MEASURES, intervals(values), strict=True)),
        no_answer=_no_answer(answered, lambda a: a.answerable),
        no_answer_by_score=_no_answer(answered, _top),
        latency=_latency(answered),
        seconds=time.perf_counter() - began,
        notes=tuple(dict.fromkeys(note for a in answered for note in a.notes)),
    )  # fmt: skip


def _scores(answered: Answered, source: LabelledSet, questions: QuestionSet) -> dict[str, float]:
    gold = answered.question.gold
    if not questions.copies:
        return score(hits_of(answered.spans[:DEPTH], gold), answered.spans[:DEPTH], gold)
    kept = distinct([p.text for p in answered.passages])[:DEPTH]
    spans: Sequence[Span] = [answered.spans[place] for place in kept]
    texts = [answered.passages[place].text for place in kept]
    return score(hits_by_words(texts, spans, gold, [source.text_of(span) for span in gold]), spans, gold)


def _no_answer(answered: Sequence[Answered], signal: Callable[[Answered], float]) -> NoAnswer | None:
    return no_answer(
        [signal(a) for a in answered if a.question.answerable],
        [signal(a) for a in answered if not a.question.answerable],
    )


def _top(answered: Answered) -> float:
    return answered.passages[0].score if answered.passages else 0.0


def _latency(answered: Sequence[Answered]) -> dict[str, tuple[float, float]]:
    stages = dict.fromkeys(stage for a in answered for stage in a.timings)
    found = {}
    for stage in stages:
        times = [a.timings.get(stage, 0.0) for a in answered]
        found[stage] = (float(np.percentile(times, 50)), float(np.percentile(times, 95)))
    return found
