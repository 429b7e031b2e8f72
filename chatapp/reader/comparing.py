"""Two versions of a document side by side: which blocks are the same, changed, new, gone or elsewhere.

Pure. All ranges are code points of the canonical text of their own version.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace

from chatapp.markup.inline import Range
from chatapp.reader.aligning import Budget, Pair, align
from chatapp.reader.units import Unit, units_of
from knowledge.types import Block, BlockKind

__all__ = ["HEADINGS", "Comparison", "Counts", "Row", "Side", "Text", "compare", "marked"]

HEADINGS = frozenset({BlockKind.TITLE, BlockKind.HEADING})
ALIKE = 0.5
"""Share of words that two blocks have in common from which on one is the other, changed."""
MOVED = 24
"""Characters from which on a block that is found elsewhere was moved; a short one is just said twice."""
MOST_WORDS = 1_500_000
"""Of changed blocks on both sides that are aligned; what is beyond is compared in its order only."""
AHEAD = 4
"""Blocks that are looked at for the one that a block was changed to, where they are compared in their order."""
LONG = 2_000
"""Characters from which on a block is compared by its sentences."""

_SENTENCE = re.compile(r"\n+|(?<=[.!?。])\s+")
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Text:
    """A version as it was read."""

    text: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A block in one of the versions, with the words that the other does not have (see :func:`marked`)."""

    start: int
    end: int
    kind: BlockKind
    page: int | None
    marks: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What stands side by side. Of a block that was moved there are two rows: where it was, and where it is."""

    kind: str  # same, changed, added, removed, moved
    old: Side | None = None
    new: Side | None = None
    elsewhere: Side | None = None  # of a moved block: the same one in the other version


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Blocks by what became of them; a moved one counts once."""

    same: int = 0
    changed: int = 0
    added: int = 0
    removed: int = 0
    moved: int = 0

    @property
    def differences(self) -> int:
        return self.changed + self.added + self.removed + self.moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    rows: tuple[Row, ...]
    counts: Counts
    headings: tuple[tuple[Side, Side], ...] = ()  # that stand elsewhere now: here, there
    pages: tuple[tuple[Range, Range], ...] = ()  # runs of pages that carry other numbers now, both ends included
    cut: bool = False  # so much differs that some was compared in its order only


@dataclass(slots=True)
class _Work:
    """The blocks of both versions, and what is known of them so far."""

    old: list[Unit]
    new: list[Unit]
    texts: tuple[str, str]
    budget: Budget = field(default_factory=Budget)
    words_left: int = MOST_WORDS
    moves: dict[int, int] = field(default_factory=dict)  # old -> new
    homes: dict[int, int] = field(default_factory=dict)  # the same, new -> old

    def words(self, side: int, unit: Unit) -> list[str]:
        return _WORD.findall(self.texts[side], unit.start, unit.end)


def compare(old: Text, new: Text) -> Comparison:
    """Compare two versions. Repeated page headers and footers are left out: they move with every page."""
    work = _Work(_units(old), _units(new), (old.text, new.text))
    keys = [_keys(version.text, units) for version, units in ((old, work.old), (new, work.new))]
    same = align(*keys, budget=work.budget)
    _find_moves(work, keys, same)
    rows: list[Row] = []
    before = (-1, -1)
    for pair in [*same, (len(work.old), len(work.new))]:
        gone, come = range(before[0] + 1, pair[0]), range(before[1] + 1, pair[1])
        if gone or come:
            rows += _between(work, gone, come)
        if pair[0] < len(work.old):
            rows.append(Row(kind="same", old=_side(work.old[pair[0]]), new=_side(work.new[pair[1]])))
        before = pair
    kinds = Counter(row.kind for row in rows)
    kinds["moved"] = len(work.moves)
    return Comparison(
        rows=tuple(rows), counts=Counts(**kinds), headings=tuple(_moved_headings(work)),
        pages=tuple(_renumbered(work, same)), cut=work.budget.exceeded,
    )  # fmt: skip


def _units(version: Text) -> list[Unit]:
    shown = [block for block in version.blocks if block.kind is not BlockKind.FURNITURE]
    units = (part for block in shown for part in _sentences(version.text, block))
    return [unit for unit in units if not version.text[unit.start : unit.end].isspace()]


def _sentences(text: str, block: Block) -> Iterator[Unit]:
    """Yield a block, or the sentences of a long one: parts of a fixed length would all differ behind a new word."""
    ends = _SENTENCE.finditer(text, block.start, block.end) if block.end - block.start > LONG else ()
    start = block.start
    for end in [*(match.end() for match in ends), block.end]:
        if end > start:
            yield from units_of(text, [replace(block, start=start, end=end)])
        start = end


def _keys(text: str, units: Sequence[Unit]) -> list[str]:
    """Return what must be equal for two blocks to be the same: their words, however the lines are broken."""
    return [" ".join(text[unit.start : unit.end].split()) for unit in units]


def _find_moves(work: _Work, keys: Sequence[Sequence[str]], same: Sequence[Pair]) -> None:
    """Note the blocks that are gone here and new elsewhere, in the order in which they stand."""
    kept = {i for i, _ in same}, {j for _, j in same}
    there: dict[str, deque[int]] = defaultdict(deque)
    for j, key in enumerate(keys[1]):
        if j not in kept[1]:
            there[key].append(j)
    for i, key in enumerate(keys[0]):
        if i not in kept[0] and there.get(key) and (len(key) >= MOVED or work.old[i].block.kind in HEADINGS):
            work.moves[i] = there[key].popleft()
    work.homes = {j: i for i, j in work.moves.items()}


