from __future__ import annotations

from django.urls import path

from chatapp.searching import views

app_name = "searching"
urlpatterns = [
    path("", views.search, name="search"),
    path("save", views.save, name="save"),
]
