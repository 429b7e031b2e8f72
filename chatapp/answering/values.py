"""Read the object that a model wrote, and say in words what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from chatapp.answering.sentinels import is_deceptive, strip_sentinels

__all__ = ["OutputInvalid", "mapped", "output_of", "read_object", "strings_of"]

MOST_VALUES = 2_000
LONGEST_NAME = 200
MOST_PROBLEMS = 8
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)


class OutputInvalid(Exception):
    """What a model wrote does not fit; ``problems`` are sentences for it."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def read_object(written: str, schema: Mapping[str, Any], *, plain: Callable[[str], str]) -> dict[str, Any]:
    """Return the object; one code fence around it is forgiven. ``plain`` takes the marks out of a text value: without
    them it must fit.

    :raises OutputInvalid: it is no JSON, or does not fit the schema.
    """
    fenced = _FENCE.fullmatch(written.strip())
    try:
        found = json.loads(fenced.group(1) if fenced else written, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else "a number or a depth that JSON does not have"
        at = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise OutputInvalid(f"It is not one JSON object: {said}{at}.") from error
    if not isinstance(found, dict):
        raise OutputInvalid("It is JSON, but not an object.")
    _usable(found)
    from jsonschema import Draft202012Validator

    bare = mapped(found, plain)
    try:
        errors = list(islice(Draft202012Validator(dict(schema)).iter_errors(bare), MOST_PROBLEMS))
    except ArithmeticError as error:  # of a number that is too large to be divided
        raise OutputInvalid("It holds a number that can't be compared with the schema.") from error
    problems = [f"{_place(error.absolute_path)}: {error.message[:200]}." for error in errors]
    if problems:
        raise OutputInvalid(*problems)
    return found


def output_of(text: str) -> dict[str, Any] | None:
    """Return the object of an answer's text without its marks; None where the text is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return mapped(found, lambda value: strip_sentinels(value, "")) if isinstance(found, dict) else None


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text in it changed; names of fields are no texts."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {name: mapped(each, change) for name, each in value.items()}
    return value


def strings_of(value: Any) -> Iterator[str]:
    """Yield the texts of a JSON value in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings_of(each)


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _usable(value: Any) -> None:
    """:raises OutputInvalid: there are too many values, or a field's name could not be stored or shown."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise OutputInvalid(f"It holds more than {MOST_VALUES:,} values.")
        if isinstance(one, dict):
            if any(len(name) > LONGEST_NAME or not _is_shown(name) for name in one):
                raise OutputInvalid("The name of a field is too long, or has characters that can't be shown.")
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _is_shown(name: str) -> bool:
    return name.isprintable() and not any(map(is_deceptive, name))


def _place(path: Any) -> str:
    parts = [str(part) for part in path]
    return ".".join(parts) if parts else "The object"
