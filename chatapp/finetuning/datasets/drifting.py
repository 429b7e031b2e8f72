"""How far a dataset's questions moved: from the version before, and from what people really ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from django.utils import timezone

from chatapp.conversations.models import AnswerRun
from chatapp.finetuning.datasets.drift import FEWEST, FEWEST_TO_TELL, Drift, compare
from chatapp.finetuning.datasets.export import approved
from chatapp.finetuning.datasets.models import DatasetVersion
from chatapp.finetuning.datasets.shapes import question_of
from knowledge import wiring
from knowledge.errors import KnowledgeError
from knowledge.types import Vector

__all__ = ["drift_of", "in_words", "questions_asked"]

MOST = 500
"""Questions of each side, drawn evenly: their vectors take seconds."""

DAYS = 90
NAMES = {
    "length": "length of the questions", "length_psi": "spread of their lengths", "meaning": "what they are about",
    "clusters_psi": "how often each subject comes up",
}  # fmt: skip


def drift_of(version: DatasetVersion) -> dict[str, Any]:
    """Compare the approved questions with those of the frozen version before, and with those asked lately.

    Each part is what ``Drift.as_json`` gives, or a sentence that says why there is none.
    """
    own = _even(_questions(version))
    earlier = (
        version.dataset.versions.filter(number__lt=version.number, frozen__isnull=False).order_by("-number").first()
    )
    before = _even(_questions(earlier)) if earlier is not None else []
    asked = _even(questions_asked(version))
    try:
        vectors = _Vectors()
        found = {
            "before": _part(vectors, before, own) if earlier is not None else "There is no version before.",
            "asked": _part(vectors, own, asked),
        }
    except KnowledgeError as error:
        return {"before": error.message, "asked": error.message}
    return {**found, "version_before": earlier.number if earlier is not None else None}


def questions_asked(version: DatasetVersion) -> list[str]:
    """Return what people of the organisation asked in the last days, newest first; of the dataset's knowledge bases
    where it names some."""
    since = timezone.now() - timedelta(days=DAYS)
    runs = AnswerRun.objects.filter(tenant_id=version.dataset.tenant_id, status=AnswerRun.Status.DONE, erased=None)
    wanted = {str(pk) for pk in version.dataset.knowledge_bases.values_list("pk", flat=True)}
    rows = runs.filter(started__gte=since).order_by("-started").values_list("question__text", "knowledge_bases")
    return [text for text, bases in rows[: 5 * MOST] if text.strip() and (not wanted or wanted & set(bases))]


def in_words(found: Any) -> str:
    """Say in a sentence what one part of ``drift_of`` tells."""
    if not isinstance(found, dict):
        return str(found or "Not compared yet.")
    sizes = f"{found['before']} and {found['after']} questions"
    if not found["enough"]:
        return f"Compared by {sizes}; no alarm is raised on fewer than {FEWEST_TO_TELL} on both sides."
    moved = [NAMES[signal["name"]] for signal in found["signals"] if signal["drifted"]]
    return f"They differ in {', '.join(moved)} ({sizes})." if moved else f"No drift found ({sizes})."


class _Vectors:
    """Vectors of questions by the installation's embedding model; each text once."""

    def __init__(self) -> None:
        self._embedder, self._known = wiring.embedder(), dict[str, Vector]()

    def __call__(self, texts: Sequence[str]) -> Vector:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed_passages(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def _part(vectors: _Vectors, before: Sequence[str], after: Sequence[str]) -> dict[str, Any] | str:
    if min(len(before), len(after)) < FEWEST:
        return (
            f"Too few questions to compare: {len(before)} and {len(after)}; at least {FEWEST} are needed on both sides."
        )
    found: Drift | None = compare((before, vectors(before)), (after, vectors(after)))
    return found.as_json() if found is not None else ""


def _questions(version: DatasetVersion) -> list[str]:
    rows = approved(version).filter(erased=None).order_by("key").values_list("prompt", flat=True)
    return [text for prompt in rows.iterator(chunk_size=200) if (text := question_of(prompt))]


def _even(texts: Sequence[str]) -> list[str]:
    return list(texts[:: max(1, -(-len(texts) // MOST))])
