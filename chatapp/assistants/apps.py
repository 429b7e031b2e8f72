from __future__ import annotations

from django.apps import AppConfig


class AssistantsConfig(AppConfig):
    """The pages of assistants: which there are, how each answers, and the form that changes one."""

    name = "chatapp.assistants"
    label = "assistants"
    verbose_name = "Pages of assistants"
