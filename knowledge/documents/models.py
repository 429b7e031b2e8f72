"""Knowledge bases, documents, their immutable versions, chunks and the jobs that make them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from knowledge.documents.deletions.models import DeletionReport as DeletionReport
from knowledge.documents.leased import LeasedJob
from knowledge.tenants.models import Tenant
from knowledge.types import Scope


class KnowledgeBase(models.Model):
    """A tenant's named set of documents with its parsing, chunking, embedding and access settings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="knowledge_bases")
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80)
    description = models.TextField(blank=True, default="")
    live_generation = models.ForeignKey(
        "IndexGeneration", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    answer_curve = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="How the chance of an answer reads here (`manage.py calibrate`).",
    )
    deleting = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="knowledge_base_slug_per_tenant")]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> Scope:
        """This base alone."""
        return Scope(tenant=str(self.tenant_id), knowledge_bases=frozenset({str(self.pk)}))


class IndexGeneration(models.Model):
    """An immutable pair of embedding space and chunker; built beside the live one, then switched.

    Which one is live only ``KnowledgeBase.live_generation`` says.
    """

    class State(models.TextChoices):
        BUILDING = "building", "Being built"
        READY = "ready", "Ready"
        RETIRED = "retired", "Kept for going back"
        COLLECTING = "collecting", "Being removed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    knowledge_base = models.ForeignKey(KnowledgeBase, on_delete=models.CASCADE, related_name="generations")
    embedding_model = models.CharField(max_length=200)
    dimension = models.PositiveIntegerField()
    model_hash = models.CharField(max_length=80)
    precision = models.CharField(max_length=20)
    space = models.CharField(max_length=80)
    chunker = models.CharField(max_length=40)
    chunker_version = models.CharField(max_length=20)
    # Corpus statistics of the live documents, changed in the transaction that switches a version.
    chunks = models.PositiveIntegerField(default=0)
    terms = models.PositiveBigIntegerField(default=0)
    # Languages in which documents were analysed for its keyword index; one may be left over from a deleted document.
    languages = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READY)
    switch_when_ready = models.BooleanField(default=False, help_text="It becomes the live one as soon as it is built.")
    switched = models.DateTimeField(
        null=True, blank=True, help_text="When it last became, or ceased to be, the live one."
    )
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.space} / {self.chunker} {self.chunker_version}"


class TermStatistic(models.Model):
    """In how many live chunks of a generation a term occurs: the document frequency of BM25."""

    generation = models.ForeignKey(IndexGeneration, on_delete=models.CASCADE, related_name="+")
    term = models.CharField(max_length=64)
    frequency = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["generation", "term"], name="term_once_per_generation")]


class DocumentQuerySet(models.QuerySet["Document"]):
    def in_scope(self, scope: Scope) -> Self:
        """Documents the scope may read; none when it is empty."""
        if scope.is_empty:
            return self.none()
        rows = self.filter(tenant_id=scope.tenant, knowledge_base_id__in=scope.knowledge_bases)
        if scope.without:
            rows = rows.exclude(pk__in=scope.without)
        return rows if scope.documents is None else rows.filter(pk__in=scope.documents)

    def alive(self) -> Self:
        return self.exclude(status=Document.Status.DELETING)

    def out_of_validity(self, *, now: datetime) -> Self:
        """Documents that are not searched at that moment: their time has not come yet, or is over.

        ``live`` says the same in SQL of its own.
        """
        return self.filter(Q(valid_from__gt=now) | Q(valid_until__lte=now) | Q(expires__lte=now))


class Document(models.Model):
    """A thing people name. Uploading the same name again makes a new version."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting"
        PARSING = "parsing", "Reading"
        EMBEDDING = "embedding", "Indexing"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        DELETING = "deleting", "Being deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    knowledge_base = models.ForeignKey(KnowledgeBase, on_delete=models.CASCADE, related_name="documents")
    name = models.CharField(max_length=400, help_text="The file name, or the source address.")
    title = models.CharField(max_length=400)
    source_uri = models.CharField(max_length=2000, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    stage_progress = models.FloatField(default=0.0)
    error = models.TextField(blank=True, default="")
    failed_for_good = models.BooleanField(
        default=False, help_text="The file itself is why it failed: the same bytes fail again."
    )
    current_version = models.ForeignKey(
        "DocumentVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    latest_number = models.PositiveIntegerField(default=0)
    valid_from = models.DateTimeField(null=True, blank=True, help_text="Not searched before.")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Not searched from this moment on.")
    expires = models.DateTimeField(null=True, blank=True, help_text="Deleted at this moment.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    objects = DocumentQuerySet.as_manager()

    unchanged: int | None = None
    """After an upload: the number of the version that had these bytes already. Not stored."""

    class Meta:
        constraints = [
            # A document that is being deleted no longer holds its name.
            models.UniqueConstraint(
                fields=["knowledge_base", "name"],
                condition=~Q(status="deleting"),
                name="document_name_per_knowledge_base",
            ),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_until__isnull=True) | Q(valid_from__lt=F("valid_until")),
                name="document_valid_for_a_while",
            ),
        ]
        indexes = [
            # The document list of one base, newest first, page by page.
            models.Index(fields=["knowledge_base", "-created", "id"], name="document_list"),
            # Every search asks which documents of its bases are out of validity.
            models.Index(
                fields=["knowledge_base", "valid_from"],
                condition=Q(valid_from__isnull=False),
                name="document_valid_from",
            ),
            models.Index(
                fields=["knowledge_base", "valid_until"],
                condition=Q(valid_until__isnull=False),
                name="document_valid_until",
            ),
            # The same of what expired; the timer that deletes it reads all of this one, once a minute.
            models.Index(
                fields=["knowledge_base", "expires"], condition=Q(expires__isnull=False), name="document_expiry"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def retry_helps(self) -> bool:
        """Whether it failed of something that may be over when it is tried again."""
        return self.status == self.Status.FAILED and not self.failed_for_good


class DocumentVersion(models.Model):
    """One immutable state of a document: bytes, canonical text, blocks, parser and its version."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        LIVE = "live", "Live"
        ARCHIVED = "archived", "Archived"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    filename = models.CharField(max_length=400)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=120, blank=True, default="")
    text_sha256 = models.CharField(max_length=64, blank=True, default="")
    characters = models.PositiveIntegerField(default=0)
    parser = models.CharField(max_length=40, blank=True, default="")
    parser_version = models.CharField(max_length=20, blank=True, default="")
    stated_title = models.CharField(max_length=400, blank=True, default="")
    page_count = models.PositiveIntegerField(null=True, blank=True)
    chunk_count = models.PositiveIntegerField(default=0)
    warnings = models.JSONField(default=list, blank=True)
    language = models.CharField(
        max_length=8, blank=True, default="", help_text="ISO 639 code; empty when it could not be told."
    )
    restored_from = models.PositiveIntegerField(
        null=True, blank=True, help_text="Number of the earlier version whose bytes these are."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "number"], name="version_number_per_document")]

    def __str__(self) -> str:
        return f"{self.document} v{self.number}"

    @property
    def folder(self) -> str:
        """Storage folder of this version's files, made of ids only."""
        return f"{self.document.tenant_id}/{self.document_id}/{self.id}"


