from __future__ import annotations

from django.apps import AppConfig


class LanguageModelsConfig(AppConfig):
    name = "chatapp.language_models"
    label = "language_models"
    verbose_name = "Language models"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chatapp.accounts.api import use_budgets
        from chatapp.language_models import checks  # noqa: F401  registers them
        from chatapp.language_models.budgets import public_budgets
        from chatapp.language_models.local import register_local_models

        register_local_models()
        use_budgets(public_budgets)
