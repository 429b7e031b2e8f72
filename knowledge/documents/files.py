"""The files of a version: original bytes, canonical text, layout, boxes, term counts."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from knowledge.documents.models import DocumentVersion

ORIGINAL = "original"
TEXT = "text.txt"
LAYOUT = "layout.json.gz"
BOXES = "boxes.npz"


def write(version: DocumentVersion, name: str, data: bytes) -> None:
    """Replace one file of the version."""
    path = f"{version.folder}/{name}"
    if default_storage.exists(path):
        default_storage.delete(path)
    default_storage.save(path, ContentFile(data))


def read(version: DocumentVersion, name: str) -> bytes:
    with default_storage.open(f"{version.folder}/{name}", "rb") as handle:
        return bytes(handle.read())


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
