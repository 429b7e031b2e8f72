"""``manage.py sync SOURCE``: run a source, or list what there is."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from knowledge.documents.access import as_uuid
from knowledge.documents.leased import LeasedJob
from knowledge.documents.management.arguments import actor_named, add_tenant
from knowledge.errors import KnowledgeError
from knowledge.syncing import schedule, selectors, services, words
from knowledge.syncing.access import visible_sources
from knowledge.syncing.models import Source, SyncRun
from knowledge.tenants.access import Actor

AGREE = "If that is meant, run it again with --allow-withdrawals."


class Command(BaseCommand):
    help = "Bring the documents of a source up to date, or list the sources."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", nargs="?", metavar="ID|NAME")
        parser.add_argument("--list", action="store_true", help="list the sources and how they stand")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and store nothing")
        parser.add_argument("--wait", action="store_true", help="wait for the end of the run and say what it did")
        parser.add_argument(
            "--allow-withdrawals", action="store_true", help="withdraw also more than half of the documents"
        )
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["tenant"])
        if options["list"] or not options["source"]:
            self._list(actor)
            return
        source = _named(actor, options["source"])
        kind = SyncRun.Kind.DRY if options["dry_run"] else SyncRun.Kind.FULL
        try:
            run = services.start_run(
                source=source, actor=actor, kind=kind, allow_withdrawals=options["allow_withdrawals"]
            )
        except KnowledgeError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{run.get_kind_display()} {run.pk} of {source.name} is queued.")
        if options["wait"]:
            self._wait(run)

    def _list(self, actor: Actor) -> None:
        rows = selectors.with_documents(visible_sources(actor=actor)).select_related("knowledge_base")
        for source in rows.order_by("knowledge_base__name", "name"):
            when = schedule.in_words(interval=source.interval, at_hour=source.at_hour)
            state = words.state_of(source, selectors.newest_run(source))
            self.stdout.write(
                f"{source.pk}  {source.knowledge_base.slug}  {source.kind}  {source.name}  {when}  "
                f"{source.documents} documents  {state}"
            )
        if not rows:
            self.stdout.write("There are no sources yet. Add one on the page Documents, under Sources.")

    def _wait(self, run: SyncRun) -> None:
        open_states = (LeasedJob.State.QUEUED, LeasedJob.State.RUNNING)
        while run.state in open_states:
            time.sleep(0.5)
            run.refresh_from_db()
        for change in run.changes if run.kind == SyncRun.Kind.DRY else ():
            self.stdout.write(f"{change['action']:<10} {change['key']}")
        for error in run.errors:
            self.stderr.write(f"{error['key'] or 'the source'}: {error['message']}")
        if run.state != LeasedJob.State.DONE:
            raise CommandError(run.last_error or f"The run was {run.state}.")
        taken = (run.finished or timezone.now()) - run.created
        self.stdout.write(f"{words.summary_of(run)} ({taken.total_seconds():.1f} s).")
        if run.withheld and run.kind == SyncRun.Kind.FULL:
            raise CommandError(f"{words.WITHHELD.format(count=f'{run.withheld:,}')} {AGREE}")


def _named(actor: Actor, name: str) -> Source:
    """Return the source of that id, or the only one of that name.

    :raises CommandError: there is none, or there are several.
    """
    rows = visible_sources(actor=actor)
    pk = as_uuid(name)
    found = list((rows.filter(pk=pk) if pk else rows.filter(name=name))[:2])
    if not found:
        known = ", ".join(rows.order_by("name").values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no source {name!r}. Known: {known}")
    if len(found) > 1:
        raise CommandError(f"Several sources are called {name!r}: name one by its id (manage.py sync --list).")
    return found[0]
