from __future__ import annotations

from django.urls import path

from chatapp.tracing import views

app_name = "tracing"
urlpatterns = [
    path("<uuid:run_id>/", views.trace, name="trace"),
    path("<uuid:run_id>/export.json", views.export_json, name="export-json"),
    path("<uuid:run_id>/export.html", views.export_html, name="export-html"),
]
