"""The public shapes of design section 6 for knowledge bases, documents and passages."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from knowledge.documents import validity
from knowledge.documents.filters import SearchFilters
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.documents.standing import Standing, standing_of
from knowledge.types import Passage, RetrievalResult


class KnowledgeBaseIn(Schema):
    name: str = Field(min_length=1, max_length=200)
    slug: str | None = Field(default=None, max_length=60)
    description: str = Field(default="", max_length=5000)


class KnowledgeBasePatch(Schema):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=5000)


class KnowledgeBaseOut(Schema):
    id: str
    name: str
    slug: str
    description: str
    documents: int
    created: datetime

    @classmethod
    def of(cls, base: KnowledgeBase, *, documents: int) -> KnowledgeBaseOut:
        return cls(
            id=str(base.pk),
            name=base.name,
            slug=base.slug,
            description=base.description,
            documents=documents,
            created=base.created,
        )


class KnowledgeBasePage(Schema):
    items: list[KnowledgeBaseOut]
    next_cursor: str | None = None


def storable(value: Any) -> Any:
    """Return JSON data whose texts every database keeps: half a surrogate pair and NUL become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse NaN and infinities, which Python reads and no database keeps."""
    json.dumps(value, allow_nan=False)
    cleaned: dict[str, Any] = storable(value)
    return cleaned


Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]


def _moment(value: Any, info: ValidationInfo) -> datetime | None:
    return validity.moment(value, name=info.field_name or "The date")


Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""A date and time with its zone; anything else is refused in a sentence that names the field."""


class DocumentPatch(Schema):
    """What is left out stays as it is; null takes a date away."""

    title: str | None = Field(default=None, min_length=1, max_length=400)
    metadata: Metadata | None = None
    valid_from: Moment = Field(default=None, description="Not searched before.")
    valid_until: Moment = Field(default=None, description="Not searched from this moment on.")
    expires: Moment = Field(default=None, description="Deleted at this moment.")


class DocumentOut(Schema):
    id: str
    knowledge_base: str
    title: str
    filename: str
    source_uri: str
    metadata: dict[str, Any]
    status: str
    stage_progress: float
    error: str | None
    retry: bool = Field(description="Whether POST /documents/{id}/retry can help.")
    stage: str = Field(description="waiting, reading, indexing, removing; empty when no job is open.")
    attempts: int = Field(description="Of the newest job.")
    last_error: str | None = Field(description="Why the last attempt of the newest job ended, also while it waits.")
    queue_position: int | None = Field(description="Which of those that wait it is, about: every tenant has its turn.")
    eta_seconds: int | None = Field(description="Until it is ready, as the last jobs went; null while unknown.")
    warnings: list[str]
    version: int
    chunks: int
    pages: int | None
    size: int
    sha256: str
    media_type: str
    language: str = Field(description="ISO 639 code of the text; empty when it could not be told.")
    valid_from: datetime | None
    valid_until: datetime | None
    expires: datetime | None
    validity: str = Field(description="Why it is not searched now, in words; empty when its dates do not keep it out.")
    unchanged: int | None = Field(
        description="After an upload: the number of the version that has these bytes already."
    )
    created: datetime
    updated: datetime

    @classmethod
    def of(cls, document: Document, standing: Standing | None = None) -> DocumentOut:
        """``version`` and what belongs to it are the live ones, or the newest when none is live yet.

        ``standing`` is looked up where it is not given.
        """
        version = document.current_version or _newest(document)
        stands = standing or standing_of([document]).get(document.pk) or Standing()
        return cls(
            id=str(document.pk),
            knowledge_base=str(document.knowledge_base_id),
            title=document.title,
            filename=version.filename if version else document.name,
            source_uri=document.source_uri,
            metadata=document.metadata,
            status=document.status,
            stage_progress=round(document.stage_progress, 3),
            error=document.error or None,
            retry=document.retry_helps,
            stage=stands.stage,
            attempts=stands.attempts,
            last_error=stands.last_error or None,
            queue_position=stands.queue_position,
            eta_seconds=stands.eta_seconds,
            warnings=version.warnings if version else [],
            version=version.number if version else document.latest_number,
            chunks=version.chunk_count if version else 0,
            pages=version.page_count if version else None,
            size=version.size if version else 0,
            sha256=version.sha256 if version else "",
            media_type=version.media_type if version else "",
            language=version.language if version else "",
            valid_from=document.valid_from,
            valid_until=document.valid_until,
            expires=document.expires,
            validity=validity.words(document),
            unchanged=document.unchanged,
            created=document.created,
            updated=document.updated,
        )


def _newest(document: Document) -> DocumentVersion | None:
    versions = sorted(document.versions.all(), key=lambda v: v.number)
    return versions[-1] if versions else None


class DocumentPage(Schema):
    items: list[DocumentOut]
    next_cursor: str | None = None


class VersionOut(Schema):
    number: int
    state: str
    filename: str
    size: int
    sha256: str
    text_sha256: str
    pages: int | None
    chunks: int
    restored_from: int | None = Field(description="Number of the earlier version whose bytes these are.")
    created: datetime

    @classmethod
    def of(cls, version: DocumentVersion) -> VersionOut:
        return cls(
            number=version.number,
            state=version.state,
            filename=version.filename,
            size=version.size,
            sha256=version.sha256,
            text_sha256=version.text_sha256,
            pages=version.page_count,
            chunks=version.chunk_count,
            restored_from=version.restored_from,
            created=version.created,
        )


class HistoryTurn(Schema):
    role: str = Field(pattern="^(user|assistant)$")
    text: str = Field(max_length=20000)


class SearchIn(Schema):
    query: str
    knowledge_bases: list[str] = Field(default_factory=list, max_length=100)
    limit: int = Field(default=10, ge=1, le=100)
    filters: SearchFilters | None = None
    history: list[HistoryTurn] = Field(default_factory=list, max_length=50)


class VariantOut(Schema):
    id: str
    differences: list[tuple[str, str]]


class PassageOut(Schema):
    id: str
    document: str
    version: int
    knowledge_base: str
    title: str
    heading_path: list[str]
    page: int | None
    start: int
    end: int
    text: str
    score: float
    scores: dict[str, float]
    copies: list[str]
    variants: list[VariantOut]

    @classmethod
    def of(cls, passage: Passage) -> PassageOut:
        return cls(
            id=passage.key,
            document=passage.document,
            version=passage.version,
            knowledge_base=passage.knowledge_base,
            title=passage.title,
            heading_path=list(passage.heading_path),
            page=passage.page_first,
            start=passage.start,
            end=passage.end,
            text=passage.text,
            score=round(passage.score, 4),
            scores={name: round(value, 4) for name, value in passage.scores.items()},
            copies=list(passage.copies),
            variants=[VariantOut(id=v.key, differences=list(v.differences)) for v in passage.variants],
        )


class SearchOut(Schema):
    query: str
    passages: list[PassageOut]
    timings: dict[str, float]
    answerable: float
    threshold: float
    related: list[PassageOut]
    notes: list[str]

    @classmethod
    def of(cls, result: RetrievalResult) -> SearchOut:
        return cls(
            query=result.query,
            passages=[PassageOut.of(p) for p in result.passages],
            timings={name: round(value, 2) for name, value in result.timings.items()},
            answerable=round(result.answerable, 4),
            threshold=result.threshold,
            related=[PassageOut.of(p) for p in result.related],
            notes=list(result.notes),
        )
