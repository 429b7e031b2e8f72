"""Merge an adapter into its base and write whole weights, in a process of its own.

``python -m chatapp.finetuning.serving.program.merging BASE ADAPTER DIGEST FOLDER``; nothing is written where the
adapter is not the one with that digest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chatapp.finetuning.artifacts import BadArtifact, digest_of
from chatapp.finetuning.serving.program.weights import load

__all__ = ["merge"]


def merge(base: Path, adapter: Path, digest: str, folder: Path) -> None:
    """:raises BadArtifact: the adapter is not what was registered."""
    if digest_of(adapter) != digest:
        raise BadArtifact("The weights are not those that were registered: their digest differs.")
    from peft import PeftModel

    model, tokenizer = load(base, device="cpu")
    merged = PeftModel.from_pretrained(model, adapter, use_safetensors=True).merge_and_unload(safe_merge=True)
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    merged.generation_config.save_pretrained(folder)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    one, other, expected, where = sys.argv[1:]
    try:
        merge(Path(one), Path(other), expected, Path(where))
    except (BadArtifact, ValueError, OSError) as error:
        sys.exit(str(error))
