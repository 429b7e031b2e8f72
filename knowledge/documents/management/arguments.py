"""What several commands need: the tenant and knowledge bases an operator names."""

from __future__ import annotations

from django.core.management.base import CommandError, CommandParser

from knowledge.documents import access
from knowledge.documents.models import KnowledgeBase
from knowledge.errors import NotFound
from knowledge.tenants.access import Actor, system_actor
from knowledge.tenants.models import Tenant


def add_tenant(parser: CommandParser) -> None:
    parser.add_argument("--tenant", metavar="SLUG", help="the organisation; may be left out when there is only one")


def actor_named(slug: str | None) -> Actor:
    """Return the operator's actor in the named tenant.

    :raises CommandError: there is none, or several and no name.
    """
    rows = Tenant.objects.filter(slug=slug) if slug else Tenant.objects.all()
    found = list(rows[:2])
    if not found:
        raise CommandError(f"There is no tenant {slug!r}." if slug else "There is no tenant yet: run `make run` first.")
    if len(found) > 1:
        raise CommandError("There are several tenants: name one with --tenant.")
    return system_actor(found[0])


def bases_named(actor: Actor, names: list[str] | None) -> list[KnowledgeBase]:
    """Return the named knowledge bases, or all of the tenant's.

    :raises CommandError: one of them does not exist.
    """
    if not names:
        return list(access.visible_knowledge_bases(actor=actor))
    try:
        return access.access_knowledge_bases(actor=actor, pks=names)
    except NotFound as error:
        raise CommandError(f"{error.message} Known: {_known(actor)}") from error


def _known(actor: Actor) -> str:
    return ", ".join(access.visible_knowledge_bases(actor=actor).values_list("slug", flat=True)) or "none"
