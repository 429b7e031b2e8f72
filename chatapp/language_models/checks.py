"""System checks: what the operator opened to models is understood at start, not at the first call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from knowledge.egress import BadAllowEntry, Rules


@register("footnote_start")
def model_addresses(app_configs: Sequence[Any] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the list of addresses."""
    try:
        Rules.of(settings.MODEL_ADDRESSES)
    except BadAllowEntry as error:
        return [Error(f"MODEL_ADDRESSES cannot be used. {error}", id="language_models.E001")]
    return []
