from __future__ import annotations

from django.apps import AppConfig


class IndexesConfig(AppConfig):
    """The page of a knowledge base's indexes, and the comparison of two of them on questions."""

    name = "chatapp.indexes"
    label = "indexes"
    verbose_name = "Indexes"

    def ready(self) -> None:
        from chatapp.evaluation.kinds import use_kind

        use_kind("generations", "chatapp.indexes.measuring")
