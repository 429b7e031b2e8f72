"""Socket addresses."""

from __future__ import annotations

from django.urls import path

from chatapp.conversations.consumers import ChatConsumer, NoticesConsumer

websocket_urlpatterns = [
    path("ws/chat/", ChatConsumer.as_asgi()),
    path("ws/notices/", NoticesConsumer.as_asgi()),
]
