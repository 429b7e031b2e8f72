"""System checks: a misconfiguration is one readable sentence at start, not a trace at the first upload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register("footnote_start")
def knowledge_configuration(app_configs: Sequence[Any] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the choices that are made by name."""
    found: list[CheckMessage] = []
    if settings.STORE not in ("lance", "weaviate"):
        found.append(Error(f"STORE must be lance or weaviate, not {settings.STORE!r}.", id="knowledge.E001"))
    if settings.EMBED_BACKEND not in ("auto", "onnxruntime", "openvino"):
        found.append(
            Error(
                f"EMBED_BACKEND must be auto, onnxruntime or openvino, not {settings.EMBED_BACKEND!r}.",
                id="knowledge.E002",
            )
        )
    if settings.EMBED_PRECISION not in ("exact", "fast"):
        found.append(
            Error(f"EMBED_PRECISION must be exact or fast, not {settings.EMBED_PRECISION!r}.", id="knowledge.E003")
        )
    if settings.OCR not in ("auto", "off", "1"):
        found.append(Error(f"OCR must be auto or off, not {settings.OCR!r}.", id="knowledge.E004"))
    return found
