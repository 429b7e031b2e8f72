"""Loading: only safetensors below the allowed folders, only what has the digest it should have, never code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chatapp.finetuning.artifacts import BadArtifact, digest_of, file_digest, is_adapter, weight_files
from chatapp.finetuning.serving.program.wire import Refused

__all__ = ["check_base", "check_folder", "check_name", "load", "with_adapter"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")  # PEFT makes it a part of module names: no dots


def check_name(name: str) -> str:
    """:raises Refused: nothing can have that name."""
    if not NAME.match(name):
        raise Refused(400, "invalid_name", "A name consists of letters, digits, - and _.")
    return name


def check_folder(path: str, *, digest: str, folders: Sequence[Path], adapter: bool) -> Path:
    """Return a folder that may be loaded.

    :raises Refused: it lies elsewhere, is no such folder, or its weights are not those that were registered.
    """
    folder = Path(path).resolve()
    if not any(folder.is_relative_to(allowed) for allowed in folders):
        raise Refused(403, "folder_not_allowed", "This server does not load from that folder.")
    try:
        weight_files(folder)
        if is_adapter(folder) is not adapter:
            raise BadArtifact("The folder holds " + ("no adapter." if adapter else "an adapter, no whole weights."))
        if not digest or digest_of(folder) != digest:
            raise Refused(409, "wrong_digest", "The weights are not those that were registered: their digest differs.")
    except BadArtifact as error:
        raise Refused(422, "bad_artifact", str(error)) from error
    return folder


def check_base(folder: Path, files: Mapping[str, str]) -> None:
    """:raises BadArtifact: a file of the base is missing or changed, or is of a kind that is not loaded."""
    weight_files(folder)
    for name, digest in files.items():
        path = folder / name
        if not path.is_file() or file_digest(path) != digest:
            raise BadArtifact(f"{name} of the base model is not the file that was added. Add the base model again.")


def load(folder: Path, *, device: str, tokenizer_from: Path | None = None) -> tuple[Any, Any]:
    """Return model and tokenizer, ready to answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Without a graphics processor half precision is emulated, and slower than single.
    kind: Any = "auto" if device != "cpu" else torch.float32
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=kind, use_safetensors=True, **options)
    has_own = (folder / "tokenizer_config.json").is_file()
    tokenizer = AutoTokenizer.from_pretrained(folder if has_own else tokenizer_from or folder, **options)
    return model.to(device).eval(), tokenizer


def with_adapter(model: Any, folder: Path, *, name: str, base: Any) -> Any:
    """Return the model with one more adapter on it; ``base`` is it without any.

    :raises Refused: it does not fit this base.
    """
    from peft import PeftModel

    options: dict[str, Any] = {"is_trainable": False, "use_safetensors": True}
    try:
        if model is base:
            return PeftModel.from_pretrained(base, folder, adapter_name=name, **options).eval()
        model.load_adapter(folder, adapter_name=name, **options)
    except (ValueError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise Refused(
            422, "adapter_does_not_fit", f"The adapter does not fit this base model ({type(error).__name__})."
        ) from error
    return model.eval()
