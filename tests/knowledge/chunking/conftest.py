from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from knowledge.parsing import ParseLimits
from knowledge.parsing.child import parse_here
from knowledge.types import ParsedDocument

_PIECE = re.compile(r"\w{1,4}|[^\w\s]")


@pytest.fixture
def count_tokens() -> Callable[[Sequence[str]], list[int]]:
    """Counts pieces of at most four word characters, about as word pieces do."""
    return lambda texts: [len(_PIECE.findall(text)) for text in texts]


@pytest.fixture
def parse() -> Callable[..., ParsedDocument]:
    def run(source: str, filename: str = "a.md") -> ParsedDocument:
        return parse_here(source.encode(), filename=filename, limits=ParseLimits())

    return run
