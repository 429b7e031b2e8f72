"""How an assistant searches: the settings that may be changed, the chat's query, and what a run keeps of both."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError

from knowledge.errors import KnowledgeError
from knowledge.retrieval.base import DEFAULT, RetrievalProfile
from knowledge.retrieval.query import readable, select_turns
from knowledge.types import Query, Rewritten, Turn

logger = logging.getLogger(__name__)

PASSAGES = 8


class SettingRefused(KnowledgeError):
    code = "setting_refused"
    status = 422
    default_message = "This setting of the search is not allowed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A field of ``RetrievalProfile`` that people may change, and the values that make sense."""

    name: str
    label: str
    help: str
    low: float
    high: float
    whole: bool = False
    optional: bool = False  # None is a value: whoever decides otherwise decides
    switch: bool = False  # 1 is on, 0 is off

    @property
    def default(self) -> float | None:
        value: float | None = getattr(DEFAULT, self.name)
        return int(value) if isinstance(value, bool) else value

    def checked(self, value: object) -> float | None:
        """Return the value as the profile takes it.

        :raises SettingRefused: it is no number, or out of range.
        """
        if value is None and self.optional:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high:
            if not self.whole:
                return float(value)
            if value == int(value):
                return int(value)
        if self.switch:
            raise SettingRefused(f"{self.label} must be 1 for on or 0 for off.")
        kind = "a whole number" if self.whole else "a number"
        raise SettingRefused(f"{self.label} must be {kind} from {self.low:g} to {self.high:g}.")


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            name="candidates", label="Candidates", low=10, high=300, whole=True,
            help="Passages that each of the two searches may bring.",
        ),
        Setting(
            name="keyword_weight", label="Keyword weight", low=0, high=1,
            help="What the words count; the rest is what the meaning counts.",
        ),
        Setting(
            name="rerank", label="Passages reranked", low=0, high=100, whole=True,
            help="The best of these are judged once more; 0 leaves the order of the search.",
        ),
        Setting(
            name="rerank_weight", label="Reranker weight", low=0, high=5, optional=True,
            help="What its opinion counts beside the score of the search; empty: what suits the reranker.",
        ),
        Setting(
            name="previous_turn_weight", label="Previous question", low=0, high=1,
            help="What the question before counts beside this one.",
        ),
        Setting(
            name="previous_answer_weight", label="Previous answer", low=0, high=1,
            help="What the answer to that counts.",
        ),
        Setting(
            name="condense", label="Rewrite follow-ups", low=0, high=1, whole=True, switch=True,
            help="The language model of the assistant, if it has one, writes a follow-up as a question of its own.",
        ),
        Setting(
            name="spelling", label="Forgive misspelling", low=0, high=1, whole=True, switch=True,
            help="A word that no document has is taken for the nearest one that they have.",
        ),
        Setting(
            name="expand", label="Other wordings", low=0, high=1, whole=True, switch=True,
            help="Search other wordings that the language model writes; without one, words of the best passages.",
        ),
        Setting(
            name="decompose", label="Take questions apart", low=0, high=1, whole=True, switch=True,
            help="A question that asks for several things is searched part by part.",
        ),
        Setting(
            name="floor", label="Lowest score", low=0, high=0.9,
            help="Passages that the search scores lower are left out.",
        ),
        Setting(
            name="least_chance", label="Least chance of an answer", low=0, high=0.9,
            help="Below this nothing is returned and the nearest passages are named; 0 never refuses.",
        ),
        Setting(
            name="neighbours", label="Characters with neighbours", low=0, high=4_500, whole=True,
            help="A passage is returned with what stands around it under the same headings, up to this length.",
        ),
        Setting(
            name="per_document", label="Passages of one document", low=0, high=20, whole=True,
            help="More of one document come after those of others; 0 is no limit.",
        ),
    )
}  # fmt: skip


def checked_settings(settings: object) -> dict[str, float | None]:
    """Return the settings that differ from the product's own, checked.

    :raises SettingRefused: one is unknown, no number or out of range.
    """
    if not isinstance(settings, Mapping):
        raise SettingRefused("The settings of the search must be names with values.")
    checked = {}
    for name, value in settings.items():
        if name not in SETTINGS:
            raise SettingRefused(f"The search has no setting “{str(name)[:40]}”.")
        checked[name] = SETTINGS[name].checked(value)
    return {name: value for name, value in checked.items() if value != SETTINGS[name].default}


def validate_settings(value: object) -> None:
    """Refuse in a form what ``checked_settings`` refuses."""
    try:
        checked_settings(value)
    except SettingRefused as err:
        raise ValidationError(err.message) from err


def profile_of(settings: Mapping[str, Any]) -> RetrievalProfile:
    """Return the profile with the stored settings; a value that this release does not allow is left out."""
    kept: dict[str, Any] = {}
    for name, value in settings.items():
        try:
            kept |= checked_settings({name: value})
        except SettingRefused as err:
            logger.warning("a stored setting of the search is left out: %s", err)
    return replace(DEFAULT, **{name: bool(v) if SETTINGS[name].switch else v for name, v in kept.items()})


def chat_query(
    *, question: str, history: Sequence[Turn], context_window: int, limit: int = PASSAGES, explain: bool = False
) -> Query:
    """Return the query the chat makes of a question: passages for a prompt, of half the model's window at most."""
    return Query(
        text=question, history=tuple(history), limit=limit, token_budget=context_window // 2, merge_neighbours=True,
        explain=explain,
    )  # fmt: skip


def rewritten_trace(rewritten: Rewritten) -> dict[str, Any]:
    """Return what a run keeps of what the language model made of its question."""
    wordings, parts = ([readable(t) for t in texts or ()] for texts in (rewritten.wordings, rewritten.parts))
    return {
        "standalone": readable(rewritten.standalone),
        "wordings": wordings if rewritten.wordings is not None else None,
        "parts": parts if rewritten.parts is not None else None,
        "notes": list(rewritten.notes),
    }


def _rewritten(trace: Mapping[str, Any] | None) -> Rewritten | None:
    if not trace:
        return None
    wordings, parts = (None if trace.get(name) is None else tuple(trace[name]) for name in ("wordings", "parts"))
    return Rewritten(
        standalone=trace.get("standalone", ""), wordings=wordings, parts=parts, notes=tuple(trace.get("notes", ()))
    )


def trace_of(query: Query, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run keeps, so that its search can be made again: settings, sizes, and the turns it looked at."""
    turns = select_turns(query)
    kept = (Turn(role="user", text=turns.previous), Turn(role="assistant", text=turns.answer))
    return {
        "settings": dict(settings),
        "limit": query.limit,
        "token_budget": query.token_budget,
        "turns": [{"role": turn.role, "text": readable(turn.text)} for turn in kept if turn.text],
    }


def wordless(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a trace that may say nothing of what was asked, found and told: settings and sizes."""
    return {name: trace[name] for name in ("settings", "limit", "token_budget") if name in trace}


def query_of_trace(trace: Mapping[str, Any], *, question: str) -> Query:
    """Return the query of a stored run, asking why; sizes that were not stored are the chat's own."""
    return Query(
        text=question,
        history=tuple(Turn(role=turn["role"], text=turn["text"]) for turn in trace.get("turns", ())),
        limit=trace.get("limit", PASSAGES),
        token_budget=trace.get("token_budget"),
        merge_neighbours=True,
        explain=True,
        rewritten=_rewritten(trace.get("rewritten")),
    )
