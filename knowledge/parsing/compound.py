"""Streams of a compound file (OLE), the container of old binary Office files. Source: [MS-CFB]."""

from __future__ import annotations

import struct
from typing import Final

from knowledge.errors import DocumentDamaged

_SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST: Final = 0xFFFFFFFA  # this and above are no sectors
_IN_HEADER: Final = 109
_DAMAGED: Final = "The file is damaged: its container cannot be read."


def stream(data: bytes, *names: str) -> bytes:
    """The first stream with one of these names, read within the size of the file.

    :raises DocumentDamaged: no such stream, or its chain of sectors is broken.
    """
    try:
        return _Compound(data).stream(names)
    except (struct.error, IndexError, OverflowError) as err:
        raise DocumentDamaged(_DAMAGED) from err


class _Compound:
    def __init__(self, data: bytes) -> None:
        if not data.startswith(_SIGNATURE) or len(data) < 512:
            raise DocumentDamaged(_DAMAGED)
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise DocumentDamaged(_DAMAGED)
        self._data = data
        self._size = 1 << shift
        self._table: list[int] = []
        directory, self._smallest, mini_table, mini_count = struct.unpack_from("<I4xIII", data, 48)
        for sector in self._table_sectors():
            self._table += struct.unpack(f"<{self._size // 4}I", self._sector(sector))
        self._directory = self._chain(directory)
        self._mini_table = self._chain(mini_table) if mini_count else b""

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._size
        found = self._data[start : start + self._size]
        if not found:
            raise DocumentDamaged(_DAMAGED)
        return found.ljust(self._size, b"\0")

    def _table_sectors(self) -> list[int]:
        found = list(struct.unpack_from(f"<{_IN_HEADER}I", self._data, 76))
        following, count = struct.unpack_from("<II", self._data, 68)
        for _ in range(min(count, len(self._data) // self._size)):
            if following >= _LAST:
                break
            *more, following = struct.unpack(f"<{self._size // 4}I", self._sector(following))
            found += more
        return [sector for sector in found if sector < _LAST]

    def _chain(self, first: int) -> bytes:
        parts = []
        sector, left = first, len(self._data) // self._size + 1
        while sector < _LAST:
            left -= 1
            if left < 0:
                raise DocumentDamaged(_DAMAGED)  # a circle
            parts.append(self._sector(sector))
            sector = self._table[sector]
        return b"".join(parts)

    def stream(self, names: tuple[str, ...]) -> bytes:
        entries: dict[str, tuple[int, int]] = {}
        for at in range(0, len(self._directory) - 127, 128):
            length = min(max(struct.unpack_from("<H", self._directory, at + 64)[0] - 2, 0), 62)
            name = self._directory[at : at + length].decode("utf-16-le", "replace")
            start, size = struct.unpack_from("<II", self._directory, at + 116)
            entries.setdefault("" if self._directory[at + 66] == 5 else name, (start, size))
        for name in names:
            if name in entries:
                start, size = entries[name]
                if size >= self._smallest:
                    return self._chain(start)[:size]
                return self._mini(self._chain(entries[""][0]) if "" in entries else b"", start, size)
        raise DocumentDamaged("The file is damaged: it holds no workbook.")

    def _mini(self, container: bytes, first: int, size: int) -> bytes:
        table = struct.unpack(f"<{len(self._mini_table) // 4}I", self._mini_table)
        parts: list[bytes] = []
        sector = first
        while sector < _LAST and len(parts) * 64 < size:
            parts.append(container[sector * 64 : sector * 64 + 64])
            sector = table[sector]
        return b"".join(parts)[:size]
