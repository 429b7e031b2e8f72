"""A bare, shallow clone in a source's private folder, kept by the ``git`` program.

What a second program can and cannot promise, where ``knowledge.egress`` cannot hold the socket itself:

- The host is looked up and checked here, and git is told by ``http.curloptResolve`` to connect to those addresses and
  to ask no name server; redirects and alternates elsewhere are errors (``http.followRedirects=false``); no proxy, no
  settings of the machine or the user, no helper of theirs, and no transport but the one of the address is used.
  A git older than 2.37 does not know the first of these and is refused.
- The address of the socket is not looked at again, as our own connections do: libcurl is trusted to obey.
- Nothing is checked out: no hooks, filters, submodules or links of the repository take effect. Sizes are limited by
  the largest file that git may write (one pack), on systems that can (Linux); the time of each command is limited.
- A token travels in the environment of git and of the helper that hands it over, never in arguments or addresses.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from knowledge.errors import SourceError
from knowledge.sources.base import SourceLimits
from knowledge.sources.work import private_folder

__all__ = ["Entry", "Remote", "Repository"]

_OLDEST: Final = (2, 37)
_REF: Final = "refs/footnote/head"
_HELPER: Final = '!f() { printf "username=%s\\npassword=%s\\n" "$FOOTNOTE_GIT_USER" "$FOOTNOTE_GIT_TOKEN"; }; f'
_ALWAYS: Final[Mapping[str, str]] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # one pack for each fetch, so that a limit of file sizes limits it
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "maintenance.auto": "false",
    "transfer.bundleURI": "false",
}
_KEPT_VARIABLES: Final = ("PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "LD_LIBRARY_PATH")
_REASONS: Final = (
    ("couldn't find remote ref", "The repository has no such branch, or no commit yet."),
    ("not a valid object name", "The folder does not exist in this branch."),
    ("authentication failed", "The repository asks for a sign-in. Check the user name and the token."),
    ("could not read username", "The repository asks for a sign-in, or does not exist. Enter a token."),
    ("returned error: 403", "The repository may not be read with this token."),
    ("redirect", "The address redirects. Enter the one that it leads to."),
    ("returned error: 30", "The address redirects. Enter the one that it leads to."),
    ("not found", "There is no repository at this address."),
    ("does not appear to be a git repository", "There is no repository at this address."),
    ("does not exist", "There is no repository at this address."),
    ("dubious ownership", "The repository belongs to another user of this machine."),
    ("certificate", "The certificate of the server is not accepted."),
    ("index-pack", "The repository is larger than the limit for a clone, or the disk is full."),
    ("file too large", "The repository is larger than the limit for a clone."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where a repository comes from, checked."""

    address: str  # an http(s) address, or a path on this machine
    transport: str  # https, http or file
    origin: str = ""  # of an http(s) address: what the token is for
    resolve: str = ""  # HOST:PORT:ADDRESS[,ADDRESS] for libcurl; "" for a path or an address without a name
    user: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the tree. The path is bytes: it may be no text."""

    path: bytes
    blob: str
    size: int


class Repository:
    def __init__(self, work: Path, remote: Remote, limits: SourceLimits) -> None:
        self._work = work
        self._folder = work / "repository.git"
        self._remote = remote
        self._limits = limits

    def probe(self, branch: str) -> None:
        """Ask the remote for a branch ("" for its default one).

        :raises SourceError: it cannot be reached, or has no such branch.
        """
        self._require_git()
        wanted = f"refs/heads/{branch}" if branch else "HEAD"
        found = self._git("ls-remote", "--", self._remote.address, wanted, seconds=self._limits.seconds)
        if not found.strip():
            raise SourceError("The repository has no such branch, or no commit yet.")

    def update(self, branch: str) -> None:
        """Bring the clone to the newest commit of a branch, without its history, and clear what it replaces.

        :raises SourceError: that did not succeed; the clone is as it was.
        """
        self._require_git()
        self._prepare()
        wanted = f"refs/heads/{branch}" if branch else "HEAD"
        # Left where a run ends on the way, and then the next one clears what this one replaced.
        uncleared = self._work / "uncleared"
        due, before = uncleared.exists(), self._head()
        uncleared.touch()
        self._git(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--end-of-options",
            self._remote.address, f"+{wanted}:{_REF}", seconds=self._limits.clone_seconds,
        )  # fmt: skip
        if due or before not in ("", self._head()):
            # What the branch has no more may be deleted everywhere: it must not stay in the packs of a private clone.
            self._git("gc", "--quiet", "--prune=now", seconds=self._limits.clone_seconds)
        uncleared.unlink()

    def _head(self) -> str:
        """The commit the clone is at; "" for none yet."""
        printed = self._git("for-each-ref", "--format=%(objectname)", _REF, seconds=self._limits.seconds)
        return printed.decode().strip()

    def entries(self, prefix: str) -> Iterator[Entry]:
        """The files below a folder ("" for all), with paths from the root; links and submodules are left out.

        :raises SourceError: the branch has no such folder, or its list is larger than the limit.
        """
        listing = self._git("ls-tree", "-r", "-z", "-l", f"{_REF}:{prefix}", seconds=self._limits.seconds)
        above = f"{prefix}/".encode() if prefix else b""
        for line in listing.split(b"\0"):
            facts, tab, path = line.partition(b"\t")
            if tab and (parts := facts.split())[0] in (b"100644", b"100755"):
                yield Entry(above + path, parts[2].decode(), int(parts[3]))

    def read(self, blob: str) -> bytes:
        """The bytes of a file.

        :raises SourceError: the clone does not hold it.
        """
        if not re.fullmatch(r"[0-9a-f]{40,64}", blob):
            raise SourceError("It is no file of a repository.")
        return self._git("cat-file", "blob", blob, seconds=self._limits.seconds, limit=self._limits.item_bytes)

    def _prepare(self) -> None:
        """Make the clone, or take away what a killed run left: one run at a time works here."""
        private_folder(self._work)
        origin = self._work / "origin"
        if not origin.exists() or origin.read_text() != self._remote.address:
            shutil.rmtree(self._folder, ignore_errors=True)
            origin.write_text(self._remote.address)
        if not (self._folder / "HEAD").exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._git("init", "--quiet", "--bare", "--template=", seconds=self._limits.seconds)
        packs = self._folder / "objects" / "pack"
        for left in (*self._folder.rglob("*.lock"), *packs.glob("tmp_*"), *packs.glob("*.keep")):
            left.unlink(missing_ok=True)

    def _require_git(self) -> None:
        if shutil.which("git") is None:
            raise SourceError("The program git is not installed on the machine that runs the workers.")
        found = re.search(rb"(\d+)\.(\d+)", self._git("--version", seconds=self._limits.seconds))
        if found is None or (int(found[1]), int(found[2])) < _OLDEST:
            raise SourceError(f"Git {_OLDEST[0]}.{_OLDEST[1]} or newer is needed on the machine that runs the workers.")

    def _git(self, *arguments: str, seconds: int, limit: int | None = None) -> bytes:
        """Run git and return what it prints.

        :raises SourceError: it failed, took too long, or printed more than ``limit`` bytes.
        """
        most = self._limits.listing_bytes if limit is None else limit
        private_folder(self._work)
        command = ["git", *self._settings(), f"--git-dir={self._folder}", *arguments]
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(  # noqa: S603 - a list; what people typed in stands behind -- or --end-of-options
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=self._environment(),
                cwd=self._work, start_new_session=True,
            ) as process,
        ):  # fmt: skip
            if hasattr(resource, "prlimit"):
                with contextlib.suppress(OSError):  # it has ended already
                    size = self._limits.repository_bytes
                    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
            clock = threading.Timer(seconds, _end, [process])
            clock.start()
            try:
                assert process.stdout is not None
                printed = process.stdout.read(most + 1)
                if len(printed) > most:
                    raise SourceError(f"It is larger than {most / (1024 * 1024):,.0f} MB.")
                if process.wait():
                    said.seek(0)
                    raise SourceError(_reason(said.read(64 * 1024).decode(errors="replace"), process.returncode))
            finally:
                clock.cancel()
                _end(process)
        return printed

    def _settings(self) -> list[str]:
        settings = dict(_ALWAYS)
        if self._remote.resolve:
            settings["http.curloptResolve"] = self._remote.resolve
        if self._remote.token:
            settings[f"credential.{self._remote.origin}.helper"] = _HELPER
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return kept | {
            "HOME": str(self._work),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": self._remote.transport,
            "FOOTNOTE_GIT_USER": self._remote.user,
            "FOOTNOTE_GIT_TOKEN": self._remote.token,
        }


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill git and what it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _reason(said: str, status: int) -> str:
    """What went wrong in a sentence of ours, or with git's last words."""
    if status == -signal.SIGKILL:
        return "Git took longer than the limit."
    lowered = said.lower()
    for mark, sentence in _REASONS:
        if mark in lowered:
            return sentence
    lines = [line.partition("fatal: ")[2] for line in said.splitlines() if "fatal: " in line]
    words = "".join(letter for letter in (lines or [""])[-1] if letter.isprintable())[:200]
    return f"Git could not read the repository: {words or f'it ended with {status}'}."
