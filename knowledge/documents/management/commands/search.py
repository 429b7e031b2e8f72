"""``manage.py search "query"``: the same retrieval as chat and API."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from knowledge.documents import access
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named
from knowledge.documents.schemas import SearchOut
from knowledge.documents.searching import search
from knowledge.types import Query


class Command(BaseCommand):
    help = "Search the knowledge bases of a tenant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("query")
        parser.add_argument("--knowledge-base", action="append", metavar="ID|SLUG", help="may be given several times")
        parser.add_argument("--limit", type=int, default=5)
        parser.add_argument("--json", action="store_true")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["tenant"])
        scope = access.scope_of(actor=actor, bases=bases_named(actor, options["knowledge_base"]))
        query = Query(text=options["query"], limit=max(1, min(100, options["limit"])))
        result = search(query, scope=scope)
        if options["json"]:
            self.stdout.write(json.dumps(SearchOut.of(result).model_dump(), ensure_ascii=False, indent=2))
            return
        if not result.passages:
            self.stdout.write("Nothing was found.")
        for number, passage in enumerate(result.passages, start=1):
            place = f", page {passage.page_first}" if passage.page_first else ""
            self.stdout.write(f"{number}. {passage.title}{place} ({passage.score:.3f})")
            self.stdout.write("   " + " ".join(passage.text.split())[:300])