class IndexEntry(models.Model):
    """Says that a generation holds the whole of a version: its records are counted, its terms in the statistics."""

    generation = models.ForeignKey(IndexGeneration, on_delete=models.CASCADE, related_name="entries")
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="+")
    chunks = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["generation", "version"], name="entry_once_per_generation")]


class Chunk(models.Model):
    """A range of canonical text that is indexed. The primary key is the key in the store."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="chunks")
    generation = models.ForeignKey(IndexGeneration, on_delete=models.CASCADE, related_name="+")
    ordinal = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    heading_path = models.JSONField(default=list)
    page_first = models.PositiveIntegerField(null=True, blank=True)
    page_last = models.PositiveIntegerField(null=True, blank=True)
    tokens = models.PositiveIntegerField(default=0)
    # Of everything its vectors are made of: the same again needs no embedding model.
    digest = models.CharField(max_length=32, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "generation", "ordinal"], name="chunk_once_per_generation"),
            models.CheckConstraint(condition=Q(start__lt=F("end")), name="chunk_range_not_empty"),
        ]
        indexes = [models.Index(fields=["digest"], name="chunk_digest")]


class IngestionJob(LeasedJob):
    """One piece of work on a document."""

    class Kind(models.TextChoices):
        INGEST = "ingest", "Ingest"
        DELETE = "delete", "Delete"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="jobs")
    document_ref = models.UUIDField(help_text="The document's id, kept when its row is gone.")
    version = models.ForeignKey(DocumentVersion, null=True, on_delete=models.SET_NULL, related_name="jobs")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(
        max_length=400, blank=True, default="", help_text="Why it was deleted, when that is known."
    )
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes of the file.")
    turn = models.DateTimeField(default=timezone.now, help_text="Its place in the line of its tenant (``order``).")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version"], condition=Q(kind="ingest", state__in=["queued", "running"]), name="one_open_ingest"
            ),
            models.UniqueConstraint(
                fields=["document_ref"],
                condition=Q(kind="delete", state__in=["queued", "running"]),
                name="one_open_delete",
            ),
        ]
        indexes = [
            # The sweeper's query: open jobs by state and lease.
            models.Index(fields=["state", "lease_until"], name="job_sweep"),
            # Who waits, tenant by tenant, and the first of each (``order.claim_next``).
            models.Index(fields=["kind", "state", "tenant", "turn", "not_before"], name="job_turn"),
            # What was worked on lately, and how long it took.
            models.Index(fields=["kind", "finished"], name="job_finished"),
            # The newest job of each document of a page.
            models.Index(fields=["document", "created"], name="job_of_document"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.document_ref}"


class IndexJob(LeasedJob):
    """One piece of work on an index: building a generation, taking an old one away, upkeep, comparing with the rows."""

    class Kind(models.TextChoices):
        BUILD = "build", "Build"
        COLLECT = "collect", "Remove"
        UPKEEP = "upkeep", "Upkeep"
        RECONCILE = "reconcile", "Compare with the database"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    generation = models.ForeignKey(
        IndexGeneration, null=True, blank=True, on_delete=models.CASCADE, related_name="jobs"
    )
    space = models.CharField(max_length=80, blank=True, default="", help_text="What upkeep is of.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["generation"],
                condition=Q(state__in=["queued", "running"]),
                name="one_open_job_per_generation",
            ),
            models.UniqueConstraint(
                fields=["tenant", "space"],
                condition=Q(kind="upkeep", state__in=["queued", "running"]),
                name="one_open_upkeep_per_space",
            ),
        ]
        indexes = [models.Index(fields=["state", "lease_until"], name="index_job_sweep")]

    def __str__(self) -> str:
        return f"{self.kind} {self.generation_id or self.space}"


class Purge(models.Model):
    """Deleted text still lies in old files of a store; the purge task removes it and the row."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    space = models.CharField(max_length=80)
    requested = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "space"], name="one_purge_per_space")]
