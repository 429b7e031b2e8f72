"""Which files the parser child may open: its program to read, its private folder to write, and nothing else.

A hostile file that takes over native code can then read no other document, no key and no environment. Needs Linux 5.13.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import knowledge

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every kind of processor
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_OF_A_FILE = 1 << 1 | 1 << 2 | 1 << 14  # write, read, truncate; the other rights are of folders
_KNOWN: Final = {1: 13, 2: 14}  # version of the interface -> how many rights it knows
_MOST_KNOWN = 15
_SYSTEM: Final = (
    "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/mime.types", "/usr/share/zoneinfo", "/usr/share/locale", "/dev/null", "/dev/zero", "/dev/random",
    "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
)  # fmt: skip


def restrict_files(libc: ctypes.CDLL, private: Path | None) -> bool:
    """Shut every file but those away for good, and return whether the kernel did. Needs ``no_new_privs`` or root.

    ``private`` is the only folder in which something may be made.
    """
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    every = (1 << _KNOWN.get(version, _MOST_KNOWN)) - 1
    attribute = struct.pack("=Q", every)
    rules = libc.syscall(_CREATE_RULESET, attribute, len(attribute), 0)
    if rules < 0:
        return False
    try:
        for path in _readable():
            _allow(libc, rules, path, _READ_FILE | _READ_FOLDER)
        for path in ("/dev/null", *([str(private)] if private else [])):
            _allow(libc, rules, path, every)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _readable() -> Iterable[str]:
    """The interpreter, its libraries and this package, but not the folder it lies in: the data may lie beside it."""
    package = Path(knowledge.__path__[0])
    libraries = [entry for entry in sys.path if entry and Path(entry) != package.parent]
    return {str(package), sys.prefix, sys.base_prefix, sys.exec_prefix, *libraries, *_SYSTEM}


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_A_FILE
        rule = struct.pack("=Qi", access, descriptor)
        libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
