"""The places of this package: rows, files, the index, the database's own files, memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import QuerySet

from knowledge import wiring
from knowledge.documents import files, selectors
from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register
from knowledge.documents.models import Chunk, Document, DocumentVersion, Purge
from knowledge.types import Scope

__all__ = ["register_all"]

TABLES = ("documents_document", "documents_documentversion", "documents_chunk", "documents_termstatistic")


def register_all() -> None:
    """Name every place of this package."""
    gone: list[tuple[str, str, Callable[[Subject], Found]]] = [
        ("document", "Row of the document", _rows(lambda s: Document.objects.filter(pk=s.document))),
        ("versions", "Rows of its versions", _rows(lambda s: DocumentVersion.objects.filter(document__pk=s.document))),
        ("chunks", "Rows of its passages", _rows(lambda s: Chunk.objects.filter(version__document__pk=s.document))),
        ("files", "Files: original, text, layout, boxes, word counts", partial(_files, tokens=False)),
        ("tokens", "Files of token vectors", partial(_files, tokens=True)),
        ("records", "Records of the index: vectors, words, text", _records),
        ("index_files", "Index files that may hold words of deleted records", _index_files),
        ("database", "Freed pages and log of the database", _database),
    ]
    for key, name, count in gone:
        register(Place(key=key, name=name, rule=Rule.GONE, count=count))
    register(
        Place(key="admin_log", name="Its title in the operators’ log", rule=Rule.GONE, count=_named, remove=_unname)
    )
    register(Place(key="memory", name="Memory of running processes", rule=Rule.FADES, count=_memory, remove=_forget))


def _rows(rows: Callable[[Subject], QuerySet[Any]]) -> Callable[[Subject], Found]:
    return lambda subject: Found(count=rows(subject).count())


def _files(subject: Subject, *, tokens: bool) -> Found:
    names = files.names_below(f"{subject.tenant}/{subject.document}")
    return Found(count=sum(name.startswith("tokens-") is tokens for name in names))


def _scope(subject: Subject) -> Scope:
    return Scope(
        tenant=subject.tenant,
        knowledge_bases=frozenset({subject.knowledge_base}),
        documents=frozenset({subject.document}),
    )


def _records(subject: Subject) -> Found:
    """Every space is asked in which the tenant has records, also one that no generation names any more."""
    store = wiring.store()
    spaces = sorted({*subject.spaces, *store.spaces(tenant=subject.tenant)})
    counts = {space: store.count(space=space, scope=_scope(subject)) for space in spaces}
    held = ", ".join(f"{count} in {space}" for space, count in counts.items() if count)
    return Found(
        count=sum(counts.values()),
        note=held or f"All that {store.name} has of the organisation was asked: {', '.join(spaces)}.",
    )


def _index_files(subject: Subject) -> Found:
    """Count the spaces whose files hold its records, or have not been rewritten since they went."""
    store = wiring.store()
    due = set(Purge.objects.filter(tenant_id=subject.tenant, space__in=subject.spaces).values_list("space", flat=True))
    holding = {
        space
        for space in subject.spaces
        if space in due
        or store.unpurged(space=space, tenant=subject.tenant)
        or store.count(space=space, scope=_scope(subject))
    }
    note = "" if holding else wiring.store().erasure
    return Found(count=len(holding), note=note)


def _database(subject: Subject) -> Found:
    """SQLite overwrites what it frees, and the purge empties its log. PostgreSQL does both by itself, later."""
    there = int(Document.objects.filter(pk=subject.document).exists())
    waiting = int(Purge.objects.filter(tenant_id=subject.tenant, space__in=["", *subject.spaces]).exists())
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            overwritten = bool(cursor.execute("PRAGMA secure_delete").fetchone()[0])
        note = "SQLite overwrites freed pages (secure_delete); its log was emptied." if overwritten else (
            "SQLite does not overwrite freed pages: PRAGMA secure_delete is off."
        )  # fmt: skip
        return Found(count=max(there, waiting, int(not overwritten)), note=note)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE relname = ANY(%s)", [[*TABLES]]
        )
        dead = int(cursor.fetchone()[0])
    note = (
        f"PostgreSQL keeps the bytes of deleted rows (titles, places; no text) until VACUUM: its statistics say {dead} "
        f"dead rows. `VACUUM {', '.join(TABLES)}` removes them; its log is recycled by itself."
    )
    return Found(count=max(there, waiting), note=note)


def _log_entries(subject: Subject) -> QuerySet[LogEntry]:
    kind = ContentType.objects.get_for_model(Document)
    return LogEntry.objects.filter(content_type=kind, object_id=subject.document)


def _named(subject: Subject) -> Found:
    return Found(count=_log_entries(subject).exclude(object_repr=subject.document).count())


def _unname(subject: Subject) -> None:
    _log_entries(subject).update(object_repr=subject.document, change_message="")


def _memory(subject: Subject) -> Found:
    note = (
        "Other processes drop texts that nobody searched for ten minutes; pieces of sentences stay in memory until "
        "others push them out or the process ends. No search finds them."
    )
    return Found(count=selectors.text_of_version.holds(subject.versions), note=note)


def _forget(subject: Subject) -> None:
    selectors.text_of_version.forget(subject.versions)
