"""What a test of documents does with one knowledge base, over real parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.core.files.base import ContentFile
from django.utils import timezone

from knowledge import wiring
from knowledge.analysis import index_terms
from knowledge.documents import ingest, searching, selectors, services
from knowledge.documents.deletions import deletion
from knowledge.documents.indexes import indexing
from knowledge.documents.models import (
    Chunk,
    Document,
    DocumentVersion,
    IndexGeneration,
    IngestionJob,
    KnowledgeBase,
    TermStatistic,
)
from knowledge.tenants.access import Actor
from knowledge.types import Passage, Query, Scope


@dataclass
class World:
    """What a test does with one knowledge base."""

    actor: Actor
    base: KnowledgeBase
    sent: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    # --- writing

    def upload(self, content: str | bytes, name: str = "notes.md", **more: Any) -> Document:
        """Upload without processing."""
        data = content.encode() if isinstance(content, str) else content
        return services.upload_document(
            actor=self.actor, base=more.pop("base", self.base), upload=ContentFile(data), filename=name, **more
        )

    def add(self, content: str | bytes, name: str = "notes.md", **more: Any) -> Document:
        """Upload, process, and return the row as it is then."""
        document = self.upload(content, name, **more)
        self.work()
        return Document.objects.select_related("current_version", "knowledge_base").get(pk=document.pk)

    def work(self) -> int:
        """Run every due job, oldest first, as workers would; return how many there were."""
        due = list(IngestionJob.objects.due(now=timezone.now()).order_by("created"))
        for job in due:
            run = ingest.run_ingest if job.kind == IngestionJob.Kind.INGEST else deletion.run_delete
            run(job_id=job.pk)
        return len(due)

    def job(self, document: Document) -> IngestionJob:
        """Return the newest job of a document."""
        return IngestionJob.objects.filter(document_ref=document.pk).latest("created")

    # --- reading

    @property
    def scope(self) -> Scope:
        return Scope(tenant=str(self.actor.tenant_id), knowledge_bases=frozenset({str(self.base.pk)}))

    @property
    def space(self) -> str:
        return wiring.embedder().spec.space

    def keys(self) -> set[str]:
        """Return the keys of every record of the base."""
        return {key for key, _document, _version in wiring.store().keys(space=self.space, scope=self.scope)}

    def rows(self) -> set[str]:
        """Return the keys of every chunk row of the base."""
        chunks = Chunk.objects.filter(version__document__knowledge_base=self.base)
        return {str(pk) for pk in chunks.values_list("pk", flat=True)}

    def search(self, text: str, limit: int = 10) -> list[Passage]:
        return list(searching.search(Query(text=text, limit=limit), scope=self.scope).passages)

    def titles(self, text: str) -> set[str]:
        return {passage.title for passage in self.search(text)}

    def stated(self) -> tuple[int, int, dict[str, int]]:
        """Return the statistics as they are kept: chunks, terms, document frequencies."""
        self.base.refresh_from_db()
        generation = IndexGeneration.objects.get(pk=self.base.live_generation_id)
        rows = TermStatistic.objects.filter(generation=generation).values_list("term", "frequency")
        return generation.chunks, generation.terms, dict(rows)

    def counted(self) -> tuple[int, int, dict[str, int]]:
        """Return the statistics as a count of all live chunks gives them."""
        chunks = total = 0
        frequency: Counter[str] = Counter()
        live = Document.objects.alive().filter(knowledge_base=self.base).values("current_version")
        for version in DocumentVersion.objects.filter(pk__in=live).select_related("document"):
            text, title = selectors.version_text(version), indexing.search_title(version)
            for row in version.chunks.all():
                words = index_terms(
                    title, row.heading_path, text[row.start : row.end], language=version.language
                ).split()
                chunks, total = chunks + 1, total + len(words)
                frequency.update(set(words))
        return chunks, total, dict(frequency)
