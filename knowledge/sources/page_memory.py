"""What a website's source remembers between runs: how each page can be asked for again, and what it linked to.

Kept in the source's private folder. It only saves requests: a note is used where the caller's fingerprint shows that
the page was taken in as noted, so a memory that is lost, old or ahead of a run that failed does no harm.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from knowledge.sources.work import private_folder

__all__ = ["Bodies", "PageNote", "digest", "load_notes", "save_notes"]

_VERSION: Final = 1
_FILE: Final = "pages.json"
_MOST_BYTES: Final = 200 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class PageNote:
    """One page that was offered."""

    key: str
    uri: str
    filename: str
    title: str
    fingerprint: str
    etag: str = ""
    modified: str = ""  # its Last-Modified, as written
    changed: str = ""  # what the sitemap said
    links: tuple[str, ...] = ()


def load_notes(work: Path) -> dict[str, PageNote]:
    """Notes by the address that was asked for; empty when there are none that can be read."""
    try:
        kept = json.loads((work / _FILE).read_bytes())
        if kept["version"] != _VERSION:
            return {}
        table: list[str] = kept["links"]
        return {
            asked: PageNote(**{**note, "links": tuple(table[index] for index in note["links"])})
            for asked, note in kept["pages"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}


def save_notes(work: Path, notes: Mapping[str, PageNote]) -> None:
    """Write all notes at once. Links are kept in a table: pages of a site share most of them."""
    numbers: dict[str, int] = {}
    pages: dict[str, Any] = {}
    for asked, note in notes.items():
        pages[asked] = {**asdict(note), "links": [numbers.setdefault(link, len(numbers)) for link in note.links]}
    new = private_folder(work) / f"{_FILE}.new"
    new.write_text(json.dumps({"version": _VERSION, "links": list(numbers), "pages": pages}))
    new.chmod(0o600)
    new.replace(work / _FILE)


class Bodies:
    """Pages read while listing, until they are fetched: no page is asked for twice in one run."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._folder = work / "bodies"
        self._bytes = 0

    def open(self, *, keep: bool) -> None:
        """Begin a listing: without what others left, or with what the same run kept before it was stopped."""
        if not keep:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._bytes = sum(path.stat().st_size for path in self._folder.iterdir()) if self._folder.is_dir() else 0

    def keep(self, fingerprint: str, data: bytes) -> None:
        """Keep a body while there is room; without it, it is asked for again."""
        if self._bytes + len(data) > _MOST_BYTES:
            return
        private_folder(self._work)
        private_folder(self._folder)
        new = self._folder / "new"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        new.replace(self._path(fingerprint))
        self._bytes += len(data)

    def take(self, fingerprint: str) -> bytes | None:
        """The body kept for that fingerprint, forgotten afterwards; None when there is none."""
        path = self._path(fingerprint)
        try:
            data = path.read_bytes()
            path.unlink()
        except OSError:
            return None
        self._bytes = max(0, self._bytes - len(data))
        return data

    def _path(self, fingerprint: str) -> Path:
        return self._folder / digest(fingerprint.encode())


def digest(data: bytes) -> str:
    """The fingerprint of bytes."""
    return hashlib.sha256(data).hexdigest()
