from __future__ import annotations

from django.urls import path

from chatapp.sources import runs, settings_views, views

app_name = "sources"
urlpatterns = [
    path("", views.sources, name="list"),
    path("new", settings_views.new, name="new"),
    path("<uuid:source_id>/", views.source, name="source"),
    path("<uuid:source_id>/edit", settings_views.edit, name="edit"),
    path("<uuid:source_id>/pause", settings_views.pause, name="pause"),
    path("<uuid:source_id>/delete", settings_views.delete, name="delete"),
    path("<uuid:source_id>/runs", runs.start, name="start"),
    path("runs/<uuid:run_id>/", runs.run, name="run"),
    path("runs/<uuid:run_id>/cancel", runs.cancel, name="cancel"),
]
