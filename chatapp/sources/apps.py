from __future__ import annotations

from django.apps import AppConfig


class SourcesConfig(AppConfig):
    """The pages of sources: their settings, their runs, and what became of the documents."""

    name = "chatapp.sources"
    label = "sources"
    verbose_name = "Pages of sources"
