"""How strictly sentences of an answer are checked: an assistant's own mode, or what its tenant asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, get_args

from chatapp.answering import CitationMode
from chatapp.answering.gate import Enforcement
from chatapp.conversations.models import Assistant, CitationPolicy

__all__ = ["citation_rules"]

Name = TypeVar("Name", bound=str)

MODES: tuple[CitationMode, ...] = get_args(CitationMode)
ENFORCEMENTS: tuple[Enforcement, ...] = get_args(Enforcement)
"""Of both, the last is the strictest."""


def citation_rules(assistant: Assistant) -> tuple[CitationMode, Enforcement]:
    """Return the mode and what becomes of a sentence that is not held: the stricter of assistant and tenant."""
    policy = CitationPolicy.objects.filter(tenant_id=assistant.tenant_id).first()
    own = _known(assistant.enforcement, ENFORCEMENTS)
    if policy is None:
        return _known(assistant.citation_mode, MODES), own
    mode = max(_known(assistant.citation_mode, MODES), _known(policy.least_mode, MODES), key=MODES.index)
    # What was written anew is held by its sources or withheld: no less strict.
    return mode, "withhold" if policy.withhold and own == "flag" else own


def _known(name: str, names: Sequence[Name]) -> Name:
    """Return the one of that name; of one that is not known, as another release may have kept, the strictest."""
    return next((each for each in names if each == name), names[-1])
