from __future__ import annotations

from django.urls import path

from chatapp.assistants import views

app_name = "assistants"
urlpatterns = [
    path("", views.assistants, name="list"),
    path("new", views.new, name="new"),
    path("<slug:slug>/edit", views.edit, name="edit"),
    path("<slug:slug>/delete", views.delete, name="delete"),
]
