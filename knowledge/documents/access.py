"""Permission-checked fetches. Missing and forbidden look the same."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from knowledge.documents.models import DeletionReport, Document, DocumentVersion, IndexGeneration, KnowledgeBase
from knowledge.errors import DeletionNotFound, DocumentNotFound, GenerationNotFound, KnowledgeBaseNotFound
from knowledge.tenants.access import Actor
from knowledge.types import Scope

SLUG = re.compile(r"[-a-zA-Z0-9_]{1,80}")


def as_uuid(value: object) -> uuid.UUID | None:
    """Return the id in its one accepted form, or None: another spelling of a UUID is no second door."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        parsed = uuid.UUID(str(value))
    except ValueError:
        return None
    return parsed if str(parsed) == str(value) else None


def as_slug(value: object) -> str | None:
    """Return the text when it may be a slug, or None: a database must not be asked for what it cannot hold."""
    return str(value) if SLUG.fullmatch(str(value)) else None


def own_knowledge_bases(*, actor: Actor) -> QuerySet[KnowledgeBase]:
    """Return the bases the actor may see, and those they could until their deletion began."""
    return KnowledgeBase.objects.filter(tenant_id=actor.tenant_id)


def visible_knowledge_bases(*, actor: Actor) -> QuerySet[KnowledgeBase]:
    return own_knowledge_bases(actor=actor).filter(deleting=False)


def access_knowledge_base(*, actor: Actor, pk: object) -> KnowledgeBase:
    """Return the knowledge base by id or slug.

    :raises KnowledgeBaseNotFound: it does not exist or belongs to another tenant.
    """
    rows = visible_knowledge_bases(actor=actor)
    parsed, slug = as_uuid(pk), as_slug(pk)
    named = {"pk": parsed} if parsed else {"slug": slug}
    base = rows.filter(**named).first() if parsed or slug else None
    if base is None:
        raise KnowledgeBaseNotFound
    return base


def access_knowledge_bases(*, actor: Actor, pks: Iterable[object]) -> list[KnowledgeBase]:
    """Return all of them, or raise for the first that is not there for this actor."""
    wanted = list(dict.fromkeys(str(pk) for pk in pks))
    return [access_knowledge_base(actor=actor, pk=pk) for pk in wanted]


def access_generation(*, actor: Actor, pk: object) -> IndexGeneration:
    """Return an index generation, also one that is being removed.

    :raises GenerationNotFound: it does not exist, its base is being deleted, or it belongs to another tenant.
    """
    parsed = as_uuid(pk)
    rows = IndexGeneration.objects.select_related("knowledge_base").filter(
        knowledge_base__tenant_id=actor.tenant_id, knowledge_base__deleting=False
    )
    generation = rows.filter(pk=parsed).first() if parsed else None
    if generation is None:
        raise GenerationNotFound
    return generation


def scope_of(*, actor: Actor, bases: Iterable[KnowledgeBase], documents: Iterable[Document] | None = None) -> Scope:
    """Return what may be read: all of the bases, or only the given documents in them."""
    return Scope(
        tenant=str(actor.tenant_id),
        knowledge_bases=frozenset(str(base.pk) for base in bases),
        documents=None if documents is None else frozenset(str(document.pk) for document in documents),
    )


def access_document(*, actor: Actor, pk: object) -> Document:
    """Return a document that is not being deleted.

    :raises DocumentNotFound: it does not exist, is being deleted, or belongs to another tenant.
    """
    parsed = as_uuid(pk)
    if parsed is None:
        raise DocumentNotFound
    rows = Document.objects.alive().filter(knowledge_base__deleting=False)
    document = (
        rows.filter(pk=parsed, tenant_id=actor.tenant_id).select_related("current_version", "knowledge_base").first()
    )
    if document is None:
        raise DocumentNotFound
    return document


def access_version(*, actor: Actor, document_id: object, number: int | None = None) -> DocumentVersion:
    """Return a readable version: the given one, or the current one.

    :raises DocumentNotFound: no such document for this actor, or the version has no text.
    """
    document = access_document(actor=actor, pk=document_id)
    if number is None:
        version = document.current_version
    else:
        version = document.versions.filter(number=number).first() if 0 < number < 2**31 else None
    if version is None or not version.text_sha256:
        raise DocumentNotFound
    version.document = document
    return version


def access_reading(*, actor: Actor, document_id: object, number: int | None = None) -> DocumentVersion:
    """Return a version for those who may edit, with or without text: the given one, or the newest.

    :raises DocumentNotFound: no such version for this actor, or the actor may only read.
    """
    if not actor.can_edit:
        raise DocumentNotFound
    document = access_document(actor=actor, pk=document_id)
    number = document.latest_number if number is None else number
    version = document.versions.filter(number=number).first() if 0 < number < 2**31 else None
    if version is None:
        raise DocumentNotFound
    version.document = document
    return version


def visible_deletions(*, actor: Actor) -> QuerySet[DeletionReport]:
    """Return the reports of deletions the actor may read: an editor's own organisation's."""
    rows = DeletionReport.objects.filter(tenant_id=actor.tenant_id)
    return rows if actor.can_edit else rows.none()


def access_deletion(*, actor: Actor, pk: object) -> DeletionReport:
    """Return the report of a deletion by its own id or the document's.

    :raises DeletionNotFound: there is none for this actor.
    """
    parsed = as_uuid(pk)
    rows = visible_deletions(actor=actor)
    report = rows.filter(Q(pk=parsed) | Q(document_ref=parsed)).first() if parsed else None
    if report is None:
        raise DeletionNotFound
    return report
