"""How strictly sentences of an answer are checked, and which modes of answering go with that and with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, get_args
from uuid import UUID

from chatapp.answering import CitationMode, mode_of
from chatapp.answering.gate import Enforcement
from chatapp.conversations.models import Assistant, CitationPolicy
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.services import EXTRACTIVE
from knowledge.errors import KnowledgeError

__all__ = [
    "AssistantRefused",
    "answer_rules",
    "citation_rules",
    "is_trained",
    "policy_of",
    "rules_that_go",
    "stricter",
]

Name = TypeVar("Name", bound=str)

MODES: tuple[CitationMode, ...] = get_args(CitationMode)
ENFORCEMENTS: tuple[Enforcement, ...] = get_args(Enforcement)
"""Of both, the last is the strictest."""


class AssistantRefused(KnowledgeError):
    code = "assistant_refused"
    status = 422
    default_message = "The assistant can't answer in this way."


POLICY_WANTS_SOURCES = (
    "This organisation’s policy requires citations for every answer. An assistant that answers from the model’s "
    "training has none: choose another answer mode, or have an administrator change the policy."
)
MODE_WANTS_SOURCES = (
    "The citation mode Require needs sources, and an assistant that answers from the model’s training has none. "
    "Choose the citation mode Mark or Off, or another answer mode."
)
NOT_TRAINED = (
    "The hybrid mode needs a model that was fine-tuned, and the catalogue does not list this one as such. Choose a "
    "fine-tuned model, say that it was fine-tuned elsewhere, or answer from your documents."
)
NO_LANGUAGE_MODEL = (
    "The built-in extractive answers quote documents and can’t do this. Choose a language model for the assistant."
)


def answer_rules(assistant: Assistant, *, has_schema: bool = False) -> tuple[CitationMode, Enforcement]:
    """Return how strictly an answer of this assistant is checked; without sources nothing can be.

    :raises AssistantRefused: its mode does not go with its model, or with the citations that it or its tenant asks for.
    """
    return rules_that_go(assistant, citation_rules(assistant), has_schema=has_schema)


def rules_that_go(
    assistant: Assistant, rules: tuple[CitationMode, Enforcement], *, has_schema: bool
) -> tuple[CitationMode, Enforcement]:
    """The same for who knows the stricter of assistant and tenant already, as a list of assistants does."""
    mode = mode_of(assistant.answer_mode)
    model = assistant.language_model
    if model is not None and model.model == EXTRACTIVE and (has_schema or not mode.searches):
        raise AssistantRefused(NO_LANGUAGE_MODEL)
    if mode.wants_trained and not is_trained(assistant):
        raise AssistantRefused(NOT_TRAINED)
    if mode.searches:
        return rules
    if rules[0] == "require":
        own = _known(assistant.citation_mode, MODES) == "require"
        raise AssistantRefused(MODE_WANTS_SOURCES if own else POLICY_WANTS_SOURCES)
    return "off", rules[1]


def is_trained(assistant: Assistant) -> bool:
    """Tell whether the assistant's model was fine-tuned, as the catalogue or a person says."""
    model = assistant.language_model
    if assistant.trained_elsewhere or model is None:
        return assistant.trained_elsewhere
    return model.source == LanguageModel.Source.FINE_TUNED or bool(model.capabilities.get("fine_tuned"))


def citation_rules(assistant: Assistant) -> tuple[CitationMode, Enforcement]:
    """Return the mode and what becomes of a sentence that is not held: the stricter of assistant and tenant."""
    return stricter(assistant, policy_of(assistant.tenant_id))


def policy_of(tenant_id: UUID) -> CitationPolicy | None:
    return CitationPolicy.objects.filter(tenant_id=tenant_id).first()


def stricter(assistant: Assistant, policy: CitationPolicy | None) -> tuple[CitationMode, Enforcement]:
    """Return the rules of an assistant under a policy."""
    own = _known(assistant.enforcement, ENFORCEMENTS)
    if policy is None:
        return _known(assistant.citation_mode, MODES), own
    mode = max(_known(assistant.citation_mode, MODES), _known(policy.least_mode, MODES), key=MODES.index)
    # What was written anew is held by its sources or withheld: no less strict.
    return mode, "withhold" if policy.withhold and own == "flag" else own


def _known(name: str, names: Sequence[Name]) -> Name:
    """Return the one of that name; of one that is not known, as another release may have kept, the strictest."""
    return next((each for each in names if each == name), names[-1])
