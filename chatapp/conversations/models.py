"""Conversations, their messages, and the runs that answered them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models

from chatapp.conversations.outputs import validate_schema
from chatapp.conversations.retrieval import validate_settings
from chatapp.language_models.models import LanguageModel
from knowledge.documents.models import Document, KnowledgeBase
from knowledge.tenants.models import Tenant


class Assistant(models.Model):
    """A named way to answer."""

    class AnswerMode(models.TextChoices):
        RETRIEVAL = "retrieval", "From your documents"
        FINE_TUNED = "fine_tuned", "From the model’s training"
        HYBRID = "hybrid", "Fine-tuned model over your documents"

    class CitationMode(models.TextChoices):
        OFF = "off", "Off"
        MARK = "mark", "Mark"
        REQUIRE = "require", "Require"

    class Enforcement(models.TextChoices):
        FLAG = "flag", "Show it with its verdict"
        REPAIR = "repair", "Have the model write it anew; where that fails, a notice"
        WITHHOLD = "withhold", "Replace it by a notice"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="assistants")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    knowledge_bases = models.ManyToManyField(KnowledgeBase, blank=True, related_name="+")
    language_model = models.ForeignKey(LanguageModel, null=True, on_delete=models.SET_NULL, related_name="+")
    system_prompt = models.TextField(blank=True, default="")
    answer_mode = models.CharField(max_length=20, choices=AnswerMode.choices, default=AnswerMode.RETRIEVAL)
    trained_elsewhere = models.BooleanField(
        default=False, help_text="Somebody says that its model was fine-tuned, which the catalogue does not know."
    )
    output_schema = models.JSONField(
        default=dict, blank=True, validators=[validate_schema],
        help_text="A JSON Schema that its answers fit. Empty: answers are text.",
    )  # fmt: skip
    citation_mode = models.CharField(
        max_length=10, choices=CitationMode.choices, default=CitationMode.MARK,
        help_text="Off: sentences are not checked. Mark: verdicts follow the text. Require: a sentence is shown once "
        "it was checked. The organisation's policy may ask for more.",
    )  # fmt: skip
    enforcement = models.CharField(
        max_length=10, choices=Enforcement.choices, default=Enforcement.WITHHOLD,
        help_text="With Require: what becomes of a sentence that its sources do not hold.",
    )  # fmt: skip
    retrieval = models.JSONField(
        default=dict, blank=True, validators=[validate_settings],
        help_text="Settings of the search that differ from the product's own; the search page tries and saves them.",
    )  # fmt: skip
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="assistant_slug_per_tenant")]

    def __str__(self) -> str:
        return self.name


class CitationPolicy(models.Model):
    """What a tenant asks of all its assistants at least; an assistant may be stricter and never laxer."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+")
    least_mode = models.CharField(
        max_length=10, choices=Assistant.CitationMode.choices, default=Assistant.CitationMode.OFF
    )
    withhold = models.BooleanField(
        default=False, help_text="With Require, no assistant shows a sentence that its sources do not hold."
    )

    class Meta:
        verbose_name_plural = "citation policies"

    def __str__(self) -> str:
        return f"{self.tenant}: at least {self.get_least_mode_display()}"


