"""Every address of the product."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path

from chatapp.api import api, missing
from chatapp.conversations import views as conversations
from chatapp.operations import health, pages

urlpatterns = [
    path("", conversations.chat, name="chat"),
    path("c/<uuid:conversation_id>/", conversations.chat, name="conversation"),
    path("documents/sources/", include("chatapp.sources.urls")),
    path("documents/indexes/", include("chatapp.indexes.urls")),
    path("documents/", include("chatapp.reader.urls")),
    path("search/", include("chatapp.searching.urls")),
    path("unanswered/", include("chatapp.unanswered.urls")),
    path("runs/", include("chatapp.tracing.urls")),
    path("models/assistants/", include("chatapp.assistants.urls")),
    path("labels/", include("chatapp.labelling.urls")),
    path("models/data/", include("chatapp.finetuning.datasets.urls")),
    path("models/training/", include("chatapp.finetuning.training.urls")),
    path("models/versions/", include("chatapp.finetuning.registry.urls")),
    path("models/servers/", include("chatapp.finetuning.serving.urls")),
    path("models/", include("chatapp.language_models.urls")),
    path("health/", pages.health, name="health"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    re_path(r"^api/", missing),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
