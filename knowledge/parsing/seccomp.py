"""A filter of system calls: no further process, no program, no socket, no hand on other processes.

Unlike the audit hook it also holds for native code, and unlike ``RLIMIT_NPROC`` for root. Linux on x86-64 and arm64.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from typing import Final

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000  # a second set of numbers for the same calls
# offsets in struct seccomp_data, and BPF operations
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """The numbers of system calls on one kind of processor."""

    arch: int
    clone: int
    clone3: int
    tgkill: int
    prlimit: int
    refused: tuple[int, ...]
    """fork vfork execve execveat socket socketpair ptrace process_vm_readv process_vm_writev kill tkill
    rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal pidfd_open pidfd_getfd unshare setns bpf io_uring_setup
    userfaultfd perf_event_open keyctl add_key mount"""


_MACHINES: Final = {
    "x86_64": _Machine(
        arch=0xC000003E, clone=56, clone3=435, tgkill=234, prlimit=302,
        refused=(57, 58, 59, 322, 41, 53, 101, 310, 311, 62, 200, 129, 297, 424, 434, 438, 272, 308, 321, 425, 323, 298,
                 250, 248, 165),
    ),
    "aarch64": _Machine(
        arch=0xC00000B7, clone=220, clone3=435, tgkill=131, prlimit=261,
        refused=(221, 281, 198, 199, 117, 270, 271, 129, 130, 138, 240, 424, 434, 438, 97, 268, 280, 425, 282, 241, 219,
                 217, 40),
    ),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse_system_calls(libc: ctypes.CDLL) -> bool:
    """Install the filter for good and return whether the kernel took it. Needs ``no_new_privs`` or root."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    code = _filter(machine, os.getpid())
    program = _Program(len(code) // 8, code)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(machine: _Machine, pid: int) -> bytes:
    """The program; jumps are counted in operations after their own."""
    allow, deny = _step(_RETURN, _ALLOW), _step(_RETURN, _ERRNO | _EPERM)
    steps = [
        _step(_LOAD, _ARCH),
        _step(_EQUAL, machine.arch, 1, 0),
        deny,  # the calls of another architecture have other numbers
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, 0, 1),
        deny,
        _step(_EQUAL, machine.clone3, 0, 1),
        _step(_RETURN, _ERRNO | _ENOSYS),  # its flags lie in memory; the C library then takes clone
    ]
    for number in machine.refused:
        steps += [_step(_EQUAL, number, 0, 1), deny]
    for number, own in ((machine.tgkill, pid), (machine.prlimit, 0)):  # abort() signals itself
        steps += [_step(_EQUAL, number, 0, 4), _step(_LOAD, _FIRST_ARGUMENT), _step(_EQUAL, own, 0, 1), allow, deny]
    steps += [_step(_EQUAL, machine.clone, 1, 0), allow]
    steps += [_step(_LOAD, _FIRST_ARGUMENT), _step(_ANY_BIT, _CLONE_THREAD, 0, 1), allow, deny]  # threads only
    return b"".join(steps)


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)
