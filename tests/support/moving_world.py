"""Makes a small installation in DATA_DIR: a tenant whose documents are indexed in the store of the settings.

A program: ``python moving_world.py DOCUMENTS`` indexes so many and prints the number of passages.
"""

from __future__ import annotations

import sys

import django


def main(documents: int) -> None:
    django.setup()
    from django.core.management import call_command
    from document_world import World

    from knowledge import wiring
    from knowledge.documents import services, tasks
    from knowledge.documents.models import KnowledgeBase
    from knowledge.documents.signals import document_changed
    from knowledge.tenants.access import system_actor
    from knowledge.tenants.models import Tenant

    call_command("migrate", verbosity=0)
    tasks.publish = lambda task, **arguments: True
    document_changed.receivers = []  # nobody listens
    tenant, _ = Tenant.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
    actor = system_actor(tenant)
    base = KnowledgeBase.objects.filter(tenant=tenant).first()
    base = base or services.create_knowledge_base(actor=actor, name="Handbook")
    world = World(actor, base)
    for i in range(documents):
        parts = [f"## Rule {i}.{n}\n\nWhoever meets otter {i * 10 + n} tells the keeper of pond {n}." for n in range(9)]
        world.upload("\n\n".join(parts), f"rules{i}.md")
    world.work()
    print(len(world.keys()))
    wiring.reset()


if __name__ == "__main__":
    main(int(sys.argv[1]))
