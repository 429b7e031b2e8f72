"""A version as whole weights in a folder, for servers that take no adapters: Ollama, llama.cpp, vLLM."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from chatapp.finetuning import alone
from chatapp.finetuning.artifacts import BadArtifact, digest_of, weight_files
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.serving.errors import ServingRefused
from chatapp.finetuning.serving.extra import extra_installed
from chatapp.finetuning.serving.naming import is_adapter
from chatapp.finetuning.serving.services import NO_EXTRA

__all__ = ["export"]

HOSTED = "A provider made this model and keeps its weights."
NO_FILES = "The weights of this version were deleted."
TAKEN = "There is something at that place already. Name a folder that does not exist."
LAST_LINES = 3


def export(version: ModelVersion, folder: Path) -> list[str]:
    """Write whole weights in safetensors and a Modelfile; return what to type next.

    :raises ServingRefused: it cannot be exported; in words.
    """
    if version.base is None:
        raise ServingRefused(HOSTED)
    if not version.path:
        raise ServingRefused(NO_FILES)
    if folder.exists():
        raise ServingRefused(TAKEN)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        if is_adapter(version):
            _merge(version, part)
        else:
            _copy(version, part)
        (part / "Modelfile").write_text("FROM .\n", encoding="utf-8")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    name = f"{version.fine_tuned_model.slug}-v{version.number}"
    return [
        f"ollama create {name} -f {folder}/Modelfile",
        f"python convert_hf_to_gguf.py {folder} --outfile {name}.gguf && llama-server -m {name}.gguf",
        f"vllm serve {folder} --served-model-name {name}",
    ]


def _merge(version: ModelVersion, part: Path) -> None:
    if not extra_installed():
        raise ServingRefused(NO_EXTRA)
    assert version.base is not None
    base = Path(settings.MODELS_DIR) / version.base.path
    program = [sys.executable, *alone.program("chatapp.finetuning.serving.program.merging")]
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        [*program, str(base), version.path, version.digest, str(part)],
        cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        words = " ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise ServingRefused(f"The weights could not be merged. {words}")


def _copy(version: ModelVersion, part: Path) -> None:
    try:
        weight_files(Path(version.path))
        if digest_of(Path(version.path)) != version.digest:
            raise BadArtifact("The weights are not those that were registered: their digest differs.")
    except BadArtifact as error:
        raise ServingRefused(str(error)) from error
    shutil.copytree(version.path, part)
