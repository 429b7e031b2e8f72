"""A question in every embedding space of its scope, and the cosines of all of them on one scale.

Cosines of different models cannot be compared: one gives .1 to unrelated texts, another .75. What a model gives
is measured once, on the sentences below: the mean cosine of a question and its answer, and of a question and the
answers to the others. These two points are laid on those of the default model, for which weights and floor of the
search were chosen. Measured on the model and not on the hits of a question, as a z-score of the hits would be: that
makes the best passage of a knowledge base that knows nothing of the matter look as good as the answer itself.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from weakref import WeakKeyDictionary

import numpy as np

from knowledge.embedding.base import Embedder, has_tokens
from knowledge.errors import KnowledgeError
from knowledge.retrieval.base import RetrievalProfile
from knowledge.retrieval.query import Turns, embed_query
from knowledge.types import Vector

__all__ = ["REFERENCE", "Embedding", "Scale", "SpaceVectors", "embed_ahead", "embed_in_spaces", "measure", "models_of"]

logger = logging.getLogger(__name__)

PAIRS = (
    ("How many days of holiday do employees have?", "All staff are entitled to 28 days of paid leave a year."),
    ("When does the canteen open?", "Lunch is served in the dining hall from half past eleven until two."),
    ("Who repairs a broken heating?", "Report failures of the radiators to the caretaker of your building."),
    ("What does the insurance cover?", "The policy pays for damage by fire, storm, burglary and burst pipes."),
    ("How is the database backed up?", "Every night a copy of all tables is written to a second data centre."),
    ("Which temperature does the vaccine need?", "Vials must be kept between two and eight degrees Celsius."),
    ("How long is the notice period of the lease?", "Tenants may end the contract three months ahead, in writing."),
    ("How do I reset my password?", "Choose “Forgot password” at sign-in and follow the link in the e-mail."),
    ("What causes the pump to stop?", "The motor switches off when the pressure in the line falls too low."),
    ("Who founded the company?", "Two brothers started the firm in 1923 in a workshop behind their house."),
    ("How are travel costs paid back?", "Hand in the receipts of your trip within thirty days to be reimbursed."),
    ("Which fish live in the lake?", "Perch, pike and trout were counted by the biologists in these waters."),
)
"""Questions and their answers, in other words, about things that have nothing to do with each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The mean cosines a model gives."""

    unrelated: float
    related: float

    def onto(self, other: Scale, cosines: Mapping[str, float]) -> dict[str, float]:
        """Return the cosines as they would be on another scale; a model that cannot tell both apart keeps its own."""
        span = self.related - self.unrelated
        if span < 0.01:
            return dict(cosines)
        factor = (other.related - other.unrelated) / span
        return {key: other.unrelated + (value - self.unrelated) * factor for key, value in cosines.items()}


REFERENCE = Scale(unrelated=0.052, related=0.521)
"""The scale of all-MiniLM-L6-v2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceVectors:
    """The question in each space that could be reached."""

    vectors: Mapping[str, Vector]
    scales: Mapping[str, Scale] = field(default_factory=dict)  # empty where one model serves all
    failures: tuple[KnowledgeError, ...] = ()
    judged: Vector | None = None
    """The question for a reranker that compares token vectors: in the space whose model hands them out."""
    alone: Embedder | None = None
    """The model whose cosines stand as they are, where one embedded the question for all spaces."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Say in a sentence what was searched by words alone."""
        part = "Part of the documents were" if self.vectors else "The documents were"
        return tuple(
            dict.fromkeys(f"{part} searched by their words alone: {failure.message}" for failure in self.failures)
        )

    def on_one_scale(self, space: str, cosines: Mapping[str, float]) -> Mapping[str, float]:
        return self.scales[space].onto(REFERENCE, cosines) if space in self.scales else cosines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    vector: Vector
    scale: Scale | None


class Embedding:
    """The vectors of a question, made at once or, beside work that needs none of them, by a thread."""

    def __init__(self, make: Callable[[], SpaceVectors], *, beside: bool) -> None:
        self.waited = 0.0
        """Seconds that somebody waited for what a thread makes."""
        self._promise = _makers(os.getpid()).submit(make) if beside else None
        self._made = None if beside else make()

    def __call__(self) -> SpaceVectors:
        if self._made is None:
            assert self._promise is not None
            started = time.perf_counter()
            self._made = self._promise.result()
            self.waited = time.perf_counter() - started
        return self._made


