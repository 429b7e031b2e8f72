"""From an entry of the catalogue to the models that may be called: names that stand for others, canaries, fallbacks."""

from __future__ import annotations

import hashlib

from chatapp.language_models.models import LanguageModel
from knowledge.errors import ModelNotConfigured

__all__ = ["MOST_FALLBACKS", "chain_of"]

DEEPEST = 3
"""Names that stand for a name, one after the other."""

MOST_FALLBACKS = 3

SHARES = 10_000


def chain_of(model: LanguageModel, *, sticky: str = "") -> list[LanguageModel]:
    """Return the entries that may answer for a model, the first one first; ``sticky`` keeps a conversation with the
    same of several versions.

    Entries that are switched off, of another organisation, or stand for nothing are left out.

    :raises ModelNotConfigured: nothing is left.
    """
    found: list[LanguageModel] = []
    waiting, seen = [model], set[int]()
    while waiting and len(found) <= MOST_FALLBACKS:
        asked = waiting.pop(0)
        if asked.pk in seen:
            continue
        seen.add(asked.pk)
        meant = _meant(asked, sticky) if asked.enabled and _may_use(model, asked) else None
        if meant is not None and meant not in found:
            found.append(meant)
        # A version that stands behind a name may have a fallback of its own, which is nearer.
        nearer = meant.fallback if meant is not None and meant is not asked else None
        waiting = [each for each in (nearer, asked.fallback) if each is not None] + waiting
    if not found:
        raise ModelNotConfigured(_nothing_words(model))
    return found


def _meant(entry: LanguageModel, sticky: str) -> LanguageModel | None:
    """Return the entry with a model that a name stands for; None where it stands for none that may be used."""
    meant = entry
    for _ in range(DEEPEST + 1):
        if not meant.is_alias:
            return meant
        chosen = meant.canary if _is_chosen(meant, sticky) else meant.target
        if chosen is None or not (chosen.enabled and _may_use(entry, chosen)):
            chosen = meant.target
        if chosen is None or not (chosen.enabled and _may_use(entry, chosen)):
            return None
        meant = chosen
    return None


def _is_chosen(alias: LanguageModel, sticky: str) -> bool:
    """Tell whether the canary answers this conversation: the same ones for as long as its share is the same, and those
    and others when it grows."""
    if not alias.canary_id or not alias.canary_share:
        return False
    digest = hashlib.sha256(f"{alias.key}:{sticky}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SHARES < alias.canary_share * (SHARES // 100)


def _may_use(one: LanguageModel, other: LanguageModel) -> bool:
    return other.tenant_id in (None, one.tenant_id)


def _nothing_words(model: LanguageModel) -> str:
    if not model.enabled:
        return f"The language model “{model.name}” is switched off. An administrator can switch it on under Models."
    if model.is_alias:
        return f"“{model.name}” has no version that may answer. An administrator can activate one under Versions."
    return f"The language model “{model.name}” cannot be used. An administrator can set it up under Models."
