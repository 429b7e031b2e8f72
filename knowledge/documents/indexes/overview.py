"""What people are told of the indexes of a knowledge base: how far, how long still, what the settings choose now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from knowledge import wiring
from knowledge.chunking.plugins import UnknownChunker, chunker_of
from knowledge.documents.indexes.generations import Standing
from knowledge.documents.models import IndexGeneration, IndexJob, KnowledgeBase

__all__ = ["OPEN", "Choice", "chosen", "difference", "model_words", "phase", "seconds_left"]

ENOUGH = 3
"""Documents that must be done before the time of the others is told."""

OPEN = (IndexJob.State.QUEUED, IndexJob.State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the settings choose for new indexes: ``embedding`` as ``wiring.embedding_choices`` names it."""

    embedding: str
    chunker: str


def chosen() -> Choice:
    return Choice(embedding=wiring.embedding_choices()[0], chunker=settings.CHUNKER)


def seconds_left(standing: Standing, *, now: datetime) -> int | None:
    """Return how long a build still takes at the pace it had so far; None when that cannot be told."""
    job = standing.job
    if job is None or job.kind != IndexJob.Kind.BUILD or job.state not in OPEN or job.started is None:
        return None
    # A long build comes in slices, each claimed anew: then the time since it was queued counts.
    since = job.started if job.fence <= 1 else job.created
    done = standing.held - int(job.report.get("begun", standing.held))
    if done < ENOUGH:
        return None
    return round((now - since).total_seconds() / done * (standing.documents - standing.held))


def phase(standing: Standing) -> str:
    """Return in a few words what an index is and what happens to it."""
    job, state = standing.job, standing.generation.state
    if job is not None and job.state == IndexJob.State.FAILED and not (standing.live and standing.whole):
        return "Stopped with an error"
    if state == IndexGeneration.State.COLLECTING:
        return "Being removed"
    if standing.live:
        return "In use"
    if job is not None and job.state in OPEN:
        waiting = job.state == IndexJob.State.QUEUED and not job.fence
        doing = "built" if state == IndexGeneration.State.BUILDING else "brought up to date"
        return f"Waiting to be {doing}" if waiting else f"Being {doing}"
    return "Kept for going back" if state == IndexGeneration.State.RETIRED else "Ready, not in use"


def model_words(generation: IndexGeneration) -> str:
    """Return the name of an index's embedding model for people: that of the product without the folder it is in."""
    return generation.embedding_model if generation.model_hash == "remote" else _stem(generation.embedding_model)


def _stem(model: str) -> str:
    return model.rpartition("/")[2]


def difference(base: KnowledgeBase) -> str:
    """Return a sentence when the settings choose another embedding model or chunker than the index in use has.

    No hosted model is asked: its name says enough.
    """
    live = base.live_generation
    if live is None:
        return ""
    found = [*_other_model(live), *_other_chunker(live)]
    if not found:
        return ""
    now, still = " and ".join(a for a, _ in found), " and ".join(b for _, b in found)
    return f"The settings now choose {now}; this knowledge base still uses {still}. Build a new index to change it."


def _other_model(live: IndexGeneration) -> list[tuple[str, str]]:
    named = wiring.knowledge_settings().embedding_model
    if named:
        same, name = live.model_hash == "remote" and live.embedding_model == named, named
    else:
        spec = wiring.embedder().spec
        same, name = live.space == spec.space, _stem(spec.model)
    return [] if same else [(f"the embedding model {name}", model_words(live))]


def _other_chunker(live: IndexGeneration) -> list[tuple[str, str]]:
    try:
        version = chunker_of(settings.CHUNKER).version
    except UnknownChunker:  # the start refuses such a setting
        return []
    if (live.chunker, live.chunker_version) == (settings.CHUNKER, version):
        return []
    if live.chunker == settings.CHUNKER:
        return [(f"version {version} of the chunker {live.chunker}", f"its version {live.chunker_version}")]
    return [(f"the chunker {settings.CHUNKER}", live.chunker)]
