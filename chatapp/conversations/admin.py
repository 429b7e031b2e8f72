from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from chatapp.conversations.models import AnswerRun, Assistant, CitationPolicy


@admin.register(Assistant)
class AssistantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "tenant", "language_model", "citation_mode"]
    list_filter = ["tenant"]
    filter_horizontal = ["knowledge_bases"]


@admin.register(CitationPolicy)
class CitationPolicyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["tenant", "least_mode", "withhold"]


@admin.register(AnswerRun)
class AnswerRunAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """How runs went, without what was said in them."""

    list_display = ["id", "tenant", "status", "model", "no_answer", "error_code", "started", "finished"]
    list_filter = ["status", "tenant", "no_answer"]
    readonly_fields = [
        "tenant",
        "status",
        "model",
        "timings",
        "usage",
        "anomalies",
        "error_code",
        "error_message",
        "started",
        "finished",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AnswerRun | None = None) -> bool:
        return False
