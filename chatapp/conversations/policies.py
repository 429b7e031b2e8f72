"""How strictly sentences of an answer are checked: an assistant's own mode, or what its tenant asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from chatapp.answering import CitationMode
from chatapp.answering.gate import Enforcement
from chatapp.conversations.models import Assistant, CitationPolicy

__all__ = ["citation_rules"]

MODES: tuple[CitationMode, ...] = get_args(CitationMode)


OWN: Mapping[str, Enforcement] = {"flag": "flag", "repair": "repair"}


def citation_rules(assistant: Assistant) -> tuple[CitationMode, Enforcement]:
    """Return the mode and what becomes of a sentence that is not held: the stricter of assistant and tenant."""
    policy = CitationPolicy.objects.filter(tenant_id=assistant.tenant_id).first()
    own = OWN.get(assistant.enforcement, "withhold")
    if policy is None:
        return _mode(assistant.citation_mode), own
    mode = max(_mode(assistant.citation_mode), _mode(policy.least_mode), key=MODES.index)
    # What was written anew is held by its sources or withheld: no less strict.
    return mode, "withhold" if policy.withhold and own == "flag" else own


def _mode(name: str) -> CitationMode:
    """Return the mode of that name; of one that is not known, as an older release may have kept, the strictest."""
    return next((mode for mode in MODES if mode == name), MODES[-1])