class Conversation(models.Model):
    """A tree of messages that belongs to one person in one tenant."""

    class Origin(models.TextChoices):
        BROWSER = "browser", "Browser"
        API = "api", "API"
        COMMAND = "command", "Command line"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=200)
    origin = models.CharField(
        max_length=10, choices=Origin.choices, default=Origin.BROWSER, help_text="Where its first question was asked."
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            # A person's conversation list, newest first.
            models.Index(fields=["tenant", "user", "-updated"], name="conversation_list"),
            # The same on the chat page, which passes over what programs asked.
            models.Index(fields=["tenant", "user", "origin", "-updated"], name="conversation_sidebar"),
        ]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    class Role(models.TextChoices):
        USER = "user", "User"
        ASSISTANT = "assistant", "Assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=10, choices=Role.choices)
    text = models.TextField(blank=True, default="")
    client_id = models.CharField(max_length=64, null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # The same message sent twice by a client is stored and answered once.
            models.UniqueConstraint(fields=["conversation", "client_id"], name="message_once_per_client_id"),
        ]
        indexes = [
            # The history of one conversation in order.
            models.Index(fields=["conversation", "created"], name="message_history"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class AnswerRunQuerySet(models.QuerySet["AnswerRun"]):
    def abandoned(self, *, before: datetime) -> Self:
        """Runs that claim to be running though nobody has written to them since ``before``."""
        return self.filter(status=AnswerRun.Status.RUNNING, heartbeat__lt=before)


class AnswerRun(models.Model):
    """One attempt to answer: the trace anyone who may read the conversation may read."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    question = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    answer = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="run")
    assistant = models.ForeignKey(Assistant, null=True, on_delete=models.SET_NULL, related_name="+")
    knowledge_bases = models.JSONField(default=list)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    answer_mode = models.CharField(
        max_length=20, choices=Assistant.AnswerMode.choices, default=Assistant.AnswerMode.RETRIEVAL
    )
    model = models.CharField(
        max_length=300, blank=True, default="", help_text="The LiteLLM model string; of the model that really answered."
    )
    answered_by = models.CharField(
        max_length=200, blank=True, default="", help_text="The name of the catalogue's entry that really answered."
    )
    in_place_of = models.CharField(
        max_length=200, blank=True, default="",
        help_text="The name of the entry that was to answer, where a fallback did.",
    )  # fmt: skip
    output_schema = models.JSONField(default=dict, help_text="What the answer had to fit; empty: it is text.")
    query = models.TextField(blank=True, default="", help_text="The question as it was searched.")
    retrieval = models.JSONField(default=dict, help_text="How it was searched: settings, sizes, earlier turns.")
    citation_mode = models.CharField(max_length=10, blank=True, default="", help_text="How strictly it was checked.")
    verification = models.JSONField(
        default=dict, help_text="How its sentences were judged: verifier, thresholds and their record, models."
    )
    prompt_version = models.CharField(max_length=20, blank=True, default="")
    prompt = models.JSONField(default=list)
    raw_output = models.TextField(blank=True, default="")
    no_answer = models.BooleanField(default=False)
    sentences = models.JSONField(default=list)
    anomalies = models.JSONField(default=dict)
    usage = models.JSONField(default=dict)
    timings = models.JSONField(default=dict, help_text="Milliseconds.")
    events = models.JSONField(default=list, help_text="What the socket was sent, for replay after the stream is gone.")
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    salts = models.JSONField(
        default=dict, help_text="Of the digests in its audit entry, by part; that of an erased part is gone with it."
    )
    erased = models.DateTimeField(null=True, blank=True, help_text="When texts of it were erased with their source.")
    heartbeat = models.DateTimeField()
    started = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True, blank=True)

    objects = AnswerRunQuerySet.as_manager()

    class Meta:
        indexes = [
            # The sweeper's query for runs whose process died.
            models.Index(fields=["status", "heartbeat"], name="run_sweep"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    def ordered_citations(self) -> list[Citation]:
        """Return the citations in the order of the answer, from what was fetched before."""
        return sorted(self.citations.all(), key=lambda citation: (citation.sentence, citation.number, citation.pk))


class PassageSnapshot(models.Model):
    """Words of a document as answers were given them: written once, shared by all those answers.

    They stay when the document is replaced or deleted, and go only when they are erased (``erasing``).
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    document_ref = models.UUIDField(help_text="The document's id, kept when its row is gone.")
    # Of an erased text it is random: nobody can try texts until one fits.
    address = models.CharField(max_length=64, help_text="SHA-256 of document and text.")
    text = models.TextField(blank=True)
    erased = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "address"], name="snapshot_once_per_tenant")]
        indexes = [
            # What an erasure of one document asks for.
            models.Index(fields=["tenant", "document_ref"], name="snapshot_of_document"),
        ]

    def __str__(self) -> str:
        return f"{self.document_ref} {self.address[:12]}"


