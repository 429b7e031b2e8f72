"""Compressed RTF as Outlook stores bodies ([MS-OXRTFCP]): LZ77 over a ring of 4,096 bytes."""

from __future__ import annotations

from typing import Final

from knowledge.errors import DocumentDamaged, DocumentTooLarge

__all__ = ["decompress_rtf"]

_RING: Final = 4096
_START: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)  # fmt: skip
_DAMAGED = "The compressed text of the message is damaged."


def decompress_rtf(data: bytes, *, limit: int) -> bytes:
    """Undo the compression.

    :raises DocumentDamaged: the header or the data makes no sense.
    :raises DocumentTooLarge: more than ``limit`` bytes come out.
    """
    if len(data) < 16:
        raise DocumentDamaged(_DAMAGED)
    size = int.from_bytes(data[4:8], "little")
    if size > limit:
        raise DocumentTooLarge("The compressed text of the message expands beyond the limit.")
    if data[8:12] == b"MELA":  # not compressed
        return data[16 : 16 + size]
    if data[8:12] != b"LZFu":
        raise DocumentDamaged(_DAMAGED)
    return _inflate(data, size)


def _inflate(data: bytes, size: int) -> bytes:
    ring = bytearray(_START.ljust(_RING, b"\0"))
    write = len(_START)
    out = bytearray()
    position = 16
    while len(out) < size and position < len(data):
        control = data[position]
        position += 1
        for bit in range(8):
            if position >= len(data) or len(out) >= size:
                break
            if not control >> bit & 1:
                out.append(data[position])
                ring[write] = data[position]
                write, position = (write + 1) % _RING, position + 1
                continue
            pair = int.from_bytes(data[position : position + 2], "big")
            position += 2
            read, length = pair >> 4, (pair & 15) + 2
            if read == write:
                return bytes(out)
            for _ in range(length):
                byte = ring[read]
                out.append(byte)
                ring[write] = byte
                read, write = (read + 1) % _RING, (write + 1) % _RING
    return bytes(out[:size])
