"""HTTP API: knowledge bases, documents, search. Translates and calls one service each.

The application that mounts these routers authenticates and puts the ``Actor`` on the request.
"""

from __future__ import annotations

from typing import Annotated, Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import File, Form, Query, Router
from ninja.errors import HttpError
from ninja.files import UploadedFile
from ninja.responses import Status
from pydantic import Json

from knowledge.documents import access, cancelling, paging, searching, selectors, services, versions
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.documents.paging import PageSize
from knowledge.documents.schemas import (
    DocumentOut,
    DocumentPage,
    DocumentPatch,
    KnowledgeBaseIn,
    KnowledgeBaseOut,
    KnowledgeBasePage,
    KnowledgeBasePatch,
    Metadata,
    Moment,
    SearchIn,
    SearchOut,
    VersionOut,
)
from knowledge.documents.standing import Standing, standing_of
from knowledge.tenants.access import Actor
from knowledge.types import Query as RetrievalQuery
from knowledge.types import Turn

bases = Router(tags=["knowledge bases"])
documents = Router(tags=["documents"])
search = Router(tags=["search"])

MAX_QUERY_BYTES = 8 * 1024
Reason = Annotated[str, Query(max_length=400)]


def _actor(request: HttpRequest) -> Actor:
    return request.actor  # type: ignore[attr-defined,no-any-return]


def _editor(request: HttpRequest) -> Actor:
    actor = _actor(request)
    if not actor.can_edit:
        raise HttpError(403, "Your role may read and ask, but not change documents.")
    return actor


def _counted(rows: QuerySet[KnowledgeBase]) -> QuerySet[KnowledgeBase]:
    return rows.annotate(n=Count("documents", filter=~Q(documents__status=Document.Status.DELETING)))


def _base_out(base: KnowledgeBase) -> KnowledgeBaseOut:
    return KnowledgeBaseOut.of(base, documents=base.documents.alive().count())


@bases.get("", response=KnowledgeBasePage)
def list_bases(request: HttpRequest, cursor: str | None = None, limit: PageSize = 50) -> Any:
    rows = _counted(access.visible_knowledge_bases(actor=_actor(request)))
    found, following = paging.page(rows, field="created", cursor=cursor, limit=limit)
    items = [KnowledgeBaseOut.of(base, documents=base.n) for base in found]  # type: ignore[attr-defined]
    return KnowledgeBasePage(items=items, next_cursor=following)


@bases.post("", response={201: KnowledgeBaseOut})
def create_base(request: HttpRequest, data: KnowledgeBaseIn) -> Any:
    return Status(201, _base_out(services.create_knowledge_base(actor=_editor(request), **data.dict())))


@bases.get("/{base_id}", response=KnowledgeBaseOut)
def get_base(request: HttpRequest, base_id: str) -> Any:
    return _base_out(access.access_knowledge_base(actor=_actor(request), pk=base_id))


@bases.patch("/{base_id}", response=KnowledgeBaseOut)
def patch_base(request: HttpRequest, base_id: str, data: KnowledgeBasePatch) -> Any:
    base = access.access_knowledge_base(actor=_editor(request), pk=base_id)
    return _base_out(services.update_knowledge_base(base=base, changes=data.dict(exclude_none=True)))


@bases.delete("/{base_id}", response={202: None})
def delete_base(request: HttpRequest, base_id: str) -> Any:
    actor = _editor(request)
    services.delete_knowledge_base(base=access.access_knowledge_base(actor=actor, pk=base_id), actor=actor)
    return Status(202, None)


@bases.get("/{base_id}/documents", response=DocumentPage)
def list_documents(request: HttpRequest, base_id: str, cursor: str | None = None, limit: PageSize = 50) -> Any:
    base = access.access_knowledge_base(actor=_actor(request), pk=base_id)
    rows = base.documents.alive().select_related("current_version").prefetch_related("versions")
    found, following = paging.page(rows, field="created", cursor=cursor, limit=limit)
    standing = standing_of(found)
    items = [DocumentOut.of(d, standing.get(d.pk, Standing())) for d in found]
    return DocumentPage(items=items, next_cursor=following)


@bases.post("/{base_id}/documents", response={202: DocumentOut})
def upload(
    request: HttpRequest,
    base_id: str,
    file: File[UploadedFile],
    title: Form[str] = "",
    source_uri: Form[str] = "",
    metadata: Form[Json[Metadata] | None] = None,
    valid_from: Form[Moment | None] = None,
    valid_until: Form[Moment | None] = None,
    expires: Form[Moment | None] = None,
) -> Any:
    actor = _editor(request)
    base = access.access_knowledge_base(actor=actor, pk=base_id)
    dates = {"valid_from": valid_from, "valid_until": valid_until, "expires": expires}
    document = services.upload_document(
        actor=actor,
        base=base,
        upload=file,
        filename=file.name or "",
        title=title,
        source_uri=source_uri,
        metadata=metadata,
        dates={name: value for name, value in dates.items() if value is not None},
    )
    return Status(202, DocumentOut.of(document))


