"""What every template may know about the page's visitor."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from chatapp.accounts.access import actor_of
from knowledge.errors import TenantNotFound

THEMES = frozenset({"light", "dark"})


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the theme cookie, anything else than a known theme meaning the system's, and which pages are linked."""
    theme = request.COOKIES.get("theme", "")
    return {
        "theme": theme if theme in THEMES else "",
        "sees_health": lambda: sees_health(request),
        "sees_models": lambda: sees_models(request),
    }


def sees_health(request: HttpRequest) -> bool:
    """Whether the health page has something for the visitor. The actor is asked for once a request, if at all."""
    if getattr(request.user, "is_staff", False):
        return True
    try:
        return actor_of(request).can_administer
    except TenantNotFound:
        return False


def sees_models(request: HttpRequest) -> bool:
    """Whether the pages about models have something for the visitor: they are for those who edit."""
    try:
        return actor_of(request).can_edit
    except TenantNotFound:
        return False
