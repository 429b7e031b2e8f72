"""The model and its tokenizer, read from files that were checked; the device it is trained on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from chatapp.finetuning.artifacts import file_digest
from chatapp.finetuning.training.program.job import Job
from chatapp.finetuning.training.program.reporting import Refused, Reporter
from chatapp.finetuning.training.recipes import Recipe

__all__ = ["adapter_of", "device_name", "has_gpu", "load_model", "load_tokenizer", "peak_memory"]


def has_gpu() -> bool:
    return bool(torch.cuda.is_available())


def device_name() -> str:
    return str(torch.cuda.get_device_name(0)) if has_gpu() else "cpu"


def peak_memory() -> int:
    """Return the most bytes that were in use at once: of the GPU where there is one, else of this process."""
    if has_gpu():
        return int(torch.cuda.max_memory_allocated())
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def check_base(job: Job, report: Reporter) -> None:
    """Prove that the base model is the one that was added.

    :raises Refused: a file was changed or is gone.
    """
    for name, digest in job.files.items():
        path = Path(job.base) / name
        if not path.is_file() or file_digest(path) != digest:
            raise Refused("base", f"{name} of the base model was changed or is gone. Add the model again.")
        report.alive()


def load_tokenizer(job: Job) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(job.base, local_files_only=True, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(job: Job) -> Any:
    """Load the base model for the recipe's method: 16 bit on a GPU, 4 bit for QLoRA, else 32 bit.

    :raises Refused: it is too large for a machine without a GPU, or not what its files say.
    """
    quantized = job.recipe.method == "qlora"
    full = job.recipe.method == "full"
    dtype = torch.bfloat16 if has_gpu() and not full else torch.float32
    more: dict[str, Any] = {"quantization_config": _four_bits(dtype)} if quantized else {}
    started = time.monotonic()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            job.base, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=dtype,
            device_map={"": 0} if has_gpu() else None, **more,
        )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise Refused("base", f"The base model cannot be read: {_first_line(error)} Add another one.") from error
    print(f"Loaded {job.base} in {time.monotonic() - started:.1f} s", flush=True)
    model.config.use_cache = False
    return model


def _four_bits(dtype: Any) -> Any:
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def adapter_of(recipe: Recipe) -> Any:
    """Return the settings of the adapter, or None where all weights are trained."""
    if recipe.method == "full":
        return None
    return LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules="all-linear",
        task_type="CAUSAL_LM", use_dora=recipe.method == "dora", bias="none",
    )  # fmt: skip


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
