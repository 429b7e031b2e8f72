"""What models are called on servers, and the command of a vLLM that can serve them."""

from __future__ import annotations

import shlex

from django.utils.text import slugify

from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.training.models import BaseModel, TrainingRun

__all__ = ["base_name", "is_adapter", "version_name", "vllm_command"]

DEFAULT_RANK = 16
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM accepts


def base_name(base: BaseModel) -> str:
    """Return a name that no other base has: letters, digits and hyphens."""
    return f"{slugify(base.name)[:60] or 'model'}-{base.pk.hex[:8]}"


def version_name(version: ModelVersion) -> str:
    return f"{version.fine_tuned_model.slug[:60]}-v{version.number}-{version.pk.hex[:8]}"


def is_adapter(version: ModelVersion) -> bool:
    return version.method != TrainingRun.Method.FULL


def vllm_command(base: BaseModel, *, path: str, rank: int = DEFAULT_RANK) -> str:
    """Return what an operator types in vLLM's own environment."""
    allowed = next((each for each in RANKS if each >= rank), RANKS[-1])
    words = [
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True", "vllm", "serve", shlex.quote(path), "--served-model-name",
        base_name(base), "--enable-lora", "--max-lora-rank", str(allowed), "--max-loras", "4", "--host", "127.0.0.1",
        "--port", "8001", "--api-key", '"$VLLM_API_KEY"',
    ]  # fmt: skip
    return " ".join(words)
