"""Bytes of a version that are stored before its rows: no transaction waits for a disk or a bucket."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.core.files.base import File

from knowledge.documents import files
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.errors import DocumentEmpty, DocumentTooLarge

__all__ = ["Held", "checked", "holding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Stored bytes, and the ids of the rows that will own them."""

    document: uuid.UUID
    version: uuid.UUID
    sha256: str
    size: int


@contextmanager
def holding(*, base: KnowledgeBase, name: str, upload: File[bytes]) -> Iterator[Held]:
    """Store the bytes of the next version of the document by that name; they go again when no row owns them afterwards.

    Who is killed meanwhile leaves files without a row, which ``reconcile`` removes.

    :raises DocumentEmpty: the file holds nothing.
    :raises DocumentTooLarge: the file is over the upload limit.
    """
    sha256, size = checked(upload)
    document = base.documents.alive().filter(name=name).first() or Document(id=uuid.uuid4(), tenant_id=base.tenant_id)
    version = DocumentVersion(id=uuid.uuid4(), document=document)
    try:
        files.save_upload(version, upload)
        yield Held(document=document.pk, version=version.pk, sha256=sha256, size=size)
    finally:
        if not DocumentVersion.objects.filter(pk=version.pk).exists():
            files.delete_folder(version.folder)


def checked(upload: File[bytes]) -> tuple[str, int]:
    """Return ``(sha256, bytes)`` of an upload that may be stored.

    :raises DocumentEmpty: the file holds nothing.
    :raises DocumentTooLarge: the file is over the upload limit.
    """
    sha256, size = files.digest(upload)
    if size == 0:
        raise DocumentEmpty
    if size > settings.MAX_UPLOAD_BYTES:
        raise DocumentTooLarge(f"The file is larger than {settings.MAX_UPLOAD_BYTES // 2**20} MB.")
    return sha256, size
