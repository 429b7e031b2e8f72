"""What every page for members shares: signed in, a member of a tenant, and one answer for "not yours"."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from chatapp.accounts.access import actor_of
from knowledge.errors import NotFound, TenantNotFound
from knowledge.tenants.access import Actor

P = ParamSpec("P")


def member_page(
    view: Callable[Concatenate[HttpRequest, Actor, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Hand the view its actor; turn missing and forbidden into the same 404."""

    @wraps(view)
    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            actor = actor_of(request)
        except TenantNotFound as err:
            return render(request, "account/no_tenant.html", {"reason": err.message}, status=403)
        try:
            return view(request, actor, *args, **kwargs)
        except NotFound as err:
            raise Http404(err.message) from err

    return login_required(page)
