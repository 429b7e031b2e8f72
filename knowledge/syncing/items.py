"""What is known of a source's items, and the two ways to treat a difference: do it, or only say so."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import ClassVar, Protocol

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from knowledge.documents import jobs, services
from knowledge.documents.held import holding
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.errors import KnowledgeError
from knowledge.sources.base import Fetched, Item
from knowledge.syncing.models import Source, SourceItem, SyncRun, key_hash
from knowledge.syncing.tally import Tally
from knowledge.tenants.access import system_actor

LONGEST_FINGERPRINT = 500
LONGEST_NAME = 400
AT_ONCE = 500
"""Rows of one statement: a database takes only so many arguments."""


class BaseGone(KnowledgeError):
    code = "knowledge_base_gone"
    default_message = "The knowledge base was deleted while its source was read."


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An item as it was last stored, and whether its document is still there."""

    pk: int
    key: str
    fingerprint: str
    sha256: str
    error: str
    stored_by: uuid.UUID | None
    missing_since: datetime | None
    document: uuid.UUID | None  # None when somebody deleted it, or it never was stored

    @property
    def is_removed(self) -> bool:
        """Whether somebody deleted the document here, though the source still has it."""
        return bool(self.sha256) and self.document is None


def known_items(source: Source) -> dict[str, Known]:
    """Return all items of a source by key, in one query."""
    rows = SourceItem.objects.filter(source=source).values_list(
        "pk", "key", "fingerprint", "sha256", "error", "stored_by", "missing_since", "document_id", "document__status"
    )
    return {
        row[1]: Known(
            pk=row[0], key=row[1], fingerprint=row[2], sha256=row[3], error=row[4], stored_by=row[5],
            missing_since=row[6], document=None if row[8] in (None, Document.Status.DELETING) else row[7],
        )
        for row in rows.iterator(chunk_size=2000)
    }  # fmt: skip


def document_name(source: Source, key: str) -> str:
    """Return the name under which an item is a document: no other source's, nor that of an upload."""
    name = f"{source.pk}/{key}"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 65]}/{key_hash(key)}"


class Treatment(Protocol):
    """What becomes of each difference. Every method counts what it did."""

    reads_new: ClassVar[bool]  # whether an item that is new must be read

    def store(self, fetched: Fetched, *, sha256: str, known: Known | None) -> None: ...
    def announce(self, item: Item) -> None: ...
    def same(self, known: Known, *, fingerprint: str) -> None: ...
    def failed(self, key: str, message: str, *, known: Known | None) -> None: ...
    def withdraw(self, known: Known) -> None: ...
    def withhold(self, rows: Iterable[Known]) -> None: ...
    def returned(self, rows: Iterable[Known]) -> None: ...


class Saying:
    """A dry run: nothing is stored."""

    reads_new: ClassVar[bool] = False

    def __init__(self, run: SyncRun, tally: Tally) -> None:
        self._tally = tally

    def store(self, fetched: Fetched, *, sha256: str, known: Known | None) -> None:
        document = known.document if known else None
        self._tally.did("changed" if document else "added", fetched.item.key, document=document)

    def announce(self, item: Item) -> None:
        self._tally.did("added", item.key)

    def same(self, known: Known, *, fingerprint: str) -> None:
        self._tally.count("skipped" if known.is_removed else "unchanged")

    def failed(self, key: str, message: str, *, known: Known | None) -> None:
        self._tally.failed(key, message, document=known.document if known else None)

    def withdraw(self, known: Known) -> None:
        if known.document is not None:
            self._tally.did("withdrawn", known.key, document=known.document)

    def withhold(self, rows: Iterable[Known]) -> None:
        for known in rows:
            self.withdraw(known)

    def returned(self, rows: Iterable[Known]) -> None:
        pass


