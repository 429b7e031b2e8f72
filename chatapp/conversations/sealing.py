"""Digests of what an answer was, each with a salt of its own.

Salts lie beside the answer (``AnswerRun.salts``), not in the audit entry. When a text is erased its salt goes with it:
the digest in the entry stays as it is, and nobody can find the text by trying texts until one fits.

Parts of a run: ``TEXTS``, ``sentences`` (their reasons), and one for each document that it read.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

__all__ = ["TEXTS", "Sealer", "canonical", "new_salts", "sha", "source_part"]

TEXTS = ("question", "answer", "query", "prompt", "raw_output", "retrieval")
"""What an export holds whole and a record as a digest."""


def sha(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Any) -> str:
    """Return JSON that is the same for the same value, however it was stored."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def source_part(document: object) -> str:
    """Name the part of a run that are a document's words and title in it."""
    return f"source {document}"


def new_salts(documents: Collection[object]) -> dict[str, str]:
    """Return salts of 128 bits for a run that read these documents."""
    return {part: secrets.token_hex(16) for part in (*TEXTS, "sentences", *map(source_part, documents))}


class Sealer:
    """Makes the digests of one run. Without salts, as in records of the first format, a digest is a plain SHA-256."""

    def __init__(self, salts: Mapping[str, str] | None) -> None:
        self._salts = salts

    def __call__(self, part: str, text: str) -> str:
        if self._salts is None:
            return sha(text)
        return sha(f"{self._salts.get(part, '')}\n{text}")
