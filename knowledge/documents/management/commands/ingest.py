"""``manage.py ingest PATH...``: upload files and folders from this machine."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError

from knowledge.documents import services
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named
from knowledge.documents.models import Document
from knowledge.errors import KnowledgeError


def files_below(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield ``(file, name)``; inside a folder the name is the path below it, so that twins stay apart."""
    if path.is_file():
        yield path, path.name
        return
    for found in sorted(path.rglob("*")):
        parts = found.relative_to(path).parts
        if found.is_file() and not found.is_symlink() and not any(part.startswith(".") for part in parts):
            yield found, "/".join(parts)


class Command(BaseCommand):
    help = "Upload files, or every file below folders, into a knowledge base."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path)
        parser.add_argument("--knowledge-base", required=True, metavar="ID|SLUG")
        parser.add_argument("--wait", action="store_true", help="wait until every document is ready or failed")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["tenant"])
        base = bases_named(actor, [options["knowledge_base"]])[0]
        missing = [str(path) for path in options["paths"] if not path.exists()]
        if missing:
            raise CommandError(f"Not found: {', '.join(missing)}")
        sent: list[Document] = []
        refused = 0
        for path, name in (pair for root in options["paths"] for pair in files_below(root)):
            try:
                with path.open("rb") as handle:
                    source = name if "/" in name else ""
                    sent.append(
                        services.upload_document(
                            actor=actor, base=base, upload=File(handle), filename=path.name, source_uri=source
                        )
                    )
            except (KnowledgeError, OSError) as error:
                refused += 1
                self.stderr.write(f"{name}: {error.strerror if isinstance(error, OSError) else error.message}")
        self.stdout.write(f"{len(sent)} files stored in {base.name}, {refused} refused.")
        if options["wait"]:
            self._wait([document.pk for document in sent])

    def _wait(self, ids: list[Any]) -> None:
        while True:
            rows = list(Document.objects.filter(pk__in=ids).values_list("title", "status", "error"))
            done = [row for row in rows if row[1] in (Document.Status.READY, Document.Status.FAILED)]
            if len(done) == len(rows):
                break
            self.stdout.write(f"{len(done)} of {len(rows)} done", ending="\r")
            self.stdout.flush()
            time.sleep(1)
        failed = [row for row in rows if row[1] == Document.Status.FAILED]
        for title, _status, error in failed:
            self.stderr.write(f"{title}: {error}")
        self.stdout.write(f"{len(rows) - len(failed)} ready, {len(failed)} failed.")
        if failed:
            raise CommandError(f"{len(failed)} documents could not be processed.")
