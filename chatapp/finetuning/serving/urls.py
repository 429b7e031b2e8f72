from __future__ import annotations

from django.urls import path

from chatapp.finetuning.serving import views

app_name = "serving"
urlpatterns = [
    path("", views.servers, name="list"),
    path("start", views.start, name="start"),
    path("<uuid:server_id>/stop", views.stop, name="stop"),
]
