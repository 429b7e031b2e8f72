"""Whether there can be model servers here: a vLLM, or our own with what it needs."""

from __future__ import annotations

from django.conf import settings

from chatapp.finetuning.extra import are_here

__all__ = ["can_serve", "extra_installed"]


def can_serve() -> bool:
    return bool(settings.VLLM_ADDRESSES) or extra_installed()


def extra_installed() -> bool:
    return are_here("torch", "transformers", "peft")
