"""A writer of compound files and Outlook messages, as small as the formats allow."""

from __future__ import annotations

import struct
from typing import Any

Tree = dict[str, Any]  # name -> bytes of a stream, or a Tree

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def compound(tree: Tree) -> bytes:
    """Write a compound file of version 3; siblings hang in a list instead of a balanced tree."""
    entries: list[list[Any]] = [["Root Entry", 5, FREE, FREE, b""]]  # name, type, right, child, bytes

    def add(parent: int, inside: Tree) -> None:
        before = None
        for name, value in inside.items():
            number = len(entries)
            entries.append([name, 1 if isinstance(value, dict) else 2, FREE, FREE, b""])
            if before is None:
                entries[parent][3] = number
            else:
                entries[before][2] = number
            before = number
            if isinstance(value, dict):
                add(number, value)
            else:
                entries[number][4] = value

    add(0, tree)
    fat: list[int] = []
    body = bytearray()
    stored: dict[int, tuple[int, bytes]] = {}  # with the bytes: an id belongs to them only while they live

    def store(data: bytes) -> int:
        nonlocal body
        if not data:
            return END
        if id(data) in stored:  # a hostile file may use the same sectors again
            return stored[id(data)][0]
        start, count = len(fat), -(-len(data) // 512)
        fat.extend([*range(start + 1, start + count), END])
        body += data.ljust(count * 512, b"\0")
        stored[id(data)] = start, data
        return start

    mini, mini_fat, places = bytearray(), [], []
    for _, kind, _, _, data in entries:
        if kind == 2 and 0 < len(data) < 4096:
            start, count = len(mini_fat), -(-len(data) // 64)
            mini_fat += [*range(start + 1, start + count), END]
            mini += data.ljust(count * 64, b"\0")
            places.append((start, len(data)))
        else:
            places.append((store(data), len(data)) if kind == 2 else (0, 0))
    places[0] = (store(bytes(mini)), len(mini))
    mini_start = store(struct.pack(f"<{len(mini_fat)}I", *mini_fat))
    directory = bytearray()
    for (name, kind, right, child, _), (start, size) in zip(entries, places, strict=True):
        raw = name.encode("utf-16-le")
        directory += raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw) + 2, kind, 1, FREE, right, child)
        directory += bytes(36) + struct.pack("<IQ", start, size)
    directory_start = store(bytes(directory))
    tables = lists = 1
    while (len(fat) + tables + lists) * 4 > tables * 512 or tables > 109 + lists * 127:
        tables, lists = tables + 1, lists + (tables + 1 > 109 + lists * 127)
    fat_start, list_start = len(fat), len(fat) + tables
    fat += [FAT] * tables + [0xFFFFFFFC] * lists
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(tables * 512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, tables, directory_start, 0, 4096, mini_start, 1, list_start, lists)
    numbers = [fat_start + n if n < tables else FREE for n in range(109 + lists * 127)]
    further = b""
    for n in range(lists):
        following = list_start + n + 1 if n + 1 < lists else END
        further += struct.pack("<128I", *numbers[109 + n * 127 : 236 + n * 127], following)
    return header + struct.pack("<109I", *numbers[:109]) + body + table + further


def fixed(header: int, **numbers: int) -> bytes:
    """A property table; ``p0E06_0040=...`` is property 0x0E06 of type 0x0040."""
    rows = b""
    for key, value in numbers.items():
        tag, kind = key[1:].split("_")
        rows += struct.pack("<HHIQ", int(kind, 16), int(tag, 16), 6, value)
    return bytes(header) + rows


def text(tag: int, value: str, *, charset: str = "utf-16-le") -> Tree:
    kind = "001F" if charset == "utf-16-le" else "001E"
    return {f"__substg1.0_{tag:04X}{kind}": value.encode(charset)}


def binary(tag: int, value: bytes) -> Tree:
    return {f"__substg1.0_{tag:04X}0102": value}


def attachment(number: int, name: str, data: bytes | Tree, **texts: str) -> Tree:
    """An attachment; a Tree is a message inside the message."""
    inside: Tree = {
        "__properties_version1.0": fixed(8, p3705_0003=5 if isinstance(data, dict) else 1),
        **text(0x3707, name),
    }
    inside.update({"__substg1.0_3701000D": data} if isinstance(data, dict) else binary(0x3701, data))
    for tag, value in texts.items():
        inside.update(text(int(tag[1:], 16), value))
    return {f"__attach_version1.0_#{number:08X}": inside}


def recipient(number: int, name: str, address: str, kind: int = 1) -> Tree:
    inside = {"__properties_version1.0": fixed(8, p0C15_0003=kind), **text(0x3001, name), **text(0x39FE, address)}
    return {f"__recip_version1.0_#{number:08X}": inside}


def message(*parts: Tree, header: int = 32, **numbers: int) -> Tree:
    tree: Tree = {"__properties_version1.0": fixed(header, **numbers)}
    for part in parts:
        tree.update(part)
    return tree
