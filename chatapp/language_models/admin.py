from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from chatapp.language_models.models import LanguageModel, ModelTest


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Models are added and reached as their own pages check it: what is called, where and by which key is shown here
    at most."""

    list_display = ["name", "provider", "model", "source", "tenant", "enabled", "context_window"]
    list_filter = ["tenant", "source", "enabled"]
    readonly_fields = [
        "tenant",
        "slug",
        "source",
        "provider",
        "model",
        "api_base",
        "options",
        "capabilities",
        "target",
        "canary",
        "canary_share",
        "created",
        "updated",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(ModelTest)
class ModelTestAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["language_model", "ok", "error_code", "first_token", "total", "by", "created"]
    list_filter = ["ok", "error_code"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
