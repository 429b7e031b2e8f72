"""Rows of a file that somebody brings: JSON lines or CSV. A line is taken whole or named with what is wrong with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from chatapp.answering.prompt import build_messages, label_passages
from chatapp.finetuning.datasets.completions import has_labels, marked
from chatapp.finetuning.datasets.models import TrainingDataset
from chatapp.finetuning.datasets.raft import fence_of
from chatapp.finetuning.datasets.shapes import Messages, Proposal, is_refusal
from chatapp.finetuning.datasets.storing import MOST_ROWS
from knowledge.errors import KnowledgeError
from knowledge.types import Passage

__all__ = ["BadLine", "Read", "UploadRefused", "bytes_of", "count_rows", "read_rows"]

MOST_BYTES = 20 * 2**20
MOST_LINES = MOST_ROWS
"""Rows of one file."""
LONGEST = 200_000
"""Characters of one row."""

MOST_ERRORS = 100
ROLES = frozenset({"system", "user", "assistant"})


class UploadRefused(KnowledgeError):
    code = "upload_refused"
    status = 422
    default_message = "This file cannot be read as training rows."


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was not taken, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file holds: rows, and the first lines that are none; ``refused`` counts all of these."""

    proposals: list[Proposal]
    errors: list[BadLine]
    refused: int


class _Bad(Exception):
    """A line is no row; the message says why."""


def bytes_of(file: UploadedFile[Any] | None, *, most: int = MOST_BYTES) -> tuple[bytes, str]:
    """Return the bytes of a file that was brought, and its name.

    :raises UploadRefused: there is none, or it is too large.
    """
    if file is None:
        raise UploadRefused("Choose a file first.")
    if (file.size or 0) > most:
        raise UploadRefused(f"The file is larger than {most // 2**20} MB. Bring it in parts.")
    return file.read(), file.name or "The file"


def count_rows(data: bytes, *, name: str) -> int:
    """Return how many rows a file seems to have, read only as far as that takes.

    :raises UploadRefused: it is too large, no text in UTF-8, or has no rows or too many.
    """
    count = sum(1 for _ in islice(_lines(_text_of(data, name), name), MOST_LINES + 1))
    if count > MOST_LINES:
        raise UploadRefused(f"{name} has more than {MOST_LINES:,} rows. Bring it in parts.")
    if not count:
        raise UploadRefused(f"{name} holds no rows.")
    return count


def read_rows(data: bytes, *, name: str, kind: str, seed: int = 1) -> Read:
    """Return the rows of a file for a dataset of the given kind.

    A line has ``messages`` (the last one the assistant's), or ``prompt`` and ``completion``, or ``instruction``,
    ``output`` and perhaps ``context``. In a dataset of answers over passages a context becomes a source of the
    product's own prompt, and an output without labels gets them.

    :raises UploadRefused: as ``count_rows`` does.
    """
    count_rows(data, name=name)
    proposals, errors, refused = list[Proposal](), list[BadLine](), 0
    for line, row in _lines(_text_of(data, name), name):
        try:
            proposals.append(_proposal(_json(row) if isinstance(row, str) else row, kind=kind, seed=seed))
        except _Bad as bad:
            refused += 1
            if len(errors) < MOST_ERRORS:
                errors.append(BadLine(line, str(bad)))
    return Read(proposals=proposals, errors=errors, refused=refused)


def _text_of(data: bytes, name: str) -> str:
    if len(data) > MOST_BYTES:
        raise UploadRefused(f"{name} is larger than {MOST_BYTES // 2**20} MB. Bring it in parts.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UploadRefused(f"{name} is not UTF-8: byte {error.start} cannot be read. Save it as UTF-8.") from error


def _lines(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield each row with its line: the text of one of JSON lines, else the cells by their columns."""
    if not name.lower().endswith((".csv", ".tsv")):
        yield from ((at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip())
        return
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UploadRefused(f"{name}, line {reader.line_num}: not CSV ({error}).") from error


def _json(line: str) -> Any:
    """Return what a line holds; None where it is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _proposal(row: Any, *, kind: str, seed: int) -> Proposal:
    if not isinstance(row, Mapping):
        raise _Bad("It is no JSON object. Each line is one object.")
    prompt, completion = _of_messages(row) if row.get("messages") else _of_fields(row, kind=kind, seed=seed)
    whole = sum(len(message["content"]) for message in prompt) + len(completion)
    if whole > LONGEST:
        raise _Bad(f"It has {whole:,} characters; at most {LONGEST:,} are taken.")
    if not _storable(completion, *(message["content"] for message in prompt)):
        raise _Bad("It holds characters that cannot be stored: NUL, or half of a surrogate pair.")
    return Proposal(origin="upload", prompt=prompt, completion=completion)


def _storable(*texts: str) -> bool:
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for text in texts for c in text)


def _of_messages(row: Mapping[str, Any]) -> tuple[Messages, str]:
    given = row["messages"]
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise _Bad("“messages” is no list of messages.")
    read = [{"role": _text(each, "role"), "content": _text(each, "content")} for each in given]
    if unknown := next((each["role"] for each in read if each["role"] not in ROLES), None):
        raise _Bad(f"A message has the role “{unknown[:40]}”; system, user and assistant are known.")
    if len(read) < 2 or read[-1]["role"] != "assistant" or read[-2]["role"] != "user":
        raise _Bad("The last message must be the assistant’s, after one of the user.")
    return read[:-1], read[-1]["content"]


def _of_fields(row: Mapping[str, Any], *, kind: str, seed: int) -> tuple[Messages, str]:
    if row.get("instruction"):
        context = _text(row, "context", optional=True) or _text(row, "input", optional=True)
        return _of_instruction(_text(row, "instruction"), context, _text(row, "output"), kind=kind, seed=seed)
    if not row.get("prompt"):
        raise _Bad("It has neither “messages”, nor “prompt” and “completion”, nor “instruction” and “output”.")
    prompt = row["prompt"]
    if isinstance(prompt, list):
        return _of_messages({"messages": [*prompt, {"role": "assistant", "content": _text(row, "completion")}]})
    return [{"role": "user", "content": _text(row, "prompt")}], _text(row, "completion")


def _of_instruction(
    instruction: str, context: str, output: str, *, kind: str, seed: int
) -> tuple[Messages, str]:  # fmt: skip
    if kind != TrainingDataset.Kind.RAFT or not context:
        content = f"{instruction}\n\n{context}" if context else instruction
        return [{"role": "user", "content": content}], output
    passage = Passage(
        key="context", document="", version_id="", version=0, knowledge_base="", title="Context", heading_path=(),
        page_first=None, page_last=None, start=0, end=len(context), text=context, tokens=0, score=0.0,
    )  # fmt: skip
    prompt = build_messages(
        question=instruction, passages=label_passages([passage]), fence=fence_of(instruction, seed)
    )  # fmt: skip
    return prompt, output if has_labels(output) or is_refusal(output) else marked(output, lambda _: "S1")


def _text(row: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = row.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise _Bad(f"“{name}” is {'missing' if value is None else 'no text'}.")
    if not value.strip() and not optional:
        raise _Bad(f"“{name}” is empty.")
    return value.strip()
