"""Authentication of the HTTP API: a bearer key, or the session cookie of a page with its CSRF token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from chatapp.accounts import ratelimit
from chatapp.accounts.access import actor_of, actor_of_key
from chatapp.accounts.models import APIKey
from knowledge.errors import TenantNotFound
from knowledge.tenants.access import Actor


class KeyAuth(HttpBearer):
    """``Authorization: Bearer KEY``."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        found = actor_of_key(token)
        if found is None:
            return None
        actor, key = found
        ratelimit.spend(f"key:{key.pk}", limit=settings.API_REQUESTS_PER_MINUTE)
        _touch(key)
        request.actor = actor  # type: ignore[attr-defined]
        return actor


def _touch(key: APIKey) -> None:
    """Note the last use, at most once a minute: reading with a key must not become writing."""
    now = timezone.now()
    if key.last_used is None or key.last_used < now - timedelta(minutes=1):
        APIKey.objects.filter(Q(last_used__lt=now) | Q(last_used=None), pk=key.pk).update(last_used=now)


class PageAuth(APIKeyCookie):
    """The session of a signed-in person; writing needs the CSRF token as on every page."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)  # checked below, and only where there is a session at all

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        if not key or not request.user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise HttpError(403, "The page is out of date. Reload it and try again.")
        try:
            actor = actor_of(request)
        except TenantNotFound as error:
            raise HttpError(403, error.message) from error
        request.actor = actor  # type: ignore[attr-defined]
        return actor


class AsyncAuth:
    """Runs the same checks for an asynchronous operation.

    ``in_thread`` runs them where database sessions outlive the request: that of the request's own thread would stay
    open until its answer is complete.
    """

    def __init__(self, *, in_thread: Callable[..., Awaitable[Actor | None]]) -> None:
        self._in_thread = in_thread
        self._checks: list[Any] = [KeyAuth(), PageAuth()]

    async def __call__(self, request: HttpRequest) -> Actor | None:
        return await self._in_thread(self._check, request)

    def _check(self, request: HttpRequest) -> Actor | None:
        for check in self._checks:
            actor: Actor | None = check(request)
            if actor is not None:
                return actor
        return None
