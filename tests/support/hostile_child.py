"""A parser child that a file has taken over: it does what the document says, behind the real walls.

Put in the place of ``knowledge.parsing.child`` as the module ``tests.support.hostile_child``.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from knowledge.errors import DocumentDamaged
from knowledge.parsing import child
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.registry import detect, parser_for
from knowledge.types import ParsedDocument

LIBC = ctypes.CDLL(None, use_errno=True)


def attempt(action: Callable[[], object]) -> str:
    try:
        return f"ALLOWED {action()}"
    except OSError as err:
        return f"refused {err.errno or type(err).__name__}"


def native(name: str, *arguments: object) -> object:
    """Call the C library, past every hook of Python."""
    found = getattr(LIBC, name)(*arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return found


def native_fork() -> object:
    pid = native("fork")
    if pid == 0:  # a child of the child that would outlive it
        time.sleep(60)
        os._exit(0)
    return pid


def native_program() -> object:
    if LIBC.system(b"exit 0"):  # 127: could not be run
        raise OSError(1, "refused")
    return "run"


def made(path: Path) -> str:
    """Make an empty file, which needs no byte."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.unlink()
    return "made"


def descriptors() -> list[str]:
    """What is open, but for the listing itself."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}").split(":")[0])
        except OSError:
            continue
    return sorted(found)


def report(secret: str) -> dict[str, str]:
    private = Path(os.environ["TMPDIR"])
    return {
        "socket": attempt(socket.socket),
        "connection": attempt(lambda: socket.create_connection(("127.0.0.1", 9), 1)),
        "subprocess": attempt(lambda: subprocess.run(["true"])),
        "fork": attempt(os.fork),
        "native socket": attempt(lambda: native("socket", 2, 1, 0)),
        "native fork": attempt(native_fork),
        "native exec": attempt(lambda: native("execv", b"/bin/true", None)),
        "native program": attempt(native_program),
        "signal to parent": attempt(lambda: native("kill", os.getppid(), 0)),
        "limits of parent": attempt(lambda: native("prlimit", os.getppid(), 7, None, ctypes.create_string_buffer(16))),
        "write": attempt(lambda: (private / "a").write_text("x")),
        "empty file": attempt(lambda: made(private / "b")),
        "file elsewhere": attempt(lambda: made(Path(secret).with_name("made"))),
        "delete elsewhere": attempt(lambda: os.unlink(secret)),
        "secret file": attempt(lambda: Path(secret).read_text()),
        "passwords": attempt(lambda: Path("/etc/passwd").read_text()),
        "environment of parent": attempt(lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes()),
        "own environment": " ".join(sorted(os.environ)),
        "descriptors": " ".join(descriptors()),
        "folder": f"{private} {private.stat().st_mode & 0o777:o} {os.getcwd()}",
    }


def real(data: bytes, *, filename: str, limits: ParseLimits) -> ParsedDocument:
    return parser_for(detect(data, filename)).parse(data, ParseContext(filename=filename, limits=limits))


def parse_here(data: bytes, *, filename: str, limits: ParseLimits) -> ParsedDocument:
    word, _, rest = data.decode().partition(" ")
    if word == "report":
        text = "\n".join(f"{name}: {found}" for name, found in report(rest).items())
        return real(text.encode(), filename="report.txt", limits=limits)
    if word == "sleep":
        time.sleep(600)
    elif word == "spin":
        while True:
            pass
    elif word == "exit":
        os._exit(int(rest))
    elif word == "abort":
        os.abort()
    elif word == "memory":
        return real(b"x" * (10 << 30), filename="a.txt", limits=limits)
    elif word == "defect":
        raise KeyError("a word of the document")
    elif word == "flood":
        flood()
    elif word == "claim":  # a frame of a size that never comes
        sys.stdout.flush()
        os.write(answers(), (10**15).to_bytes(8, "big"))
        time.sleep(600)
    elif word == "garbage":
        os.write(answers(), os.urandom(100_000))
    elif word == "surrogate":
        return replace(real(b"words", filename="a.txt", limits=limits), text="wor\ud800s")
    elif word == "message":
        raise DocumentDamaged("M" * 5_000_000)
    return real(data, filename=filename, limits=limits)


def answers() -> int:
    """The descriptor of the pipe to the parent: standard output leads nowhere here."""
    return max(int(name) for name in os.listdir("/proc/self/fd") if _is_open_pipe(int(name)))


def _is_open_pipe(number: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{number}").startswith("pipe:") and number > 2
    except OSError:
        return False


def flood() -> None:
    block = b"\0\0\0\0\x20\0\0\0" + b"[" * (1 << 20)  # the first frame says 512 MB
    while True:
        os.write(answers(), block)


def parse_in(context: ParseContext, data: bytes) -> ParsedDocument:
    return parse_here(data, filename=context.filename, limits=context.limits)


if __name__ == "__main__":
    child.parse_here, child.parse_in = parse_here, parse_in  # whichever of them answers a request
    child.main()
