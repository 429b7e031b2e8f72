"""A tiny Llama with adapters of random weights, as files. As a program: ``python tiny_adapters.py FOLDER NAME...``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TEXTS = [f"The widget-{number} is painted blue [S1]." for number in range(20)]


def make(folder: Path, names: Sequence[str] = ("first", "second")) -> Path:
    """Make ``base`` and a folder for each adapter below ``folder``, in one process of its own."""
    subprocess.run([sys.executable, __file__, str(folder), *names], check=True, timeout=180)
    return folder


def _make(folder: Path, names: Sequence[str]) -> None:
    import tiny_llama
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = folder / "base"
    base.mkdir(parents=True)
    tiny_llama._make(base, TEXTS, window=512, hidden=64, seed=1)
    for seed, name in enumerate(names, start=2):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base)
        config = LoraConfig(r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False)
        get_peft_model(model, config).save_pretrained(folder / name)


if __name__ == "__main__":
    _make(Path(sys.argv[1]), sys.argv[2:])
