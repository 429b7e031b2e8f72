from __future__ import annotations

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "chatapp.conversations"
    label = "conversations"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chatapp.conversations import closing, deletion_places, erasing, notices  # noqa: F401  listen to what becomes of documents

        deletion_places.register_all()
