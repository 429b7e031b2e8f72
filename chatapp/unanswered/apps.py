from __future__ import annotations

from django.apps import AppConfig


class UnansweredConfig(AppConfig):
    """Questions that ended without an answer, for those who can add what is missing."""

    name = "chatapp.unanswered"
    label = "unanswered"
    verbose_name = "Unanswered questions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chatapp.unanswered import deletion_places

        deletion_places.register_all()