@cache
def _makers(pid: int) -> ThreadPoolExecutor:
    """Threads of this process that make all vectors of a question; they wait for those of ``_threads``."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix=f"question-{pid}")


def models_of(
    spaces: Sequence[str], *, embedders: Callable[[str], Embedder]
) -> dict[str, Embedder | KnowledgeError]:  # fmt: skip
    """Return the model of each space, or why there is none; may ask the database."""
    found: dict[str, Embedder | KnowledgeError] = {}
    for space in dict.fromkeys(spaces):
        try:
            found[space] = embedders(space)
        except KnowledgeError as error:
            found[space] = error
    return found


def embed_in_spaces(
    turns: Turns, *, models: Mapping[str, Embedder | KnowledgeError], profile: RetrievalProfile
) -> SpaceVectors:
    """Embed the question once for each model, side by side; a model that fails leaves its spaces without a vector."""
    failures = [model for model in models.values() if isinstance(model, KnowledgeError)]
    usable = {space: model for space, model in models.items() if not isinstance(model, KnowledgeError)}
    distinct = list({id(model): model for model in usable.values()}.values())
    found: dict[int, _Found] = {}
    for model, outcome in _side_by_side(turns, distinct, profile):
        if isinstance(outcome, KnowledgeError):
            logger.warning("a question has no vector in one space: %s", outcome)
            failures.append(outcome)
        else:
            found[id(model)] = outcome
    reached = {space: found[id(model)] for space, model in usable.items() if id(model) in found}
    return SpaceVectors(
        vectors={space: one.vector for space, one in reached.items()},
        scales={space: one.scale for space, one in reached.items() if one.scale is not None},
        failures=tuple(failures),
        judged=next((one.vector for space, one in reached.items() if has_tokens(usable[space])), None),
        alone=next((usable[space] for space, one in reached.items() if one.scale is None), None),
    )


def embed_ahead(texts: Sequence[str], *, embedder: Embedder) -> None:
    """Embed several queries side by side, so that the search of each finds its vector made; it says what is wrong."""
    if len(texts) > 1:
        futures = [_threads(os.getpid()).submit(embedder.embed_query, text) for text in texts]
        for future in futures:
            if (error := future.exception()) is not None and not isinstance(error, KnowledgeError):
                raise error


def _side_by_side(
    turns: Turns, models: Sequence[Embedder], profile: RetrievalProfile
) -> list[tuple[Embedder, _Found | KnowledgeError]]:
    """Ask all models but the last in threads, for they may wait for a server; the last, a local one, runs here."""
    ordered = sorted(models, key=has_tokens)
    several = len(ordered) > 1
    futures = [
        _threads(os.getpid()).submit(_attempt, turns, model, profile, measured=several) for model in ordered[:-1]
    ]
    here = [_attempt(turns, model, profile, measured=several) for model in ordered[-1:]]
    return list(zip(ordered, [*(future.result() for future in futures), *here], strict=True))


def _attempt(turns: Turns, model: Embedder, profile: RetrievalProfile, *, measured: bool) -> _Found | KnowledgeError:
    try:
        vector = embed_query(turns, embedder=model, profile=profile)
        return _Found(vector=vector, scale=measure(model) if measured else None)
    except KnowledgeError as error:
        return error


@cache
def _threads(pid: int) -> ThreadPoolExecutor:
    """Threads of this process; not those of the keyword search, which must not wait for a slow server."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix=f"embed-{pid}")


_measured: WeakKeyDictionary[Embedder, Scale] = WeakKeyDictionary()
_refused: WeakKeyDictionary[Embedder, tuple[float, KnowledgeError]] = WeakKeyDictionary()
REST = 30.0
"""Seconds for which a model that could not be measured is not asked again: each question would wait for it."""
_lock = threading.Lock()


def measure(model: Embedder) -> Scale:
    """Return the scale of a model, measured once a process by one call.

    :raises KnowledgeError: the model did not answer, now or a moment ago.
    """
    with _lock:
        known = _measured.get(model)
        until, error = _refused.get(model, (0.0, None))
    if known is not None:
        return known
    if error is not None and time.monotonic() < until:
        raise error
    try:
        vectors = model.embed_passages([text for pair in PAIRS for text in pair])
    except KnowledgeError as error:
        with _lock:
            _refused[model] = time.monotonic() + REST, error
        raise
    cosines = vectors[0::2] @ vectors[1::2].T
    count = len(PAIRS)
    related = float(np.trace(cosines)) / count
    scale = Scale(unrelated=(float(cosines.sum()) - related * count) / (count * (count - 1)), related=related)
    with _lock:
        _measured[model] = scale
    return scale
