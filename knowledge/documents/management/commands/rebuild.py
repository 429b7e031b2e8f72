"""``manage.py rebuild``: make the search index again from stored text."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from knowledge.documents.indexes.reconcile import rebuild
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named


class Command(BaseCommand):
    help = "Rebuild the search index of knowledge bases from stored text, without parsing again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--knowledge-base", action="append", metavar="ID|SLUG")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["tenant"])
        for base in bases_named(actor, options["knowledge_base"]):
            documents, passages = rebuild(base=base)
            self.stdout.write(f"{base.name}: {documents} documents, {passages} passages.")
