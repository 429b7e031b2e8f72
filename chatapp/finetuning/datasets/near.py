"""Texts that are the same or nearly so, among thousands: MinHash over word shingles, then the exact overlap.

Broder 1997, On the resemblance and containment of documents. Candidates share a band of their signatures; each pair is
then compared by the overlap of its shingles, so that chance decides nothing but what might be missed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

__all__ = ["ALIKE", "alike_between", "alike_within", "overlap", "shingles", "words_of"]

ALIKE = 0.8
"""Share of the shingles of both that two texts have in common from which they count as nearly the same."""

BANDS, ROWS = 32, 4
"""A pair that overlaps by .8 shares a band with a chance of 1 - (1 - .8**4)**32, which is .9999999; one by .4, of .56:
it is compared in vain."""

LARGEST_BUCKET = 50
"""Texts with one band in common that are compared each with each; of more, each with the first ones."""

_PRIME = np.uint64((1 << 32) - 5)
"""Small beside the products, which wrap around it often: or all hashes would order the shingles nearly alike."""
_WORD = re.compile(r"\w+")

Hashes = npt.NDArray[np.uint64]


def words_of(text: str) -> list[str]:
    """Return the words of a text, whatever their case, spacing and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles(text: str, *, size: int = 3) -> frozenset[str]:
    """Return runs of ``size`` words, at the ends shorter ones too: short texts differ by a word at once."""
    words = words_of(text)
    padded = ["", *words, ""]
    return frozenset(" ".join(padded[at : at + size]) for at in range(max(1, len(padded) - size + 1))) if words else (
        frozenset()
    )  # fmt: skip


def overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the share of all shingles of both that both have, 0..1."""
    return len(first & second) / len(first | second) if first and second else 0.0


def alike_within(texts: Sequence[str], *, least: float = ALIKE) -> list[tuple[int, int, float]]:
    """Return the pairs of texts that are alike as ``(earlier, later, overlap)``, in the order of the later one."""
    sets = [shingles(text) for text in texts]
    found = []
    for first, second in sorted(_pairs(_bands(sets)), key=lambda pair: (pair[1], pair[0])):
        share = overlap(sets[first], sets[second])
        if share >= least:
            found.append((first, second, share))
    return found


def alike_between(
    texts: Sequence[str], others: Sequence[str], *, least: float = ALIKE
) -> dict[int, tuple[int, float]]:  # fmt: skip
    """Return for each text that is like one of the others the one it is most like, as ``(other, overlap)``."""
    sets = [shingles(text) for text in (*texts, *others)]
    best: dict[int, tuple[int, float]] = {}
    for first, second in _pairs(_bands(sets), among=len(texts)):
        share = overlap(sets[first], sets[second])
        if share >= least and share > best.get(first, (0, 0.0))[1]:
            best[first] = (second - len(texts), share)
    return best


def _bands(sets: Sequence[frozenset[str]]) -> list[list[int]]:
    """Return the groups of texts that share a band of their signatures, in order."""
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for at, signature in enumerate(_signatures(sets)):
        if sets[at]:
            for band in range(BANDS):
                buckets[band, signature[band * ROWS : (band + 1) * ROWS].tobytes()].append(at)
    return [group for group in buckets.values() if len(group) > 1]


def _pairs(groups: Sequence[Sequence[int]], *, among: int | None = None) -> set[tuple[int, int]]:
    """Return the pairs of each group; with ``among`` those of a text before that number and one from there on."""
    found: set[tuple[int, int]] = set()
    for group in groups:
        if among is None:
            firsts: Sequence[int] = group[:LARGEST_BUCKET]
            found |= {(a, b) for a in firsts for b in group if a < b}
        else:
            others = [b for b in group if b >= among][:LARGEST_BUCKET]
            found |= {(a, b) for a in group if a < among for b in others}
    return found


def _signatures(sets: Sequence[frozenset[str]]) -> Iterator[Hashes]:
    """Yield the ``(BANDS * ROWS,)`` signature of each set."""
    random = np.random.default_rng(20261127)
    times = random.integers(1, 1 << 31, size=(BANDS * ROWS, 1), dtype=np.uint64)
    plus = random.integers(0, 1 << 31, size=(BANDS * ROWS, 1), dtype=np.uint64)
    for each in sets:
        if not each:
            yield np.zeros(BANDS * ROWS, dtype=np.uint64)
            continue
        # 32 bits times 31 bits stay within 64. Python's own hash is another one in each process.
        hashed = np.array([crc32(shingle.encode("utf-8", "surrogatepass")) for shingle in each], dtype=np.uint64)
        yield ((hashed[None, :] * times + plus) % _PRIME).min(axis=1)
