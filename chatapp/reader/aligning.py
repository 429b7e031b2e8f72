"""Which items of two sequences are the same ones: a longest common subsequence, in bounded time.

Items that occur once on both sides hold the two together (Bram Cohen's patience diff); what lies between them is
compared exactly, many cells at a time (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Budget", "Pair", "align"]

Pair = tuple[int, int]
Gap = tuple[int, int, int, int]  # a range of the old items and one of the new ones

MOST_CELLS = 100_000_000
"""Old items times new ones that are compared exactly at once; a bit of memory each."""

STEP_CELLS = 50
"""What each item of an exact comparison costs beside its cells: a step of the way back takes as long as these."""


@dataclass(slots=True)
class Budget:
    """What comparisons may still cost; shared by all that belong to one page."""

    cells: int = 600_000_000  # of exact comparisons
    items: int = 5_000_000  # looked at for anchors
    exceeded: bool = False


def align(old: Sequence[Hashable], new: Sequence[Hashable], *, budget: Budget) -> list[Pair]:
    """Return the places ``(old, new)`` of items that are the same, both rising.

    Where the budget ends, what is between two anchors is taken for different, and the budget says so.
    """
    pairs: list[Pair] = []
    gaps: list[Gap] = [(0, len(old), 0, len(new))]
    while gaps:
        gap = _trimmed(old, new, gaps.pop(), pairs)
        if gap[0] == gap[1] or gap[2] == gap[3]:
            continue
        anchors = _anchors(old, new, gap, budget)
        if anchors:
            pairs += anchors
            gaps += _between(gap, anchors)
        else:
            pairs += _exact(old, new, gap, budget)
    return sorted(pairs)


def _trimmed(old: Sequence[Hashable], new: Sequence[Hashable], gap: Gap, pairs: list[Pair]) -> Gap:
    """Pair what both sides begin and end with, and return what is left."""
    first, last, begin, end = gap
    while first < last and begin < end and old[first] == new[begin]:
        pairs.append((first, begin))
        first, begin = first + 1, begin + 1
    while first < last and begin < end and old[last - 1] == new[end - 1]:
        last, end = last - 1, end - 1
        pairs.append((last, end))
    return first, last, begin, end


def _anchors(old: Sequence[Hashable], new: Sequence[Hashable], gap: Gap, budget: Budget) -> list[Pair]:
    """Return the longest rising row of items that occur once on each side."""
    first, last, begin, end = gap
    budget.items -= last - first + end - begin
    if budget.items < 0:
        budget.exceeded = True
        return []
    counted, there = Counter(old[first:last]), Counter(new[begin:end])
    at = {new[j]: j for j in range(begin, end) if there[new[j]] == 1}
    return _rising([(i, at[old[i]]) for i in range(first, last) if counted[old[i]] == 1 and old[i] in at])


def _rising(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the longest part in which the second number rises; the first one does."""
    tails: list[int] = []  # the last second number of the best row of each length
    ends: list[int] = []  # and which pair it is
    before: list[int] = []
    for index, (_, second) in enumerate(pairs):
        length = bisect_left(tails, second)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(second)
            ends.append(index)
        else:
            tails[length], ends[length] = second, index
    row: list[Pair] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        row.append(pairs[index])
        index = before[index]
    return row[::-1]


def _between(gap: Gap, anchors: Sequence[Pair]) -> Iterator[Gap]:
    first, last, begin, end = gap
    for i, j in anchors:
        yield first, i, begin, j
        first, begin = i + 1, j + 1
    yield first, last, begin, end


def _exact(old: Sequence[Hashable], new: Sequence[Hashable], gap: Gap, budget: Budget) -> Iterator[Pair]:
    """Yield the pairs of a longest common subsequence, last first; none where that would cost too much."""
    first, last, begin, end = gap
    cells = (last - first) * (end - begin)
    cost = cells + STEP_CELLS * (last - first + end - begin)
    if cells > MOST_CELLS or cost > budget.cells:
        budget.exceeded = True
        return
    budget.cells -= cost
    rows = _rows(old, new, gap)
    i, j = last - first, end - begin
    while i and j:
        if _bit(rows[i], j - 1):
            j -= 1
            continue
        i -= 1
        if i == 0 or _bit(rows[i], j - 1):
            j -= 1
            yield first + i, begin + j


def _rows(old: Sequence[Hashable], new: Sequence[Hashable], gap: Gap) -> list[bytes]:
    """Return bits for each count of old items: where one is 0, its new item makes the subsequence longer.

    Numbers are added a row at a time, and bytes looked into a bit at a time: to shift or to or a number for one bit
    takes as long as the number is.
    """
    first, last, begin, end = gap
    size = (end - begin + 7) // 8
    full = (1 << (end - begin)) - 1
    places = {item: int.from_bytes(bits, "little") for item, bits in _places(old, new, gap, size).items()}
    row = full
    rows = [row.to_bytes(size, "little")]
    for i in range(first, last):
        common = row & places[old[i]]
        row = (row + common | row - common) & full
        rows.append(row.to_bytes(size, "little"))
    return rows


def _places(old: Sequence[Hashable], new: Sequence[Hashable], gap: Gap, size: int) -> dict[Hashable, bytearray]:
    """Return for each old item the bits of the new ones that are the same."""
    first, last, begin, end = gap
    places = {item: bytearray(size) for item in old[first:last]}
    for j in range(end - begin):
        bits = places.get(new[begin + j])
        if bits is not None:
            bits[j >> 3] |= 1 << (j & 7)
    return places


def _bit(bits: bytes, at: int) -> int:
    return bits[at >> 3] >> (at & 7) & 1
