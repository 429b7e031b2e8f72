"""Whether there can be model servers here, found out without importing any of what they need."""

from __future__ import annotations

from importlib.util import find_spec

from django.conf import settings

__all__ = ["can_serve", "extra_installed"]


def can_serve() -> bool:
    return bool(settings.VLLM_ADDRESSES) or extra_installed()


def extra_installed() -> bool:
    return all(find_spec(name) is not None for name in ("torch", "transformers", "peft"))
