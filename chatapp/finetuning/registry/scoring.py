"""What an answer to a held-out row is worth: its form, its words, whether it refused rightly. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatapp.answering.lines import NO_ANSWER
from chatapp.answering.prompt import read_sources

__all__ = ["MEASURES", "Row", "contains", "score"]

MEASURES = ("format", "overlap", "refusal")
_MARKER = re.compile(r"\[(S\d+(?:\s*,\s*S\d+)*)\]")
_WORD = re.compile(r"\w+")
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A prompt (messages) with the completion that was expected."""

    key: str
    prompt: Sequence[Mapping[str, Any]]
    completion: str


def score(row: Row, answer: str) -> tuple[float, ...]:
    """Return the values of ``MEASURES``, each from 0 to 1."""
    return (_format(row, answer), _overlap(row.completion, answer), float(_refuses(row.completion) == _refuses(answer)))


def contains(answer: str, wanted: Sequence[str]) -> float:
    """Return 1 if one of the wanted texts is a word, or words, of the answer."""
    said = f" {' '.join(_WORD.findall(answer.lower()))} "
    return float(any(f" {' '.join(_WORD.findall(each.lower()))} " in said for each in wanted))


def _format(row: Row, answer: str) -> float:
    """JSON with the keys that were expected; a refusal in its exact line; else only labels of sources that were given,
    and some where the expected answer has some."""
    expected = _json(row.completion)
    if expected is not None:
        given = _json(answer)
        return float(given is not None and _keys(given) == _keys(expected))
    if _refuses(row.completion) or _refuses(answer):
        lines = answer.strip().splitlines()
        return float(bool(lines) and lines[0].strip() == NO_ANSWER and not _labels(answer))
    known = {block.label for block in read_sources(str(row.prompt[-1].get("content") or ""))[0]}
    used, wanted = _labels(answer), _labels(row.completion)
    return float(bool(answer.strip()) and used <= (known or wanted) and bool(used) >= bool(wanted))


def _labels(text: str) -> set[str]:
    return {label.strip() for found in _MARKER.findall(text) for label in found.split(",")}


def _refuses(text: str) -> bool:
    return text.strip().startswith(NO_ANSWER)


def _json(text: str) -> Any:
    """Return the object or list that a text is, one code fence tolerated; None where it is none."""
    fenced = _FENCE.match(text)
    try:
        read = json.loads(fenced.group(1) if fenced else text)
    except ValueError:
        return None
    return read if isinstance(read, dict | list) else None


def _keys(value: Any) -> Any:
    """The shape of an object: its keys, and theirs."""
    if isinstance(value, dict):
        return {key: _keys(each) for key, each in value.items()}
    return list if isinstance(value, list) else ()


def _overlap(expected: str, answer: str) -> float:
    """Token F1 (as SQuAD's) of the words, labels left out."""
    one, other = (Counter(_WORD.findall(_MARKER.sub(" ", text).lower())) for text in (expected, answer))
    common = sum((one & other).values())
    if not common:
        return float(not one and not other)
    precision, recall = common / sum(other.values()), common / sum(one.values())
    return 2 * precision * recall / (precision + recall)
