"""What an answer rests on: passages that were searched, what a model was trained on, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FINE_TUNED", "HYBRID", "MODES", "RETRIEVAL", "AnswerMode", "mode_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMode:
    """A way to answer. One that does not search has no sources: nothing of it is checked, and it says so."""

    name: str
    searches: bool
    wants_trained: bool = False  # its model must be one that was fine-tuned
    label: str = ""  # told beside every answer; empty where nothing need be said


RETRIEVAL = AnswerMode(name="retrieval", searches=True)
HYBRID = AnswerMode(
    name="hybrid", searches=True, wants_trained=True, label="Fine-tuned model over your documents."
)  # fmt: skip
FINE_TUNED = AnswerMode(
    name="fine_tuned", searches=False,
    label="From the model’s training. No sources were searched; nothing here was checked.",
)  # fmt: skip

MODES: Mapping[str, AnswerMode] = {mode.name: mode for mode in (RETRIEVAL, FINE_TUNED, HYBRID)}


def mode_of(name: str) -> AnswerMode:
    """Return the mode of that name; for one that another release may have kept, the one with sources."""
    return MODES.get(name, RETRIEVAL)
