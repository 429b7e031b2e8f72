"""Compressed bytes, inflated no further than a limit."""

from __future__ import annotations

import zlib
from typing import Final

from knowledge.errors import AddressUnreachable, ReplyTooLarge

__all__ = ["Inflater", "inflated", "too_large"]

_STEP: Final = 256 * 1024
_GZIP_OR_ZLIB: Final = 47


def too_large(limit: int) -> ReplyTooLarge:
    return ReplyTooLarge(f"The reply is larger than {limit / (1024 * 1024):,.0f} MB, the limit for one document.")


class Inflater:
    """Takes gzip as it arrives and stops at ``limit`` bytes, so that a bomb costs no more than that."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self.data = bytearray()

    def feed(self, compressed: bytes) -> None:
        """Inflate one piece.

        :raises ReplyTooLarge: more than the limit.
        :raises AddressUnreachable: it is not gzip.
        """
        try:
            while compressed:
                if self._inflate.eof:  # another member follows; zeros are padding
                    compressed = compressed.lstrip(b"\0")
                    if not compressed:
                        return
                    self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
                self.data += self._inflate.decompress(compressed, _STEP)
                if len(self.data) > self._limit:
                    raise too_large(self._limit)
                compressed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        except zlib.error as err:
            raise AddressUnreachable("What arrived is said to be compressed, but is not.") from err

    @property
    def is_whole(self) -> bool:
        return self._inflate.eof


def inflated(compressed: bytes, *, limit: int) -> bytes:
    """Inflate a gzip file.

    :raises ReplyTooLarge: more than ``limit`` bytes come out.
    :raises AddressUnreachable: it is damaged or cut off.
    """
    inflater = Inflater(limit)
    inflater.feed(compressed)
    if not inflater.is_whole:
        raise AddressUnreachable("What arrived is compressed, and its end is missing.")
    return bytes(inflater.data)
