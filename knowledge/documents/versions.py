"""Earlier versions: made the newest one again, without being read again where nothing would change."""

from __future__ import annotations

import uuid

from knowledge.documents import files
from knowledge.documents.models import Document, DocumentVersion
from knowledge.documents.services import store_version
from knowledge.errors import DocumentNotFound, RestoreRefused, UnsupportedFormat
from knowledge.parsing.registry import parser_for
from knowledge.tenants.access import Actor

__all__ = ["restore_version", "reuse_reading"]

_READING = (
    "text_sha256", "characters", "media_type", "parser", "parser_version", "stated_title", "page_count", "warnings",
    "language",
)  # fmt: skip
"""What a row says of how its bytes were read."""


def restore_version(*, document: Document, number: int, actor: Actor) -> DocumentVersion:
    """Queue the stored bytes of an earlier version as the next one: a change like another, so that history stays.

    Bytes that the newest version has already are recognised, as those of an upload are.

    :raises DocumentNotFound: there is no such version, or the document is being deleted.
    :raises RestoreRefused: it is the current version, or its bytes are gone.
    """
    old = document.versions.filter(number=number).first() if 0 < number < 2**31 else None
    if old is None:
        raise DocumentNotFound
    old.document = document
    if Document.objects.filter(pk=document.pk, current_version=old.pk).exists():
        raise RestoreRefused(f"Version {number} is the one that is searched already. Nothing was changed.")
    try:
        stored = files.open_original(old)
    except FileNotFoundError:
        raise RestoreRefused(
            f"The file of version {number} is not stored any more. Upload it again to make it the newest version."
        ) from None
    with stored:
        version = DocumentVersion(
            id=uuid.uuid4(), document=document, filename=old.filename, size=old.size, sha256=old.sha256,
            restored_from=number, created_by_id=actor.user_id or None,
        )  # fmt: skip
        return store_version(document, version, stored)


def reuse_reading(version: DocumentVersion) -> bool:
    """Give a restored version what was read of the one it was restored from; False where it must be read anew.

    It is read anew when the parser is another one now, and when there were warnings: this machine may read more today.
    The row is changed last, so that an end in between costs nothing but the reading.
    """
    old = version.document.versions.filter(number=version.restored_from or 0).exclude(text_sha256="").first()
    if old is None or old.sha256 != version.sha256 or old.warnings or not _same_parser(old):
        return False
    old.document = version.document
    copied = {name: files.copy(old, version, name) for name in (files.TEXT, files.LAYOUT, files.BOXES)}
    if not copied[files.TEXT] or not copied[files.LAYOUT]:
        return False
    facts = {name: getattr(old, name) for name in _READING}
    if not DocumentVersion.objects.filter(pk=version.pk).update(**facts):
        return False  # it was deleted meanwhile
    for name, value in facts.items():
        setattr(version, name, value)
    return True


def _same_parser(old: DocumentVersion) -> bool:
    try:
        parser = parser_for(old.media_type)
    except UnsupportedFormat:
        return False
    return (parser.name, parser.version) == (old.parser, old.parser_version)