class Doing:
    """A run: each item is committed by itself, with its counts, so that a run that was killed goes on where it was."""

    reads_new: ClassVar[bool] = True

    def __init__(self, run: SyncRun, tally: Tally) -> None:
        assert run.source is not None
        self._run, self._source, self._tally = run, run.source, tally
        self._actor = replace(system_actor(run.tenant), user_id=run.requested_by_id or 0)

    def store(self, fetched: Fetched, *, sha256: str, known: Known | None) -> None:
        """Store the bytes as a new document, or as the next version of the one there is.

        :raises jobs.LeaseLost: the run is no longer ours.
        :raises BaseGone: there is no knowledge base to store it in.
        :raises KnowledgeError: the bytes are not accepted.
        """
        item, source = fetched.item, self._source
        is_new = known is None or known.document is None
        name, upload = document_name(source, item.key), ContentFile(fetched.data or b"")
        with holding(base=source.knowledge_base, name=name, upload=upload) as held, transaction.atomic():
            jobs.hold(self._run)
            if not KnowledgeBase.objects.filter(pk=source.knowledge_base_id, deleting=False).exists():
                raise BaseGone
            document = services.upload_document(
                actor=self._actor, base=source.knowledge_base, upload=upload, filename=item.filename,
                title=item.title, source_uri=item.uri, name=name, held=held,
                metadata={"source": source.name} if is_new else None,
            )  # fmt: skip
            facts = {"document": document, "document_ref": document.pk, "sha256": sha256, "stored_by": self._run.pk}
            self._remember(item.key, fingerprint=short(item.fingerprint), error="", missing_since=None, **facts)
            self._tally.did("added" if is_new else "changed", item.key, document=document.pk)
            self._tally.save()

    def announce(self, item: Item) -> None:
        raise AssertionError("what is new is read")

    def same(self, known: Known, *, fingerprint: str) -> None:
        """Count an item whose bytes are those stored, and remember how that can be told without reading."""
        if known.error or fingerprint != known.fingerprint:
            SourceItem.objects.filter(pk=known.pk).update(fingerprint=fingerprint, error="")
        if known.stored_by != self._run.pk:  # else this run stored it before it was stopped, and counted it
            self._tally.count("skipped" if known.is_removed else "unchanged")

    def failed(self, key: str, message: str, *, known: Known | None) -> None:
        """Note why; what was stored of the item stays, and the next run tries again."""
        self._remember(key, error=message)
        self._tally.failed(key, message, document=known.document if known else None)

    def withdraw(self, known: Known) -> None:
        """Take the document of an item out of the knowledge base, and forget the item.

        :raises jobs.LeaseLost: the run is no longer ours.
        """
        with transaction.atomic():
            jobs.hold(self._run)
            document = Document.objects.alive().filter(pk=known.document).first() if known.document else None
            if document is not None:
                services.delete_document(
                    document=document, actor=None if self._run.scheduled else self._actor, reason=self._reason()
                )
                self._tally.did("withdrawn", known.key, document=known.document)
            SourceItem.objects.filter(pk=known.pk).delete()
            self._tally.save()

    def _reason(self) -> str:
        removed = self._run.kind == SyncRun.Kind.REMOVE
        return f"The source “{self._source.name}” was deleted." if removed else f"Gone from “{self._source.name}”."

    def withhold(self, rows: Iterable[Known]) -> None:
        self._mark([known.pk for known in rows if known.missing_since is None], missing_since=timezone.now())

    def returned(self, rows: Iterable[Known]) -> None:
        self._mark([known.pk for known in rows], missing_since=None)

    def _mark(self, pks: list[int], *, missing_since: datetime | None) -> None:
        for some in _batches(pks):
            SourceItem.objects.filter(pk__in=some).update(missing_since=missing_since)

    def _remember(self, key: str, **facts: object) -> None:
        defaults = {"key": key, **facts}
        SourceItem.objects.update_or_create(source=self._source, key_hash=key_hash(key), defaults=defaults)


def treatment_of(run: SyncRun, tally: Tally) -> Treatment:
    return Saying(run, tally) if run.kind == SyncRun.Kind.DRY else Doing(run, tally)


def short(fingerprint: str) -> str:
    """Return a fingerprint that can be stored; a long one is replaced by its hash."""
    return fingerprint if len(fingerprint) <= LONGEST_FINGERPRINT else key_hash(fingerprint)


def _batches(pks: list[int]) -> Iterator[list[int]]:
    rest = iter(pks)
    while some := list(islice(rest, AT_ONCE)):
        yield some
