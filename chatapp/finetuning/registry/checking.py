"""Whether the files of a training run are what they should be: kinds, digest, rank and shapes. Without torch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from chatapp.finetuning.artifacts import BadArtifact, adapter_config, digest_of, is_adapter, weight_files

__all__ = ["check_result", "header_of"]

LARGEST_HEADER = 100 * 1024 * 1024
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
         "U8": 1, "BOOL": 1}  # fmt: skip
MOST_RANK = 512


def header_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return dtype, shape and place of each tensor of a safetensors file.

    :raises BadArtifact: it is none, or was cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LARGEST_HEADER, size - 8):
            raise BadArtifact(f"{path.name} is no safetensors file.")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise BadArtifact(f"{path.name} is no safetensors file.") from error
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    try:
        ends = [_end(name, entry) for name, entry in tensors.items()]
    except (KeyError, TypeError, ValueError) as error:
        raise BadArtifact(f"{path.name} is damaged: its tensors are not described rightly.") from error
    if max(ends, default=0) != size - 8 - length:
        raise BadArtifact(f"{path.name} is not whole.")
    return tensors


def _end(name: str, entry: dict[str, Any]) -> int:
    start, end = entry["data_offsets"]
    if end - start != math.prod(entry["shape"]) * SIZES[entry["dtype"]]:
        raise ValueError(name)
    return int(end)


def check_result(folder: Path, *, adapter: bool, recorded: str = "") -> str:
    """Check the result of a run and return the digest of its weights; ``recorded`` is what the trainer said it was.

    :raises BadArtifact: in words.
    """
    files = weight_files(folder)
    if is_adapter(folder) is not adapter:
        raise BadArtifact("The result is not of the kind its method makes.")
    tensors = {name: entry for path in files for name, entry in header_of(path).items()}
    if not tensors:
        raise BadArtifact("The result holds no weights.")
    if adapter:
        _check_ranks(tensors, rank=int(adapter_config(folder).get("r", 0)))
    digest = digest_of(folder)
    if recorded and digest != recorded:
        raise BadArtifact("The weights were changed after training: their digest is another.")
    return digest


def _check_ranks(tensors: dict[str, dict[str, Any]], *, rank: int) -> None:
    """Each pair of an adapter must have the rank of its settings."""
    if not 1 <= rank <= MOST_RANK:
        raise BadArtifact(f"The adapter has the rank {rank}; from 1 to {MOST_RANK} is possible.")
    downs = {name for name in tensors if ".lora_A." in name}
    if not downs:
        raise BadArtifact("The adapter holds no LoRA weights.")
    for name in downs:
        up = tensors.get(name.replace(".lora_A.", ".lora_B."))
        down = tensors[name]
        if up is None or down["shape"][0] != rank or up["shape"][1] != rank:
            raise BadArtifact(f"The adapter's weights do not have the rank {rank} that its settings say.")
