from __future__ import annotations

import pytest

from knowledge.chunking.fixed import FixedChunker
from knowledge.chunking.plugins import CHUNKERS, UnknownChunker, chunker_of
from knowledge.chunking.structural import StructuralChunker


@pytest.mark.parametrize("name", list(CHUNKERS))
def test_every_chunker_is_called_by_its_own_name(parse, name: str) -> None:
    chunker = chunker_of(name)
    assert chunker.name == name
    [found] = chunker.chunk(parse("Words."), title="", count_tokens=lambda texts: [len(text) for text in texts])
    assert (found.start, found.end) == (0, 6)


def test_options_are_given_to_the_chunker(parse) -> None:
    document = parse("word " * 200, "a.txt")
    chunker = chunker_of("fixed:target=120,overlap=20,header=false")
    assert isinstance(chunker, FixedChunker)
    found = chunker.chunk(document, title="t", count_tokens=lambda texts: [1 for _ in texts])
    assert all(c.end - c.start <= 120 and c.context == "" for c in found)
    assert isinstance(chunker_of("structural:target=600"), StructuralChunker)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("semantic", "There is no chunker 'semantic'; there are structural, recursive, fixed."),
        ("", "There is no chunker ''"),
        ("fixed:small=3", "has no option 'small'; it has target, overlap"),
        ("fixed:target=9", "must be a number of at least 100, not '9'"),
        ("fixed:target=-900", "must be a number of at least 100, not '-900'"),
        ("fixed:header=1", "must be true or false, not '1'"),
        ("fixed:header", "must be true or false, not ''"),
        ("fixed:target=200,overlap=101", "more than half of its target"),
        ("structural:target=900,limit=1125,small=200", "longer than 40 characters"),
    ],
)
def test_what_cannot_be_is_one_sentence(choice: str, words: str) -> None:
    with pytest.raises(UnknownChunker, match=r".+\.$") as caught:
        chunker_of(choice)
    assert words in str(caught.value)
