from __future__ import annotations

from django.urls import path

from chatapp.finetuning.registry import views

app_name = "registry"
urlpatterns = [
    path("", views.models, name="list"),
    path("<uuid:version_id>/", views.version, name="version"),
    path("<uuid:version_id>/check", views.check, name="check"),
    path("<uuid:version_id>/promote", views.promote, name="promote"),
    path("<uuid:version_id>/canary", views.canary, name="canary"),
    path("<uuid:version_id>/retire", views.retire, name="retire"),
    path("of/<uuid:model_id>/back", views.roll_back, name="roll_back"),
]
