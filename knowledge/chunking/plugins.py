"""Chunkers by name, with options: ``structural``, ``fixed:target=600,overlap=90``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from knowledge.chunking.base import Chunker
from knowledge.chunking.fixed import FixedChunker
from knowledge.chunking.recursive import RecursiveChunker
from knowledge.chunking.structural import StructuralChunker

__all__ = ["CHUNKERS", "LONGEST", "UnknownChunker", "chunker_of"]

CHUNKERS: Mapping[str, Callable[..., Chunker]] = {
    "structural": StructuralChunker,
    "recursive": RecursiveChunker,
    "fixed": FixedChunker,
}

LONGEST = 40
"""Characters of a choice: it is kept with the index."""

_LOWEST: Mapping[str, int] = {"target": 100, "max_tokens": 16, "max_chunks": 1}


class UnknownChunker(ValueError):
    """A choice that no chunker satisfies; the message says why in a sentence."""


def chunker_of(choice: str) -> Chunker:
    """Return the chunker of a choice: a name, and after a colon options with their values.

    :raises UnknownChunker: there is no such chunker or option, or an option cannot have that value.
    """
    name, _, rest = choice.partition(":")
    make = CHUNKERS.get(name)
    if make is None:
        raise UnknownChunker(f"There is no chunker {name!r}; there are {', '.join(CHUNKERS)}.")
    if len(choice) > LONGEST:
        raise UnknownChunker(f"The chunker {choice!r} is longer than {LONGEST} characters.")
    known = {key: parameter.default for key, parameter in inspect.signature(make).parameters.items()}
    options: dict[str, int | bool] = {}
    for part in rest.split(",") if rest else ():
        key, _, value = part.partition("=")
        if key not in known:
            raise UnknownChunker(f"The chunker {name} has no option {key!r}; it has {', '.join(known)}.")
        options[key] = _parsed(name, key, value, is_switch=isinstance(known[key], bool))
    given = {**known, **options}
    if given["overlap"] * 2 > given["target"]:
        raise UnknownChunker(f"The chunker {name} cannot overlap by more than half of its target.")
    return make(**options)


def _parsed(name: str, key: str, value: str, *, is_switch: bool) -> int | bool:
    if is_switch and value in ("true", "false"):
        return value == "true"
    if not is_switch and value.isascii() and value.isdecimal() and int(value) >= _LOWEST.get(key, 0):
        return int(value)
    wanted = "true or false" if is_switch else f"a number of at least {_LOWEST.get(key, 0)}"
    raise UnknownChunker(f"The option {key} of the chunker {name} must be {wanted}, not {value!r}.")
