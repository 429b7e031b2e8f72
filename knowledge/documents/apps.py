from __future__ import annotations

from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "knowledge.documents"
    label = "documents"
    verbose_name = "Documents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from knowledge.documents import checks  # noqa: F401  registers the system checks
