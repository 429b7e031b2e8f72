"""A folder of the machine that runs the workers, below one that its operator opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import ClassVar

from knowledge.errors import SourceItemFailed, SourceMisconfigured
from knowledge.sources.base import LONGEST_KEY, Fetched, Item, Option, Problem, SourceContext
from knowledge.sources.patterns import PATTERN_OPTIONS, Patterns, is_readable
from knowledge.sources.values import Values
from knowledge.sources.words import megabytes, nothing_left, too_many

__all__ = ["FolderSource", "allowed_folder", "overlap"]

PRIVATE = "The folder holds data of this product itself, or lies in it. Choose another folder."


class FolderSource:
    """Files by relative path. Hidden ones are skipped, and so are links: they would lead out, or offer a file twice."""

    name: ClassVar[str] = "folder"
    title: ClassVar[str] = "Folder"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            name="path",
            label="Folder",
            required=True,
            help="Its whole path on the machine that runs the workers, below a folder of SOURCE_FOLDERS.",
        ),
        *PATTERN_OPTIONS,
    )

    def __init__(self, values: Values, *, context: SourceContext) -> None:
        self._root = allowed_folder(values.text("path"), roots=context.roots, private=context.private)
        self._private = context.private
        self._patterns = Patterns(values.lines("include"), values.lines("exclude"))
        self._limits, self._beat = context.limits, context.beat
        self.complete = False

    def check(self) -> list[str]:
        try:
            with os.scandir(self._root):
                return []
        except OSError as err:
            return [f"The folder cannot be opened: {_reason(err)}. Check its path and who may read it."]

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        whole, listed = True, 0
        for found in self._walk():
            if isinstance(found, Problem):
                whole = whole and bool(found.key) and not found.key.endswith("/")
            elif listed == self._limits.items:
                whole = False
                yield too_many(self._limits.items)
                break
            listed += isinstance(found, Item)
            yield found
        if known and whole and not listed:  # as a folder looks whose disk is not mounted
            whole = False
            yield nothing_left("Nothing is found in the folder", len(known))
        self.complete = whole

    def fetch(self, item: Item) -> Fetched:
        try:
            handle = _open_below(self._root, item.key)
        except (OSError, ValueError) as err:
            raise SourceItemFailed(f"The file cannot be opened: {_reason(err)}.") from err
        with os.fdopen(handle, "rb") as file:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise SourceItemFailed("It is no longer a file.")
            if before.st_size > self._limits.item_bytes:
                raise SourceItemFailed(_too_large(before.st_size, self._limits.item_bytes))
            try:
                data = file.read(self._limits.item_bytes + 1)
            except OSError as err:
                raise SourceItemFailed(f"The file cannot be read: {_reason(err)}.") from err
            if _fingerprint(os.fstat(handle)) != _fingerprint(before) or len(data) != before.st_size:
                raise SourceItemFailed("The file changed while it was read. The next run reads it again.")
        return Fetched(item=_item(item.key, before), data=data)

    def _walk(self) -> Iterator[Item | Problem]:
        """Go through the folders in the order of their names. The key of a folder's problem ends with a slash."""
        waiting, private = [""], {_identity(path) for path in self._private} - {None}
        while waiting:
            folder = waiting.pop()
            self._beat()
            try:
                with os.scandir(self._root / folder) as scan:
                    entries = sorted(scan, key=lambda entry: entry.name)
            except OSError as err:
                message = f"The folder cannot be opened: {_reason(err)}. Nothing of it is withdrawn."
                yield Problem(key=_shown(folder), message=message)
                continue
            below = []
            for entry in entries:
                key = folder + entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not private or _identity(entry.path) not in private:  # mounted here under another name
                        below.append(key + "/")
                elif is_readable(key) and self._patterns.takes(key) and (found := self._offered(key, entry)):
                    yield found
            waiting += reversed(below)

    def _offered(self, key: str, entry: os.DirEntry[str]) -> Item | Problem | None:
        try:
            key.encode()
            facts = entry.stat(follow_symlinks=False)
        except UnicodeEncodeError:
            return Problem(key=_shown(key), message="The name of the file is not valid text. Rename it.")
        except OSError as err:
            return None if isinstance(err, FileNotFoundError) else Problem(key=key, message=_reason(err))
        if not stat.S_ISREG(facts.st_mode):
            return None
        if len(key) > LONGEST_KEY:
            return Problem(key=_shown(key), message=f"Its path is longer than {LONGEST_KEY:,} characters.")
        if facts.st_size > self._limits.item_bytes:
            return Problem(key=key, message=_too_large(facts.st_size, self._limits.item_bytes))
        return _item(key, facts)


def allowed_folder(path: str, *, roots: tuple[Path, ...], private: tuple[Path, ...]) -> Path:
    """Resolve a folder somebody typed in.

    :raises SourceMisconfigured: it does not lie in a folder that the operator opened, or the product's own data lies
        in it or around it. Whether it exists is not told.
    """
    if not roots:
        raise SourceMisconfigured("No folders are open to sources here. The operator opens them by SOURCE_FOLDERS.")
    if "\0" not in path and Path(path).is_absolute():
        resolved = Path(path).resolve()
        if any(resolved.is_relative_to(root.resolve()) for root in roots):
            if any(overlap(resolved, one) for one in private):
                raise SourceMisconfigured(PRIVATE)
            return resolved
    raise SourceMisconfigured("The folder does not lie in one that is open to sources (SOURCE_FOLDERS).")


def overlap(one: Path, other: Path) -> bool:
    """Whether one folder is the other, or lies in it."""
    one, other = one.resolve(), other.resolve()
    return one.is_relative_to(other) or other.is_relative_to(one)


def _identity(path: Path | str) -> tuple[int, int] | None:
    try:
        facts = Path(path).stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _open_below(root: Path, key: str) -> int:
    """Open a file without passing a link on the way, so that nobody can swap one in after the listing.

    :raises OSError: it cannot be opened.
    :raises ValueError: the key is no path below the root.
    """
    *folders, name = key.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)):
        raise ValueError("its path is not one of this folder")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
    finally:
        os.close(handle)


def _item(key: str, facts: os.stat_result) -> Item:
    return Item(
        key=key,
        filename=PurePosixPath(key).name,
        fingerprint=_fingerprint(facts),
        modified=datetime.fromtimestamp(facts.st_mtime, UTC),
    )


def _fingerprint(facts: os.stat_result) -> str:
    return f"{facts.st_mtime_ns}-{facts.st_size}"


def _shown(key: str) -> str:
    """A path as valid text: names on disk are bytes."""
    return key.encode(errors="surrogateescape").decode(errors="replace")[:LONGEST_KEY]


def _too_large(size: int, limit: int) -> str:
    return f"The file has {megabytes(size)}; at most {megabytes(limit)} are read."


def _reason(err: OSError | ValueError) -> str:
    return str((isinstance(err, OSError) and err.strerror) or err).lower()