@documents.get("/{document_id}", response=DocumentOut)
def get_document(request: HttpRequest, document_id: str) -> Any:
    return DocumentOut.of(access.access_document(actor=_actor(request), pk=document_id))


@documents.patch("/{document_id}", response=DocumentOut)
def patch_document(request: HttpRequest, document_id: str, data: DocumentPatch) -> Any:
    """Change title, metadata, or from when until when the document is searched and when it is deleted."""
    document = access.access_document(actor=_editor(request), pk=document_id)
    services.change_document(document=document, changes=data.dict(exclude_unset=True))
    return DocumentOut.of(access.access_document(actor=_actor(request), pk=document_id))


@documents.delete("/{document_id}", response={202: DocumentOut})
def delete_document(
    request: HttpRequest, document_id: str, erase: bool = False, reason: Reason = "", keep_name: bool = True
) -> Any:  # fmt: skip
    """Delete a document; with ``erase`` also its words in answers, which only administrators may.

    ``GET /deletions/{document_id}`` is the report of it; without ``keep_name`` it knows the document by its id alone.
    """
    actor = _editor(request)
    document = access.access_document(actor=actor, pk=document_id)
    reason = services.clean_label(reason)
    if not erase:
        services.delete_document(document=document, actor=actor, reason=reason, keep_name=keep_name)
    elif actor.can_administer:
        services.erase_document(document=document, actor=actor, reason=reason)
    else:
        raise HttpError(403, "Only administrators may erase a document from answers.")
    document.status = Document.Status.DELETING
    return Status(202, DocumentOut.of(document))


@documents.post("/{document_id}/retry", response={202: DocumentOut})
def retry_document(request: HttpRequest, document_id: str) -> Any:
    document = access.access_document(actor=_editor(request), pk=document_id)
    return Status(202, DocumentOut.of(services.retry_document(document=document)))


@documents.post("/{document_id}/cancel", response={202: DocumentOut})
def cancel_document(request: HttpRequest, document_id: str) -> Any:
    """End the work on a document; what was searchable before stays so."""
    document = access.access_document(actor=_editor(request), pk=document_id)
    return Status(202, DocumentOut.of(cancelling.cancel_document(document=document, actor=_actor(request))))


@documents.get("/{document_id}/versions", response=list[VersionOut])
def list_versions(request: HttpRequest, document_id: str) -> Any:
    document = access.access_document(actor=_actor(request), pk=document_id)
    return [VersionOut.of(version) for version in document.versions.order_by("-number")]


@documents.post("/{document_id}/versions", response={202: DocumentOut})
def add_version(request: HttpRequest, document_id: str, file: File[UploadedFile]) -> Any:
    """Upload the next version. Bytes that the newest version has already are recognised: see ``unchanged``."""
    actor = _editor(request)
    document = access.access_document(actor=actor, pk=document_id)
    services.add_version(document=document, upload=file, filename=file.name or "", actor=actor)
    return Status(202, DocumentOut.of(document))


@documents.post("/{document_id}/versions/{number}/restore", response={202: DocumentOut})
def restore_version(request: HttpRequest, document_id: str, number: int) -> Any:
    """Make an earlier version the newest one again, under the next number; nothing of its history is lost."""
    actor = _editor(request)
    document = access.access_document(actor=actor, pk=document_id)
    versions.restore_version(document=document, number=number, actor=actor)
    return Status(202, DocumentOut.of(document))


@documents.get("/{document_id}/versions/{number}/text", response={200: None})
def version_text(request: HttpRequest, document_id: str, number: int) -> HttpResponse:
    version = access.access_version(actor=_actor(request), document_id=document_id, number=number)
    body = selectors.version_text(version).encode("utf-8")
    return HttpResponse(body, content_type="text/plain; charset=utf-8")


@search.post("", response=SearchOut)
def search_passages(request: HttpRequest, data: SearchIn) -> Any:
    actor = _actor(request)
    if len(data.query.encode("utf-8", "replace")) > MAX_QUERY_BYTES:
        raise HttpError(413, "The query is longer than 8 kB.")
    if not data.query.strip():
        raise HttpError(422, "The query is empty.")
    found = (
        access.access_knowledge_bases(actor=actor, pks=data.knowledge_bases)
        if data.knowledge_bases
        else list(access.visible_knowledge_bases(actor=actor))
    )
    query = RetrievalQuery(
        text=data.query,
        history=tuple(Turn(role=t.role, text=t.text) for t in data.history),
        limit=data.limit,
    )
    for pk in (data.filters and data.filters.documents) or ():
        access.access_document(actor=actor, pk=pk)
    scope = access.scope_of(actor=actor, bases=found)
    return SearchOut.of(searching.search(query, scope=scope, filters=data.filters))