class WithSnapshots(models.Manager["ContextPassage"]):
    """Brings the words along: whoever reads a passage reads them."""

    def get_queryset(self) -> models.QuerySet[ContextPassage]:
        return super().get_queryset().select_related("snapshot")


class ContextPassage(models.Model):
    """A passage as the model was given it. Its text stays readable when the document is replaced."""

    run = models.ForeignKey(AnswerRun, on_delete=models.CASCADE, related_name="passages")
    label = models.CharField(max_length=10)
    key = models.UUIDField()
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="+")
    document_ref = models.UUIDField(help_text="The document's id, kept when its row is gone.")
    base_ref = models.UUIDField(
        null=True, help_text="The knowledge base's id: who may read it may read this when the document is gone."
    )
    closed = models.BooleanField(
        default=False,
        help_text="Its knowledge base was another organisation's when it was deleted: nobody here reads it.",
    )
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=400)
    heading_path = models.JSONField(default=list)
    page = models.PositiveIntegerField(null=True)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    snapshot = models.ForeignKey(PassageSnapshot, null=True, on_delete=models.RESTRICT, related_name="passages")
    score = models.FloatField()
    scores = models.JSONField(default=dict)
    used = models.BooleanField(default=False)

    objects = WithSnapshots()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "label"], name="label_once_per_run")]

    @property
    def text(self) -> str:
        """The words of its snapshot, which ``objects`` brings along; empty when they were erased."""
        return self.snapshot.text if self.snapshot is not None else ""


class Citation(models.Model):
    """A marker of an answer with the exact words it rests on."""

    run = models.ForeignKey(AnswerRun, on_delete=models.CASCADE, related_name="citations")
    passage = models.ForeignKey(ContextPassage, on_delete=models.CASCADE, related_name="citations")
    number = models.PositiveSmallIntegerField()
    sentence = models.PositiveSmallIntegerField()
    page = models.PositiveIntegerField(null=True)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    quote = models.TextField()
    boxes = models.JSONField(default=list, help_text="[[page, x0, y0, x1, y1]] in PDF user space.")
    score = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(start__lt=models.F("end")), name="citation_range_not_empty")
        ]


class AppendOnly(models.QuerySet["AuditEntry"]):
    """Rows are added and read, and that is all."""

    def update(self, **_: object) -> int:
        raise TypeError("an audit entry is never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("an audit entry is never deleted")


class AuditEntry(models.Model):
    """What an answer was when it ended, as digests of its parts, or what an erasure took; it is never changed.

    Entries of a tenant are a chain: each digest is over the one before. Whoever changes an answer in the database, or
    leaves one out, would have to make all digests after it anew (``chatapp.conversations.audit``).
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    sequence = models.PositiveBigIntegerField(help_text="From 1, without gaps.")
    run_ref = models.UUIDField(unique=True, help_text="The run's id, kept when its row is gone.")
    # Text and not JSON: the digest is over these characters, and databases write numbers in their own way.
    record = models.TextField()
    previous = models.CharField(max_length=64, blank=True, default="")
    digest = models.CharField(max_length=64)
    created = models.DateTimeField(auto_now_add=True)

    objects = AppendOnly.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_sequence_per_tenant")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.digest[:12]}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("an audit entry is never changed")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("an audit entry is never deleted")


class Erasure(models.Model):
    """Somebody had the words of a document removed for ever; its audit entry says from which answers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    document_ref = models.UUIDField()
    by = models.CharField(
        max_length=254, blank=True, default="", help_text="Who asked for it, as they were named then."
    )
    reason = models.CharField(max_length=400, blank=True, default="")
    created = models.DateTimeField()

    class Meta:
        indexes = [
            # Whether a document that an answer under way has read was erased meanwhile.
            models.Index(fields=["tenant", "document_ref"], name="erasure_of_document"),
        ]

    def __str__(self) -> str:
        return f"erasure of {self.document_ref}"
