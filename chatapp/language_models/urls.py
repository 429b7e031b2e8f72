from __future__ import annotations

from django.urls import path

from chatapp.language_models import settings_views, usage_views, views

app_name = "language_models"
urlpatterns = [
    path("", views.models, name="list"),
    path("new/", settings_views.choose, name="choose"),
    path("new/<slug:provider>/", settings_views.new, name="new"),
    path("<int:model_id>/", views.model, name="model"),
    path("<int:model_id>/edit", settings_views.edit, name="edit"),
    path("<int:model_id>/delete", settings_views.delete, name="delete"),
    path("<int:model_id>/switch", views.switch, name="switch"),
    path("<int:model_id>/test", views.test, name="test"),
    path("usage/", usage_views.usage, name="usage"),
    path("usage/budgets", usage_views.set_budget, name="set_budget"),
    path("usage/budgets/<int:budget_id>/remove", usage_views.remove_budget, name="remove_budget"),
]
