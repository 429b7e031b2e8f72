from __future__ import annotations

from django.contrib import admin

from knowledge.tenants.models import Membership, Tenant


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "active", "created"]
    search_fields = ["name", "slug"]
    inlines = [MembershipInline]
