"""One file of token vectors beside each version: what late interaction compares a question with.

Derived like the index, and kept with the version's other files, so that it goes when they go. Equal for every
store, and read a few kilobytes at a time.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from knowledge.documents import files
from knowledge.documents.models import DocumentVersion, IndexGeneration
from knowledge.embedding.base import Embedder, has_tokens
from knowledge.ingestion.stages import KeepTokens
from knowledge.reranking.base import RerankCandidate
from knowledge.reranking.token_vectors import NAME, TokenVectors, Writer, read, read_packed

logger = logging.getLogger(__name__)


def _name(generation: str) -> str:
    return f"tokens-{NAME}-{generation}.bin"


@contextmanager
def keeping(
    version: DocumentVersion, generation: IndexGeneration, *, chunks: int, embedder: Embedder
) -> Iterator[KeepTokens | None]:
    """Collect the token vectors of a version's chunks; the file is put in place when all have come.

    Gives None where the embedder has no token vectors.
    """
    if not has_tokens(embedder):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="footnote-tokens-") as folder:
        path = Path(folder) / f"{version.pk}-{generation.pk}"
        with path.open("wb") as out:
            writer = Writer(out, count=chunks, dimensions=embedder.spec.dimension)
            yield writer.add
            writer.finish()
        files.write_from(version, _name(str(generation.pk)), path)


def name_of(generation: IndexGeneration) -> str:
    """Return the name of the file among those of a version."""
    return _name(str(generation.pk))


def forget(version: DocumentVersion, generation: IndexGeneration) -> None:
    """Drop the token vectors that a generation has of a version."""
    files.remove(version, _name(str(generation.pk)))


def stored(candidates: Sequence[RerankCandidate]) -> list[TokenVectors | None]:
    """Return the stored token vectors of each candidate; None where a version has none."""
    wanted: dict[str, list[int]] = {}
    for candidate in candidates:
        wanted.setdefault(_path(candidate), []).append(candidate.ordinal)
    found = {path: _read(path, ordinals) for path, ordinals in wanted.items()}
    return [found[_path(candidate)].get(candidate.ordinal) for candidate in candidates]


def packed(version: DocumentVersion, generation: IndexGeneration, ordinals: Collection[int]) -> dict[int, bytes]:
    """Return the packed token vectors that a generation has of chunks of a version; those it lacks are left out."""
    try:
        with files.reading(f"{version.folder}/{_name(str(generation.pk))}") as read_at:
            dimensions, chunks = read_packed(read_at, ordinals)
    except (OSError, ValueError):  # none, or a damaged one: they are made again
        return {}
    return chunks if dimensions == generation.dimension else {}


def _path(candidate: RerankCandidate) -> str:
    return f"{candidate.tenant}/{candidate.document}/{candidate.version_id}/{_name(candidate.generation)}"


def _read(path: str, ordinals: Sequence[int]) -> dict[int, TokenVectors]:
    try:
        with files.reading(path) as read_at:
            return read(read_at, ordinals)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        logger.exception("The token vectors in %s cannot be read: `manage.py rebuild` makes them anew", path)
        return {}
