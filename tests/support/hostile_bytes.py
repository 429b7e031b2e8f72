"""Archives, bombs and pictures written without holding what they inflate to."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping

MB = 1 << 20


def repeated(block: bytes, times: int, *, before: bytes = b"", wbits: int = 15, level: int = 6) -> bytes:
    """Deflate ``before`` and ``times`` times ``block``.

    A block that ends with a full flush does not look back, so its compressed form can be repeated instead of made anew.
    """
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    head = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    body = head + packed * times + packer.flush()
    if wbits < 0:
        return body
    check = zlib.adler32(before)
    for _ in range(times):
        check = zlib.adler32(block, check)
    return b"\x78\x9c" + body + check.to_bytes(4, "big")


def zip_of(members: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def with_member(archive: bytes, name: str, pieces: Iterator[bytes]) -> bytes:
    """Add a member that is written piece by piece."""
    out = io.BytesIO(archive)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as target, target.open(name, "w") as member:
        for piece in pieces:
            member.write(piece)
    return out.getvalue()


def with_link(archive: bytes, name: str, target: str) -> bytes:
    """Add a symbolic link."""
    out = io.BytesIO(archive)
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(out, "a") as archive_file:
        archive_file.writestr(info, target)
    return out.getvalue()


def png(width: int, height: int, pixels: bytes) -> bytes:
    """A grey picture of these (deflated) pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
