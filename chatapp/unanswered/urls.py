from __future__ import annotations

from django.urls import path

from chatapp.unanswered import views

app_name = "unanswered"
urlpatterns = [
    path("", views.questions, name="questions"),
    path("mark", views.mark, name="mark"),
]
