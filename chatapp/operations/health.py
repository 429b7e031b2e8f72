"""Health for machines: is the process alive, are all parts ready, and the figures Prometheus reads."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from chatapp.operations import parts
from chatapp.operations.retrieval_times import RetrievalCollector


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer while the process lives, whatever the state of the parts."""
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when every needed part works, else 503; each part says in words what is wrong."""
    found = parts.examine_cached()
    ready = all(part.ok for part in found)
    body = {
        "status": "ready" if ready else "not ready",
        "parts": {part.name: {"ok": part.ok, "version": part.version, "detail": part.detail} for part in found},
    }
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in the Prometheus text format. With METRICS_TOKEN set, only its bearer may read."""
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and not secrets.compare_digest(given.encode(), wanted.encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class ProductCollector:
    """Gauges read from the rows at each scrape, so that every web process tells the same."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("footnote_part_up", "Whether a part works (1) or not (0).", labels=["part"])
        for part in parts.examine_cached():
            up.add_metric([part.name], float(part.ok))
        yield up
        yield from self._rows()

    def _rows(self) -> Iterator[Metric]:
        from knowledge.documents.models import Document, IngestionJob

        documents = GaugeMetricFamily("footnote_documents", "Documents by status.", labels=["status"])
        for status, count in Document.objects.values_list("status").annotate(count=Count("pk")):
            documents.add_metric([status], count)
        yield documents
        jobs = GaugeMetricFamily("footnote_ingestion_jobs", "Ingestion jobs by state.", labels=["state"])
        for state, count in IngestionJob.objects.values_list("state").annotate(count=Count("pk")):
            jobs.add_metric([state], count)
        yield jobs


registry = CollectorRegistry(auto_describe=False)
registry.register(ProductCollector())
registry.register(RetrievalCollector())
ProcessCollector(registry=registry)
