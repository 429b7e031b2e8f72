from __future__ import annotations

from django.urls import path

from chatapp.labelling import views

app_name = "labelling"
urlpatterns = [
    path("", views.labels, name="labels"),
    path("label", views.label, name="label"),
    path("undo", views.undo, name="undo"),
    path("records", views.records, name="records"),
]
