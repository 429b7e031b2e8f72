from __future__ import annotations

from django.apps import AppConfig


class SearchingConfig(AppConfig):
    """The search page: what a question finds, why, and what other settings would find."""

    name = "chatapp.searching"
    label = "searching"
    verbose_name = "Search page"
