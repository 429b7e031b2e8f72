"""What a folder of weights says about itself, read without torch and without trusting it."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import KnowledgeError

__all__ = ["BaseRefused", "Facts", "facts_of", "parameters_in"]

HEADER_BYTES = 100 * 1024 * 1024
"""The limit of the format itself; a file that says more is no such file."""
CODE = frozenset({".py", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".h5", ".msgpack"})
WINDOWS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "n_ctx")


class BaseRefused(KnowledgeError):
    code = "base_refused"
    status = 422
    default_message = "This folder cannot be used as a base model."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``window`` in tokens, ``size`` in bytes."""

    architecture: str
    parameters: int
    window: int
    size: int


def facts_of(folder: Path) -> Facts:
    """Return what is needed to know about a base model.

    :raises BaseRefused: something is missing, can hold code, or is not what its name says; in words.
    """
    if not folder.is_dir():
        raise BaseRefused(f"{folder} is no folder.")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    code = [name for name in names if Path(name).suffix in CODE]
    if code:
        raise BaseRefused(
            f"{code[0]} can hold code, which would run when the model is read. Only safetensors are taken: remove it, "
            "or convert the weights."
        )
    config = _json(folder / "config.json", "It describes the model, and every one on the model sites has it.")
    _refuse_own_code(config, "config.json")
    _check_tokenizer(folder)
    weights = [folder / name for name in names if name.endswith(".safetensors")]
    if not weights:
        raise BaseRefused("There are no weights: a base model needs at least one *.safetensors.")
    _check_shards(folder)
    return Facts(
        architecture=_architecture(config), parameters=sum(parameters_in(path) for path in weights),
        window=_window(config), size=sum(path.stat().st_size for path in weights),
    )  # fmt: skip


def parameters_in(path: Path) -> int:
    """Return how many numbers a safetensors file holds; its header is read and measured, nothing else.

    :raises BaseRefused: the header does not fit the file.
    """
    damaged = BaseRefused(f"{path.name} is damaged, or is not what its name says. Copy it again.")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(HEADER_BYTES, size - 8):
            raise damaged
        try:
            header = json.loads(file.read(length))
            tensors = [entry for name, entry in header.items() if name != "__metadata__"]
            ends = [int(entry["data_offsets"][1]) for entry in tensors]
            count = sum(math.prod(_dimension(side) for side in entry["shape"]) for entry in tensors)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise damaged from error
    if max(ends, default=0) != size - 8 - length:
        raise damaged
    return count


def _dimension(side: Any) -> int:
    if type(side) is not int or side < 0:
        raise ValueError("no dimension")
    return side


def _json(path: Path, why: str) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BaseRefused(f"{path.name} is missing. {why}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BaseRefused(f"{path.name} cannot be read.") from error
    if not isinstance(read, dict):
        raise BaseRefused(f"{path.name} is not what its name says.")
    return read


def _refuse_own_code(config: dict[str, Any], name: str) -> None:
    if "auto_map" in config:
        raise BaseRefused(f"{name} asks for program code of the model's own (auto_map), which is never run here.")


def _check_tokenizer(folder: Path) -> None:
    _json(folder / "tokenizer.json", "Without its tokenizer a model reads nothing.")
    config = _json(folder / "tokenizer_config.json", "It names the tokens that begin and end a message.")
    _refuse_own_code(config, "tokenizer_config.json")
    if not config.get("chat_template") and not (folder / "chat_template.jinja").is_file():
        raise BaseRefused(
            "The tokenizer has no chat template. Take the variant that was made for chats (often “instruct”), or add a "
            "chat_template.jinja."
        )


def _check_shards(folder: Path) -> None:
    path = folder / "model.safetensors.index.json"
    if not path.is_file():
        return
    listed = _json(path, "").get("weight_map")
    missing = sorted({str(name) for name in listed.values()} if isinstance(listed, dict) else {path.name})
    missing = [name for name in missing if "/" in name or not (folder / name).is_file()]
    if missing:
        raise BaseRefused(f"{missing[0]} is missing, which {path.name} names. Copy the whole model.")


def _architecture(config: dict[str, Any]) -> str:
    listed = config.get("architectures")
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], str):
        raise BaseRefused("config.json does not name the architecture of the model.")
    return listed[0][:100]


def _window(config: dict[str, Any]) -> int:
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for name in WINDOWS:
            if type(value := part.get(name)) is int and value > 0:
                return value
    raise BaseRefused("config.json does not say how many tokens the model reads (max_position_embeddings).")
