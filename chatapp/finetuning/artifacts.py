"""What training leaves behind, as files: which are taken, and the digest that says they are what was registered.

Pure: the registry, the server's own process and the trainer read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ADAPTER_CONFIG", "BadArtifact", "adapter_config", "digest_of", "file_digest", "is_adapter", "weight_files"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Reading one of these can run a program that is hidden in it.
PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
_BLOCK = 1024 * 1024


class BadArtifact(ValueError):
    """A folder does not hold what it should; the message says so in a sentence."""


def is_adapter(folder: Path) -> bool:
    return (folder / ADAPTER_CONFIG).is_file()


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors of a folder, by name.

    :raises BadArtifact: there are none, or files beside them that can hold code.
    """
    if not folder.is_dir():
        raise BadArtifact(f"There is no folder {folder.name}.")
    names = sorted(path for path in folder.iterdir() if path.is_file())
    refused = [path.name for path in names if path.suffix in PICKLES or path.suffix == ".py"]
    if refused:
        raise BadArtifact(f"Only safetensors are taken; {refused[0]} can hold code.")
    found = [folder / ADAPTER_WEIGHTS] if is_adapter(folder) else [p for p in names if p.suffix == ".safetensors"]
    if not found or not all(path.is_file() for path in found):
        raise BadArtifact(f"The folder {folder.name} holds no weights in safetensors.")
    if any(path.is_symlink() for path in found):
        raise BadArtifact("Weights behind a link are not taken.")
    return found


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of a folder's safetensors: of the file, or over the names and digests of several.

    :raises BadArtifact: as ``weight_files``.
    """
    files = weight_files(folder)
    if len(files) == 1:
        return file_digest(files[0])
    lines = "".join(f"{path.name} {file_digest(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def adapter_config(folder: Path) -> Mapping[str, Any]:
    """Return the settings of an adapter.

    :raises BadArtifact: they are not JSON of the expected shape.
    """
    try:
        read = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadArtifact(f"{ADAPTER_CONFIG} cannot be read.") from error
    if not isinstance(read, dict) or not isinstance(read.get("r", 0), int):
        raise BadArtifact(f"{ADAPTER_CONFIG} is not that of an adapter.")
    return read
