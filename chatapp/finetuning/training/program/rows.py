"""The rows, as the model will read them. None is ever cut: a row that is too long ends the run before it begins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.finetuning.training.program.reporting import Refused

__all__ = ["Row", "check_lengths", "facts_of", "read_rows"]

NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    key: str
    prompt: list[dict[str, Any]]
    completion: str

    @property
    def answer(self) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": self.completion}]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file; none when it is not there.

    :raises Refused: a line is no row.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(Row(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise Refused(
                "rows", f"Line {number} of the training data cannot be read. Freeze the data again."
            ) from error
    return rows


def check_lengths(tokenizer: Any, rows: Sequence[Row], *, most: int) -> list[int]:
    """Return the tokens of each row, with the template that chats use.

    :raises Refused: rows are longer than ``most``, or the template does not take them.
    """
    lengths = []
    for row in rows:
        try:
            ids = tokenizer.apply_chat_template([*row.prompt, *row.answer], tokenize=True, return_dict=False)
        except Exception as error:  # templates are programs of their own and raise what they like
            raise Refused(
                "template", f"The chat template of the base model does not take row {row.key[:12]}: {error}. "
                "Use another base model, or rows without that role.",
            ) from error  # fmt: skip
        lengths.append(len(ids))
    long = [row.key[:12] for row, length in zip(rows, lengths, strict=True) if length > most]
    if long:
        named = ", ".join(long[:NAMED]) + (f" and {len(long) - NAMED} more" if len(long) > NAMED else "")
        raise Refused(
            "too_long", f"{len(long)} of {len(rows)} rows are longer than {most:,} tokens (the longest has "
            f"{max(lengths):,}): {named}. Nothing is cut, since that would remove the answer: raise the longest row in "
            "the recipe, or reject these rows in a new version of the data.",
        )  # fmt: skip
    return lengths


def facts_of(path: Path) -> dict[str, Any]:
    """Return the hash and the number of rows of a file, for the record: it may be gone when that is written."""
    data = path.read_bytes() if path.is_file() else b""
    return {"sha256": hashlib.sha256(data).hexdigest(), "rows": len(data.splitlines())}
