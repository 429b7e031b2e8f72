"""Compound files (OLE, [MS-CFB]): streams in storages, read within bounds and without recursion."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass, field
from typing import Final

from knowledge.errors import DocumentDamaged, DocumentTooLarge
from knowledge.parsing.base import ParseLimits

__all__ = ["Compound", "Entry"]

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST_SECTOR: Final = 0xFFFFFFFA  # greater numbers mean the end of a chain, or no sector
_END: Final = 0xFFFFFFFE
_NO_ENTRY: Final = 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_MINI_BELOW = 4096  # bytes; shorter streams lie in the mini stream
_MINI = 64
_DAMAGED = "The file is damaged: the parts of its compound file do not fit together."


@dataclass(slots=True, eq=False)
class Entry:
    """A storage with entries inside it, or a stream."""

    name: str
    is_storage: bool
    start: int = 0
    size: int = 0
    children: dict[str, Entry] = field(default_factory=dict)


class Compound:
    """The tree of a compound file. Streams are cut out when asked for, together up to ``inflated_bytes``."""

    def __init__(self, data: bytes, limits: ParseLimits) -> None:
        """Read the tables and the tree.

        :raises DocumentDamaged: no compound file, or its tables contradict each other.
        :raises DocumentTooLarge: it has too many entries.
        """
        if len(data) < 512 or not data.startswith(_MAGIC):
            raise DocumentDamaged(_DAMAGED)
        self._data = data
        shift = int.from_bytes(data[30:32], "little")
        if shift not in (9, 12):
            raise DocumentDamaged(_DAMAGED)
        self._sector = 1 << shift
        self._sectors = max(0, len(data) // self._sector)
        self._left = limits.inflated_bytes
        self._fat = self._read_fat()
        directory = self._chain(_int(data, 48), whole=True)
        if len(directory) // 128 > limits.archive_parts * 4:
            raise DocumentTooLarge(f"The file has more than {limits.archive_parts * 4:,} entries.")
        self.root = self._read_tree(directory)
        self._mini_fat = _integers(self._chain(_int(data, 60)))
        self._mini_stream = self._chain(self.root.start, self.root.size)

    def read(self, entry: Entry) -> bytes:
        """The bytes of a stream.

        :raises DocumentDamaged: its sectors are missing.
        :raises DocumentTooLarge: the streams read are larger together than any honest file's.
        """
        self._left -= entry.size
        if self._left < 0 or entry.size > len(self._data):
            raise DocumentTooLarge("The file expands beyond its limit: its streams overlap.")
        if entry.size >= _MINI_BELOW:
            found = self._chain(entry.start, entry.size)
        else:
            found = self._mini_chain(entry.start, entry.size)
        if len(found) < entry.size:
            raise DocumentDamaged(_DAMAGED)
        return found[: entry.size]

    def _read_fat(self) -> array[int]:
        """The numbers of the sectors that hold the table stand in the header and in a chain of further sectors."""
        per = self._sector // 4
        numbers = _integers(self._data[76:512])
        further, seen = _int(self._data, 68), 0
        while further < _LAST_SECTOR and seen <= self._sectors:
            block = _integers(self._at(further))
            if len(block) < per:
                break
            numbers.extend(block[:-1])
            further, seen = block[-1], seen + 1
        fat = array("I")
        for number in numbers:
            if number < _LAST_SECTOR and len(fat) <= self._sectors + per:
                fat.extend(_integers(self._at(number)))
        return fat

    def _at(self, sector: int) -> bytes:
        begin = (sector + 1) * self._sector
        return self._data[begin : begin + self._sector]

    def _chain(self, start: int, size: int | None = None, *, whole: bool = False) -> bytes:
        """The sectors of a chain, put together; a chain that runs in circles ends with the file's own length.

        :raises DocumentDamaged: the chain does not come to its end, though it must be read ``whole``.
        """
        wanted = self._sectors if size is None else -(-size // self._sector)
        parts: list[bytes] = []
        while start < _LAST_SECTOR and len(parts) < wanted:
            parts.append(self._at(start))
            start = self._fat[start] if start < len(self._fat) else _NO_ENTRY
        if whole and start != _END:
            raise DocumentDamaged(_DAMAGED)
        return b"".join(parts)

    def _mini_chain(self, start: int, size: int) -> bytes:
        parts: list[bytes] = []
        while start < len(self._mini_fat) and len(parts) * _MINI < size:
            parts.append(self._mini_stream[start * _MINI : (start + 1) * _MINI])
            start = self._mini_fat[start]
        return b"".join(parts)

    def _read_tree(self, directory: bytes) -> Entry:
        """Hang every entry below its storage; one that is named twice could stand in a circle."""
        raw = [directory[at : at + 128] for at in range(0, len(directory) - 127, 128)]
        if not raw or raw[0][66] != _ROOT:
            raise DocumentDamaged(_DAMAGED)
        root = _entry(raw[0])
        seen = {0}
        waiting = [(_int(raw[0], 76), root)]
        while waiting:
            number, parent = waiting.pop()
            if number == _NO_ENTRY:
                continue
            if number >= len(raw) or number in seen:
                raise DocumentDamaged(_DAMAGED)
            seen.add(number)
            found = raw[number]
            waiting += [(_int(found, 68), parent), (_int(found, 72), parent)]
            if found[66] not in (_STORAGE, _STREAM):
                continue
            entry = _entry(found)
            parent.children.setdefault(entry.name, entry)
            if entry.is_storage:
                waiting.append((_int(found, 76), entry))
        return root


def _entry(raw: bytes) -> Entry:
    length = min(max(int.from_bytes(raw[64:66], "little") - 2, 0), 62)
    name = raw[:length].decode("utf-16-le", errors="replace")
    return Entry(name, raw[66] != _STREAM, _int(raw, 116), _int(raw, 120))


def _int(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "little")


def _integers(data: bytes) -> array[int]:
    """Little-endian 32-bit numbers."""
    numbers = array("I")
    numbers.frombytes(data[: len(data) // 4 * 4])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
