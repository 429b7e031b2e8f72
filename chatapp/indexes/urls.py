from __future__ import annotations

from django.urls import path

from chatapp.indexes import views

app_name = "indexes"
urlpatterns = [
    path("", views.page, name="indexes"),
    path("build", views.build, name="build"),
    path("switch", views.switch, name="switch"),
    path("remove", views.remove, name="remove"),
    path("retry", views.retry, name="retry"),
    path("compare", views.compare, name="compare"),
]