def _between(work: _Work, gone: range, come: range) -> Iterator[Row]:
    """Yield the rows between two blocks that are the same: changed ones side by side, the others in their order."""
    left = [i for i in gone if i not in work.moves]
    right = [j for j in come if j not in work.homes]
    pairs = dict(_changed(work, left, right))
    at = come.start
    for i in gone:
        if i in pairs:
            yield from (_come(work, j) for j in range(at, pairs[i]))
            yield Row(kind="changed", old=_side(work.old[i]), new=_side(work.new[pairs[i]]))
            at = pairs[i] + 1
        else:
            there = work.moves.get(i)
            yield Row(
                kind="removed" if there is None else "moved",
                old=_side(work.old[i]),
                elsewhere=None if there is None else _side(work.new[there]),
            )
    yield from (_come(work, j) for j in range(at, come.stop))


def _come(work: _Work, j: int) -> Row:
    here = work.homes.get(j)
    return Row(
        kind="added" if here is None else "moved",
        new=_side(work.new[j]),
        elsewhere=None if here is None else _side(work.old[here]),
    )


def _changed(work: _Work, left: Sequence[int], right: Sequence[int]) -> list[Pair]:
    """Return the blocks that have most of their words in common, both rising."""
    if not left or not right:
        return []
    old = [work.words(0, work.old[i]) for i in left]
    new = [work.words(1, work.new[j]) for j in right]
    work.words_left -= sum(map(len, old)) + sum(map(len, new))
    own = Budget(cells=work.budget.cells, items=work.budget.items, exceeded=work.words_left < 0)
    found = [] if own.exceeded else list(_by_words(old, new, own))
    if own.exceeded:
        found = list(_in_order(old, new))
        work.budget.exceeded = True
    work.budget.cells, work.budget.items = own.cells, own.items
    return [(left[i], right[j]) for i, j in found]


def _by_words(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]], budget: Budget) -> Iterator[Pair]:
    """Align the words of all blocks at once: blocks that share most of them belong together."""
    sides = [[(word, index) for index, words in enumerate(side) for word in words] for side in (old, new)]
    same = align([word for word, _ in sides[0]], [word for word, _ in sides[1]], budget=budget)
    shared = Counter((sides[0][a][1], sides[1][b][1]) for a, b in same)
    last = -1, -1
    for i, j in sorted(shared):
        if i > last[0] and j > last[1] and 2 * shared[i, j] >= ALIKE * (len(old[i]) + len(new[j])):
            last = i, j
            yield i, j


def _in_order(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> Iterator[Pair]:
    """Pair each block with the first of the next few that has most of its words."""
    at = 0
    for i, words in enumerate(old):
        counted = Counter(words)
        for j in range(at, min(at + AHEAD, len(new))):
            if 2 * (counted & Counter(new[j])).total() >= ALIKE * (len(words) + len(new[j])):
                at = j + 1
                yield i, j
                break


def marked(row: Row, old: str, new: str, *, budget: Budget) -> Row:
    """Return a changed row with the words that only one of its sides has."""
    if row.old is None or row.new is None or row.kind != "changed":
        return row
    places = [
        [match.span() for match in _WORD.finditer(text, side.start, side.end)]
        for text, side in ((old, row.old), (new, row.new))
    ]
    words = [[text[start:end] for start, end in found] for text, found in zip((old, new), places, strict=True)]
    same = align(*words, budget=budget)
    return replace(
        row,
        old=replace(row.old, marks=tuple(_marks(places[0], {i for i, _ in same}))),
        new=replace(row.new, marks=tuple(_marks(places[1], {j for _, j in same}))),
    )


def _marks(places: Sequence[Range], kept: Set[int]) -> Iterator[Range]:
    """Yield the ranges of words that the other side does not have; neighbours are one range."""
    begun: Range | None = None
    for index, (start, end) in enumerate(places):
        if index not in kept:
            begun = (begun[0] if begun else start, end)
        elif begun:
            yield begun
            begun = None
    if begun:
        yield begun


def _side(unit: Unit) -> Side:
    return Side(start=unit.start, end=unit.end, kind=unit.block.kind, page=unit.block.page_first)


def _moved_headings(work: _Work) -> Iterator[tuple[Side, Side]]:
    for i, j in work.moves.items():
        if work.old[i].block.kind in HEADINGS:
            yield _side(work.old[i]), _side(work.new[j])


def _renumbered(work: _Work, same: Sequence[Pair]) -> Iterator[tuple[Range, Range]]:
    """Yield the runs of pages of which most unchanged blocks stand on a page of another number now."""
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for i, j in [*same, *work.moves.items()]:
        here, there = work.old[i].block.page_first, work.new[j].block.page_first
        if here is not None and there is not None:
            votes[here][there] += 1
    moved = [(page, found.most_common(1)[0][0]) for page, found in sorted(votes.items())]
    yield from _runs([pair for pair in moved if pair[0] != pair[1]])


def _runs(pages: Sequence[Pair]) -> Iterator[tuple[Range, Range]]:
    """Join neighbours that moved by the same number."""
    at = 0
    while at < len(pages):
        last = at
        while last + 1 < len(pages) and pages[last + 1] == (pages[last][0] + 1, pages[last][1] + 1):
            last += 1
        yield (pages[at][0], pages[last][0]), (pages[at][1], pages[last][1])
        at = last + 1
