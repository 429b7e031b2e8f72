"""``{% asset "chat.js" %}``: the address of a built front-end file."""

from __future__ import annotations

from django import template

from chatapp.operations.assets import asset_url

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    return asset_url(name)
