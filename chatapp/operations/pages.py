"""The health page: for operators everything, for those who administer a tenant what belongs to it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chatapp.accounts.access import actor_of
from chatapp.operations.condition import condition
from knowledge.errors import TenantNotFound
from knowledge.tenants.models import Tenant


@require_safe
@login_required
def health(request: HttpRequest) -> HttpResponse:
    """Say what is wrong and what to do, or in one line that nothing is."""
    tenants = _tenants(request)
    found = condition(tenants)
    context = {"found": found, "everything": bool(getattr(request.user, "is_staff", False)), "tenants": tenants}
    return render(request, "health/health.html", context)


def _tenants(request: HttpRequest) -> list[Tenant]:
    """Return whose health the visitor may see.

    :raises PermissionDenied: nobody's.
    """
    if getattr(request.user, "is_staff", False):
        return list(Tenant.objects.order_by("name", "pk"))
    try:
        actor = actor_of(request)
    except TenantNotFound as err:
        raise PermissionDenied(err.message) from err
    if not actor.can_administer:
        raise PermissionDenied("Your role does not show how the product is doing. Ask an administrator.")
    return list(Tenant.objects.filter(pk=actor.tenant_id))
