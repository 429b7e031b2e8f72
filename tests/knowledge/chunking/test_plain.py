"""The chunkers that look at nothing but the text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.chunking.base import Chunker, search_text
from knowledge.chunking.fixed import FixedChunker
from knowledge.chunking.recursive import RecursiveChunker
from knowledge.errors import DocumentTooLarge
from knowledge.types import Block, BlockKind, ChunkRange, ParsedDocument

Counter = Callable[[Sequence[str]], list[int]]
BOTH = pytest.mark.parametrize("kind", [FixedChunker, RecursiveChunker])
SENTENCE = "Employees may take leave after the first month of work here. "


def document_of(*parts: tuple[BlockKind, str]) -> ParsedDocument:
    text, blocks = "", []
    for ordinal, (kind, part) in enumerate(parts):
        text += "\n\n" if text else ""
        blocks.append(Block(ordinal=ordinal, kind=kind, start=len(text), end=len(text) + len(part)))
        text += part
    return ParsedDocument(text=text, blocks=tuple(blocks), parser="t", parser_version="1", media_type="text/plain")


def texts(document: ParsedDocument, chunker: Chunker, count: Counter) -> list[str]:
    return [document.text[c.start : c.end] for c in chunker.chunk(document, title="", count_tokens=count)]


@BOTH
def test_sizes_hold_and_words_stay_whole(parse, count_tokens: Counter, kind: type) -> None:
    document = parse(SENTENCE * 100, "a.txt")
    found = texts(document, kind(target=300), count_tokens)
    assert all(len(part) <= 300 for part in found)
    assert " ".join(found).split() == document.text.split()


@BOTH
def test_overlap_lies_in_the_chunk_before_and_takes_from_the_size(parse, count_tokens: Counter, kind: type) -> None:
    document = parse(SENTENCE * 100, "a.txt")
    ranges = kind(target=300, overlap=100).chunk(document, title="", count_tokens=count_tokens)
    shared = [before.end - after.start for before, after in pairwise(ranges)]
    assert all(0 < each <= 100 for each in shared)
    assert all(r.end - r.start <= 300 for r in ranges)


@BOTH
def test_headings_are_known_and_title_can_be_left_out(parse, count_tokens: Counter, kind: type) -> None:
    document = parse(f"# Head\n\n{SENTENCE * 30}\n\n## Below\n\n{SENTENCE * 30}")
    found = kind(target=300).chunk(document, title="T", count_tokens=count_tokens)
    assert found[0].heading_path == ("Head",)
    assert found[-1].heading_path == ("Head", "Below")
    assert {c.context for c in found} == {None}
    assert {c.context for c in kind(header=False).chunk(document, title="T", count_tokens=count_tokens)} == {""}


@BOTH
def test_the_token_limit_holds(parse, count_tokens: Counter, kind: type) -> None:
    document = parse("1 2 3 4 5 6 7 8 9 " * 300, "a.txt")
    for c in kind(max_tokens=60, overlap=50).chunk(document, title="A title", count_tokens=count_tokens):
        whole = search_text(title="A title", heading_path=c.heading_path, text=document.text[c.start : c.end])
        assert count_tokens([whole])[0] <= 60


@BOTH
def test_furniture_is_in_no_chunk(count_tokens: Counter, kind: type) -> None:
    document = document_of(
        (BlockKind.PARAGRAPH, "Before."), (BlockKind.FURNITURE, "Page 3"), (BlockKind.PARAGRAPH, "After.")
    )
    assert texts(document, kind(overlap=50), count_tokens) == ["Before.", "After."]


@BOTH
def test_too_many_chunks_are_refused(parse, count_tokens: Counter, kind: type) -> None:
    with pytest.raises(DocumentTooLarge, match="20 passages"):
        kind(max_chunks=20).chunk(parse("a" * 100_000, "a.txt"), title="", count_tokens=count_tokens)


@BOTH
def test_chunking_takes_linear_time(parse, kind: type) -> None:
    started = time.monotonic()
    for text in ("a" * 1_000_000, ". " * 500_000, "\n" * 500_000 + "a", "a\n \n" * 250_000, "\u0301" * 1_000_000):
        document = document_of((BlockKind.PARAGRAPH, text))
        kind(overlap=100).chunk(document, title="", count_tokens=lambda texts: [1 for _ in texts])
    assert time.monotonic() - started < 30


def test_recursive_takes_the_strongest_separator_that_is_enough(parse, count_tokens: Counter) -> None:
    source = "One. Two.\nThree.\n\n" + "Four is a sentence. Five is one too.\nSix.\n\nSeven."
    split = RecursiveChunker(target=40)
    assert texts(parse(source, "a.txt"), split, count_tokens) == [
        "One. Two.\nThree.", "Four is a sentence. Five is one too.", "Six.", "Seven.",
    ]  # fmt: skip


def test_recursive_packs_neighbours_of_one_level(parse, count_tokens: Counter) -> None:
    found = texts(parse("\n\n".join(["short words"] * 9), "a.txt"), RecursiveChunker(target=40), count_tokens)
    assert found == ["\n\n".join(["short words"] * 3)] * 3


def lost(document: ParsedDocument, ranges: Sequence[ChunkRange]) -> str:
    covered = bytearray(len(document.text))
    for r in ranges:
        covered[r.start : r.end] = b"\1" * (r.end - r.start)
    for block in document.blocks:
        if block.kind is BlockKind.FURNITURE:
            assert not any(covered[block.start : block.end])
            covered[block.start : block.end] = b"\1" * (block.end - block.start)
    return "".join(c for c, seen in zip(document.text, covered, strict=True) if not seen).strip()


@BOTH
@given(
    parts=st.lists(
        st.tuples(st.sampled_from(list(BlockKind)), st.text("ab. \n漢\u0301", min_size=1, max_size=700)),
        min_size=1, max_size=10,
    ),
    target=st.integers(20, 300), overlap=st.integers(0, 10),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_everything_but_white_space_is_covered_in_order(
    count_tokens: Counter, kind: type, parts: list[tuple[BlockKind, str]], target: int, overlap: int
) -> None:
    document = document_of(*parts)
    ranges = kind(target=target, overlap=overlap).chunk(document, title="", count_tokens=count_tokens)
    assert [r.ordinal for r in ranges] == list(range(len(ranges)))
    for r in ranges:
        text = document.text[r.start : r.end]
        assert 0 <= r.start < r.end <= len(document.text)
        assert text == text.strip()
        assert len(text) <= target
    for before, after in pairwise(ranges):
        assert before.start < after.start
        assert before.end < after.end
    assert not lost(document, ranges)
