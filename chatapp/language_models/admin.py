from __future__ import annotations

from django.contrib import admin

from chatapp.language_models.models import LanguageModel


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "model", "source", "tenant", "context_window"]
    list_filter = ["tenant", "source"]
    readonly_fields = ["created", "updated"]
