"""How an assistant answers, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatapp.answering import mode_of
from chatapp.conversations.assistants import DEFAULT
from chatapp.conversations.models import Assistant, CitationPolicy
from chatapp.conversations.policies import rules_that_go, stricter
from chatapp.conversations.retrieval import SETTINGS
from knowledge.errors import KnowledgeError

__all__ = ["CITATIONS", "ENFORCEMENTS", "MODES", "Card", "card_of"]

MODES: Mapping[str, str] = {
    "retrieval": "Your documents are searched, and the model answers from what was found, with citations.",
    "fine_tuned": "Nothing is searched: the model answers from what it learned. Each answer says that it is unsourced.",
    "hybrid": "Your documents are searched, and a model that was fine-tuned answers from them, with citations.",
}
CITATIONS: Mapping[str, str] = {
    "off": "Sentences are not checked.",
    "mark": "The text is shown as it is written; verdicts follow.",
    "require": "A sentence is shown once its sources were found to hold it.",
}
ENFORCEMENTS: Mapping[str, str] = {
    "flag": "It is shown with its verdict.",
    "repair": "The model writes it anew; where that fails, a notice. In answers with a schema, a notice.",
    "withhold": "A notice stands in its place.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An assistant of the list."""

    assistant: Assistant
    mode: str
    bases: Sequence[str]
    searches: bool
    is_default: bool
    is_structured: bool
    changed: int  # settings of the search that are not the product's own
    problem: str  # why it can't answer now; empty where it can


def card_of(assistant: Assistant, policy: CitationPolicy | None) -> Card:
    return Card(
        assistant=assistant, mode=str(assistant.get_answer_mode_display()),
        bases=[base.name for base in assistant.knowledge_bases.all() if not base.deleting],
        searches=mode_of(assistant.answer_mode).searches, is_default=assistant.slug == DEFAULT,
        is_structured=bool(assistant.output_schema),
        changed=len([name for name in assistant.retrieval if name in SETTINGS]), problem=_problem(assistant, policy),
    )  # fmt: skip


def _problem(assistant: Assistant, policy: CitationPolicy | None) -> str:
    if assistant.language_model is None:
        return "It has no language model any more. Choose one."
    if not assistant.language_model.enabled:
        return "Its language model is switched off. Choose another."
    try:
        rules_that_go(assistant, stricter(assistant, policy), has_schema=bool(assistant.output_schema))
    except KnowledgeError as error:
        return error.message
    return ""
