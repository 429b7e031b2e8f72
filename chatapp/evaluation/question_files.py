"""Questions with the document, and perhaps the words, that answer them: files people bring, and labelled sets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.evaluation import labelled
from chatapp.evaluation.labelled import QuestionSet, UnusableSet
from knowledge.types import Rewritten, Turn

__all__ = ["Asked", "Wanted", "read_path", "read_questions"]

MOST = 5_000
LONGEST_QUESTION = 8_000
"""Characters."""

COLUMNS = ("question", "document", "quote")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be found: a document by its id, name or title, and words in it unless any passage of it will do."""

    document: str
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question; ``wanted`` is empty where nobody said what answers it."""

    text: str
    wanted: tuple[Wanted, ...] = ()
    answer: str = ""  # in words, where somebody wrote them
    history: tuple[Turn, ...] = ()
    rewritten: Rewritten | None = None


def read_path(path: Path, *, most: int | None = None) -> list[Asked]:
    """Return the questions of a file or of the folder of a labelled set; ``most`` of them, evenly spread.

    :raises UnusableSet: it is not there, or is neither.
    """
    if path.is_dir():
        found = _of_labelled(path)
    else:
        try:
            found = read_questions(path.read_bytes(), name=path.name)
        except OSError as error:
            raise UnusableSet(f"{path} cannot be read: {error.strerror}.") from error
    return found[:: max(1, -(-len(found) // most))] if most else found


def read_questions(data: bytes, *, name: str) -> list[Asked]:
    """Return the questions of a JSON lines or CSV file; rows of the same question are one with several answers.

    :raises UnusableSet: it is neither, a row lacks something, or there are too many.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableSet(f"{name} is not UTF-8.") from error
    rows = _of_csv(text, name) if name.lower().endswith(".csv") else _of_json(text, name)
    wanted: dict[str, dict[Wanted, None]] = {}
    answers: dict[str, str] = {}
    for place, row in rows:
        question, document, quote = (_field(row, column, name=name, place=place) for column in COLUMNS)
        if not question or not document:
            missing = "question" if not question else "document"
            raise UnusableSet(f"{name}, line {place}: there is no “{missing}”.")
        wanted.setdefault(question, {})[Wanted(document, quote)] = None
        answers.setdefault(question, _field(row, "answer", name=name, place=place))
        if len(wanted) > MOST:
            raise UnusableSet(f"{name} has more than {MOST:,} questions.")
    if not wanted:
        raise UnusableSet(f"{name} has no questions.")
    return [Asked(text=text, wanted=tuple(found), answer=answers[text]) for text, found in wanted.items()]


def _field(row: Mapping[str, Any], column: str, *, name: str, place: int) -> str:
    value = row.get(column) or ""
    if not isinstance(value, str):
        raise UnusableSet(f"{name}, line {place}: “{column}” is not a text.")
    if len(value) > LONGEST_QUESTION:
        raise UnusableSet(f"{name}, line {place}: “{column}” is longer than {LONGEST_QUESTION:,} characters.")
    return value.strip()


def _of_json(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for place, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UnusableSet(f"{name}, line {place}: not JSON. Each line is one object.") from error
        if not isinstance(row, dict):
            raise UnusableSet(f"{name}, line {place}: not a JSON object.")
        yield place, row


def _of_csv(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        if not {"question", "document"} <= set(reader.fieldnames or ()):
            raise UnusableSet(f"The first line of {name} must name the columns question and document.")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UnusableSet(f"{name}, line {reader.line_num}: not CSV.") from error


def _of_labelled(folder: Path) -> list[Asked]:
    """Return the questions of a set that have an answer; its documents are known by their ids."""
    source = labelled.load(folder)
    texts = {document.id: document.text for document in source.documents}
    everything = QuestionSet(folder.name, folder.name, lambda _: True)
    return [
        Asked(
            text=question.text, history=question.history, rewritten=question.rewritten,
            wanted=tuple(_wanted(question.gold, texts)),
        )
        for question in labelled.chosen(source, everything)
        if question.answerable
    ]  # fmt: skip


def _wanted(gold: Sequence[labelled.Span], texts: Mapping[str, str]) -> Iterable[Wanted]:
    return dict.fromkeys(Wanted(span.document, texts[span.document][span.start : span.end]) for span in gold)
