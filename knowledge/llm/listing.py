"""What LiteLLM's list says of a model: its row, and the limits in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.llm import boot
from knowledge.llm.local import is_local
from knowledge.llm.types import ModelSettings

__all__ = ["Limits", "limits_of", "row_of"]

SERVED_ANYWHERE = ("openai/", "custom_openai/", "hosted_vllm/", "text-completion-openai/")
"""Prefixes that name a protocol: with an address of its own, the server behind it is another than the list's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tokens."""

    context_window: int
    max_output_tokens: int | None


def row_of(settings: ModelSettings) -> Mapping[str, Any] | None:
    """Return the list's row of a model; None where it has none, or LiteLLM was not needed so far."""
    model = settings.model
    elsewhere = bool(settings.api_base) and (model.startswith(SERVED_ANYWHERE) or "/" not in model)
    if is_local(model) or elsewhere or (litellm := boot.loaded()) is None:
        return None
    provider, _, name = model.partition("/")
    row: Mapping[str, Any] | None = litellm.model_cost.get(model)
    if row is None and name:
        row = litellm.model_cost.get(name)
        row = row if row is not None and row.get("litellm_provider") == provider else None
    return row


def limits_of(settings: ModelSettings) -> Limits | None:
    """Return the limits of the list; None where it does not know the model."""
    row = row_of(settings) or {}
    window, output = row.get("max_input_tokens"), row.get("max_output_tokens")
    if not isinstance(window, int) or window <= 0:
        return None
    return Limits(
        context_window=window, max_output_tokens=output if isinstance(output, int) and output > 0 else None
    )  # fmt: skip
