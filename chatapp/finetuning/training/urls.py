from __future__ import annotations

from django.urls import path

from chatapp.finetuning.training import views

app_name = "training"
urlpatterns = [
    path("", views.runs, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:run_id>/", views.run, name="run"),
    path("<uuid:run_id>/cancel", views.cancel, name="cancel"),
    path("<uuid:run_id>/resume", views.resume, name="resume"),
]
