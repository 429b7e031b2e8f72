from __future__ import annotations

from django.urls import path

from chatapp.language_models import usage_views

app_name = "language_models"
urlpatterns = [
    path("usage/", usage_views.usage, name="usage"),
    path("usage/budgets", usage_views.set_budget, name="set_budget"),
    path("usage/budgets/<int:budget_id>/remove", usage_views.remove_budget, name="remove_budget"),
]
