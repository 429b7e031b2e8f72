"""What every template may know about the page's visitor."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

THEMES = frozenset({"light", "dark"})


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the theme cookie; anything else than a known theme means the system's."""
    theme = request.COOKIES.get("theme", "")
    return {"theme": theme if theme in THEMES else ""}
