"""``manage.py generations``: the indexes of a knowledge base, built, switched, gone back from, removed."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import access
from knowledge.documents.indexes import generations, overview
from knowledge.documents.indexes.generations import Standing
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named
from knowledge.documents.models import IndexGeneration, IndexJob, KnowledgeBase
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

POLL_SECONDS = 1.0


class Command(BaseCommand):
    help = "List the indexes of a knowledge base, build another one, switch to it, go back, remove one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--knowledge-base", required=True, metavar="ID|SLUG")
        add_tenant(parser)  # type: ignore[arg-type]
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--list", action="store_true", help="what there is; also when nothing else is asked for")
        what.add_argument("--build", action="store_true", help="begin an index beside the one in use")
        what.add_argument("--roll-back", action="store_true", help="switch to the one that was in use before")
        what.add_argument("--remove", metavar="ID", help="remove one that is not in use")
        what.add_argument("--retry", metavar="ID", help="try again what failed on this one")
        parser.add_argument("--embedding", default="", metavar="MODEL", help="with --build: not the settings' model")
        parser.add_argument("--chunker", default="", metavar="CHUNKER", help="with --build: not the settings' chunker")
        parser.add_argument(
            "--switch", nargs="?", const="", metavar="ID",
            help="search through this one from now on; with --build: through the new one as soon as it is built",
        )  # fmt: skip
        parser.add_argument("--wait", action="store_true", help="until the worker is done")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["tenant"])
        base = bases_named(actor, [options["knowledge_base"]])[0]
        try:
            worked_on = self._do(base, actor, options)
            if worked_on is not None and options["wait"]:
                self._wait(base, worked_on)
        except KnowledgeError as error:
            raise CommandError(error.message) from error

    def _do(self, base: KnowledgeBase, actor: Actor, options: dict[str, Any]) -> IndexGeneration | None:
        """Do what was asked for, and return the index that a worker has to work on now."""
        if options["build"]:
            found = generations.start(
                base=base, embedding=options["embedding"], chunker=options["chunker"],
                switch=options["switch"] is not None,
            )  # fmt: skip
            self.stdout.write(f"The index {found.pk} is being built: {_made_of(found)}.")
        elif options["switch"] is not None or options["roll_back"]:
            found = _left(base) if options["roll_back"] else _own(base, actor, options["switch"])
            if generations.make_live(found):
                self.stdout.write(f"The index {found.pk} is in use.")
                return None
            self.stdout.write(f"The index {found.pk} first takes in what is missing and is in use then.")
        elif options["remove"]:
            found = _own(base, actor, options["remove"])
            generations.remove(found)
            self.stdout.write(f"The index {found.pk} is being removed.")
        elif options["retry"]:
            found = _own(base, actor, options["retry"])
            generations.retry(found)
            self.stdout.write(f"The index {found.pk} is worked on again.")
        else:
            self._list(base)
            return None
        return found

    def _list(self, base: KnowledgeBase) -> None:
        found = generations.standings(base)
        if not found:
            self.stdout.write(f"{base.name} has no index yet: the first document makes one.")
        for standing in found:
            self.stdout.write(_line(standing))
            if standing.job is not None and standing.job.state == IndexJob.State.FAILED:
                self.stdout.write(f"  {standing.job.last_error} Try again with --retry {standing.generation.pk}.")
        if notice := overview.difference(base):
            self.stdout.write(notice)
        self.stdout.write(f"Embedding models to choose from: {', '.join(wiring.embedding_choices())}.")

    def _wait(self, base: KnowledgeBase, generation: IndexGeneration) -> None:
        """Follow the work until it is over.

        :raises CommandError: it failed.
        """
        while True:
            base.refresh_from_db()
            standing = next((s for s in generations.standings(base) if s.generation.pk == generation.pk), None)
            if standing is None:
                self.stdout.write("It was removed.")
                return
            job = standing.job
            if job is None or job.state not in overview.OPEN:
                break
            self.stdout.write(f"{standing.held} of {standing.documents} documents", ending="\r")
            self.stdout.flush()
            time.sleep(POLL_SECONDS)
        if job is not None and job.state == IndexJob.State.FAILED:
            raise CommandError(f"{job.last_error} Try again with --retry {generation.pk}.")
        self.stdout.write(_line(standing))


def _own(base: KnowledgeBase, actor: Actor, pk: str) -> IndexGeneration:
    """Return the named index of the base.

    :raises CommandError: the base has no such index.
    """
    try:
        found = access.access_generation(actor=actor, pk=pk)
    except KnowledgeError:
        found = None
    if found is None or found.knowledge_base_id != base.pk:
        raise CommandError(f"{base.name} has no index {pk!r}; --list shows those there are.")
    return found


def _left(base: KnowledgeBase) -> IndexGeneration:
    """Return the index that was in use last.

    :raises CommandError: none is kept.
    """
    kept = base.generations.filter(state=IndexGeneration.State.RETIRED).order_by("-switched").first()
    if kept is None:
        raise CommandError(f"{base.name} keeps no index from before: there is nothing to go back to.")
    return kept


def _made_of(generation: IndexGeneration) -> str:
    return f"{overview.model_words(generation)} ({generation.dimension} dimensions), {generation.chunker}"


def _line(standing: Standing) -> str:
    row = standing.generation
    words = (
        f"{row.pk}  {overview.phase(standing)}: {_made_of(row)}; {standing.held} of {standing.documents} documents, "
    )
    words += f"{row.chunks} passages"
    if row.switch_when_ready:
        words += "; is used as soon as it is whole"
    left = overview.seconds_left(standing, now=timezone.now())
    return f"{words}; about {left} s left." if left is not None else f"{words}."
