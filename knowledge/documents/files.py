"""The files of a version: original bytes, canonical text, layout, boxes, term counts."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage, storages

from knowledge.documents.models import DocumentVersion

ORIGINAL = "original"
TEXT = "text.txt"
LAYOUT = "layout.json.gz"
BOXES = "boxes.npz"


def write(version: DocumentVersion, name: str, data: bytes) -> None:
    """Replace one file of the version."""
    path = f"{version.folder}/{name}"
    if _is_local():
        _replace(Path(default_storage.path(path)), data)
        return
    _save(path, ContentFile(data))


def write_from(version: DocumentVersion, name: str, path: Path) -> None:
    """Replace one file of the version by a file of this machine, which is moved where that is possible."""
    target = f"{version.folder}/{name}"
    if _is_local():
        place = Path(default_storage.path(target))
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o600)
        temporary = place.with_name(f".new-{path.name}")
        shutil.move(path, temporary)  # the folders may lie on two disks
        temporary.replace(place)
        return
    with path.open("rb") as data:
        _save(target, File(data))


@contextmanager
def reading(path: str) -> Iterator[Callable[[int, int], bytes]]:
    """Open a stored file to read bytes of it from an offset on, ``(offset, count)``; fewer at its end.

    :raises FileNotFoundError: there is none.
    """
    if _is_local():
        # Not ``default_storage.open``: its checks of a name take longer than the reading.
        handle = os.open(_local_path(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield lambda offset, count: os.pread(handle, count, offset)
        finally:
            os.close(handle)
        return
    with default_storage.open(path, "rb") as stored:

        def read_at(offset: int, count: int) -> bytes:
            stored.seek(offset)
            return bytes(stored.read(count))

        yield read_at


def _local_path(path: str) -> str:
    """Return where a stored file lies on this machine.

    :raises ValueError: the path is not made of plain names, so it might lead elsewhere.
    """
    if ".." in path or path.startswith("/"):
        raise ValueError("A stored file is named by a path below the storage.")
    return f"{default_storage.location}/{path}"  # type: ignore[attr-defined]


def _is_local() -> bool:
    """Whether the storage keeps files on a disk of this machine: S3 replaces an object in one piece anyway."""
    return isinstance(storages["default"], FileSystemStorage)


def _save(path: str, data: File[bytes]) -> None:
    """Replace a file of a storage that is no folder of this machine."""
    if default_storage.exists(path):
        default_storage.delete(path)
    default_storage.save(path, data)


def _replace(path: Path, data: bytes) -> None:
    with _replacing(path) as file:
        file.write(data)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Put the whole file in place at once: a reader, or a crash, never meets half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(version: DocumentVersion, name: str) -> bytes:
    with default_storage.open(f"{version.folder}/{name}", "rb") as handle:
        return bytes(handle.read())


def open_original(version: DocumentVersion) -> File[bytes]:
    """Open the stored bytes for reading; the caller closes.

    :raises FileNotFoundError: they are gone.
    """
    return default_storage.open(f"{version.folder}/{ORIGINAL}", "rb")


def copy(source: DocumentVersion, target: DocumentVersion, name: str) -> bool:
    """Copy one file to another version; False when there is none."""
    path = f"{source.folder}/{name}"
    if not default_storage.exists(path):
        return False
    with default_storage.open(path, "rb") as data:
        if not _is_local():
            _save(f"{target.folder}/{name}", data)
            return True
        place = Path(default_storage.path(f"{target.folder}/{name}"))
        with _replacing(place) as file:
            shutil.copyfileobj(data, file, 1024 * 1024)
    return True


def exists(version: DocumentVersion, name: str) -> bool:
    return bool(default_storage.exists(f"{version.folder}/{name}"))


def remove(version: DocumentVersion, name: str) -> None:
    default_storage.delete(f"{version.folder}/{name}")


def write_json(version: DocumentVersion, name: str, value: Any) -> None:
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    write(version, name, gzip.compress(raw, compresslevel=5, mtime=0))


def read_json(version: DocumentVersion, name: str) -> Any:
    return json.loads(gzip.decompress(read(version, name)))


def save_upload(version: DocumentVersion, upload: File[bytes]) -> None:
    """Store the original bytes under the version's folder."""
    upload.seek(0)
    default_storage.save(f"{version.folder}/{ORIGINAL}", upload)


def digest(upload: File[bytes]) -> tuple[str, int]:
    """Return ``(sha256, bytes)`` of an upload without holding it in memory."""
    sha, size = hashlib.sha256(), 0
    upload.seek(0)
    for part in iter_chunks(upload):
        sha.update(part)
        size += len(part)
    return sha.hexdigest(), size


def iter_chunks(upload: File[bytes]) -> Iterable[bytes]:
    while part := upload.read(1024 * 1024):
        yield part


def folders(folder: str) -> list[str]:
    """Return the names of the folders below a storage folder, sorted."""
    try:
        return sorted(default_storage.listdir(folder)[0])
    except FileNotFoundError:
        return []


def last_written(folder: str) -> datetime | None:
    """Return when the youngest file under a storage folder was written; None when there is no file."""
    try:
        below, names = default_storage.listdir(folder)
        times = [default_storage.get_modified_time(f"{folder}/{name}") for name in names]
    except FileNotFoundError:
        return None  # it is being deleted just now
    return max([*times, *filter(None, (last_written(f"{folder}/{name}") for name in below))], default=None)


def names_in(folder: str) -> list[str]:
    """Return the names of the files in a storage folder."""
    try:
        return list(default_storage.listdir(folder)[1])
    except FileNotFoundError:
        return []


def written(path: str) -> datetime | None:
    """Return when a stored file was written; None when there is none."""
    try:
        return default_storage.get_modified_time(path)
    except FileNotFoundError:
        return None


def delete(path: str) -> bool:
    """Delete a stored file; False when there is none."""
    there = bool(default_storage.exists(path))
    default_storage.delete(path)
    return there


def is_local() -> bool:
    """Whether the storage is a folder of this machine, which nobody else writes to."""
    return _is_local()


def names_below(folder: str) -> list[str]:
    """Return the names of all files under a storage folder."""
    try:
        below, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return []
    return [*names, *(name for part in below for name in names_below(f"{folder}/{part}"))]


def delete_folder(folder: str) -> int:
    """Delete every file under a storage folder and return how many there were."""
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    count = sum(delete_folder(f"{folder}/{name}") for name in folders)
    for name in names:
        default_storage.delete(f"{folder}/{name}")
    default_storage.delete(folder)  # removes the emptied folder on a file system, nothing on S3
    return count + len(names)
