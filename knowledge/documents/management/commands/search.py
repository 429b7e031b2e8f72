"""``manage.py search "query"``: the same retrieval as chat and API."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.documents import access
from knowledge.documents.filters import BadFilter, SearchFilters
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named
from knowledge.documents.schemas import SearchOut, storable
from knowledge.documents.searching import search
from knowledge.errors import NotFound
from knowledge.tenants.access import Actor
from knowledge.types import Query

FILTER_HELP = (
    "only documents that pass, may be given several times: language=de, media_type=application/pdf, documents=ID, "
    "created.from=2026-01-01, updated.to=2026-01-31, metadata.NAME=VALUE; the same name again means any of the "
    'values. Or the "filters" of the interface as a JSON object.'
)


class Command(BaseCommand):
    help = "Search the knowledge bases of a tenant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("query")
        parser.add_argument("--knowledge-base", action="append", metavar="ID|SLUG", help="may be given several times")
        parser.add_argument("--filter", action="append", default=[], metavar="NAME=VALUE|JSON", help=FILTER_HELP)
        parser.add_argument("--limit", type=int, default=5)
        parser.add_argument("--json", action="store_true")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["tenant"])
        scope = access.scope_of(actor=actor, bases=bases_named(actor, options["knowledge_base"]))
        query = Query(text=options["query"], limit=max(1, min(100, options["limit"])))
        result = search(query, scope=scope, filters=_filters(options["filter"], actor))
        if options["json"]:
            self.stdout.write(json.dumps(SearchOut.of(result).model_dump(), ensure_ascii=False, indent=2))
            return
        if not result.passages:
            self.stdout.write("Nothing was found." if not result.related else "Nothing was found. Nearest:")
        for number, passage in enumerate(result.passages or result.related, start=1):
            place = f", page {passage.page_first}" if passage.page_first else ""
            self.stdout.write(f"{number}. {passage.title}{place} ({passage.score:.3f})")
            self.stdout.write("   " + " ".join(passage.text.split())[:300])


def _filters(given: list[str], actor: Actor) -> SearchFilters | None:
    """Read the filters an operator typed.

    :raises CommandError: one cannot be read, or names a document that is not there.
    """
    if not given:
        return None
    data: dict[str, Any] = {}
    try:
        for text in given:
            _add(data, text)
        filters = SearchFilters.model_validate(storable(data))
        for pk in filters.documents or ():
            access.access_document(actor=actor, pk=pk)
    except (BadFilter, NotFound) as error:
        raise CommandError(error.message) from error
    return filters


def _add(data: dict[str, Any], text: str) -> None:
    if text.lstrip().startswith("{"):
        data.update(_json(text))
        return
    name, equals, value = text.partition("=")
    if not equals:
        raise BadFilter(f"The filter {text!r} is neither NAME=VALUE nor a JSON object.")
    filter_name, dot, inner = name.partition(".")
    if not dot:
        _one_more(data, filter_name, value, text=text)
        return
    within = data.setdefault(filter_name, {})
    if not isinstance(within, dict):
        raise BadFilter(f"The filter {text!r} contradicts another one for {filter_name}.")
    if filter_name == "metadata":
        _one_more(within, inner, _scalar(value), text=text)
    else:
        within[inner] = value


def _one_more(values: dict[str, Any], name: str, value: Any, *, text: str) -> None:
    """Put a value beside those that are there, also beside one that stood alone in JSON."""
    there = values.get(name, [])
    if isinstance(there, dict):
        raise BadFilter(f"The filter {text!r} contradicts another one for {name}.")
    values[name] = [*(there if isinstance(there, list) else [there]), value]


def _json(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadFilter(f"The filter {text!r} is no JSON that can be read.") from error


def _scalar(value: str) -> Any:
    """Read numbers, true, false and null as such, and everything else as text."""
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return value if isinstance(read, list | dict) else read
