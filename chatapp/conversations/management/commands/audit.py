"""``manage.py audit``: prove that answers are as they were when they ended; hand one out with its proof."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from chatapp.conversations import audit
from chatapp.conversations.exports import checked_export, export
from chatapp.conversations.models import AnswerRun, AuditEntry
from chatapp.conversations.readable import checked_page, json_of_export, page_of_export
from knowledge.documents.management.arguments import actor_named, add_tenant
from knowledge.tenants.models import Tenant


class Command(BaseCommand):
    help = "Check the chain of recorded answers; exit with 1 where an answer or an entry is not as it was."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--export", nargs="+", metavar=("RUN", "FILE"), help="write one answer with its proof, as JSON to FILE"
        )
        parser.add_argument("--html", type=Path, metavar="FILE", help="with --export: write it as a page to read")
        parser.add_argument(
            "--check", type=Path, metavar="FILE", help="check an exported answer, JSON or page, without the database"
        )
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"] is not None:
            self._tell(_checked(options["check"]), good=f"{options['check']}: what it holds is as it was recorded.")
            return
        if options["html"] and not options["export"]:
            raise CommandError("--html goes with --export RUN.")
        tenant = Tenant.objects.get(pk=actor_named(options["tenant"]).tenant_id)
        if options["export"]:
            run, *files = options["export"]
            if len(files) > 1 or not (files or options["html"]):
                raise CommandError("--export takes an answer and a file; or an answer, with --html FILE.")
            self._export(tenant, run, json_to=Path(files[0]) if files else None, html_to=options["html"])
            return
        entries = AuditEntry.objects.filter(tenant=tenant).order_by("sequence")
        count, last = entries.count(), entries.last()
        good = f"{tenant.slug}: {count} answer{'' if count == 1 else 's'} recorded, the chain is whole."
        self._tell(list(audit.check(tenant)), good=f"{good} Last digest: {last.digest}" if last else good)

    def _tell(self, findings: list[audit.Finding], *, good: str) -> None:
        for finding in findings:
            self.stdout.write(finding.words)
        broken = sum(finding.broken for finding in findings)
        if broken:
            raise CommandError(f"{broken} findings that should not be.", returncode=1)
        self.stdout.write(good)

    def _export(self, tenant: Tenant, run: str, *, json_to: Path | None, html_to: Path | None) -> None:
        try:
            found = AnswerRun.objects.get(pk=UUID(run), tenant=tenant)
            data = export(found)
        except (ValueError, AnswerRun.DoesNotExist, AuditEntry.DoesNotExist) as error:
            raise CommandError(f"The tenant has no recorded answer {run}.") from error
        for file, text in ((json_to, json_of_export), (html_to, page_of_export)):
            if file is not None:
                _write(file, text(data))
                self.stdout.write(f"{file}: answer {run}, digest {data['entry']['digest']}.")


def _write(file: Path, text: str) -> None:
    try:
        file.write_bytes(text.encode())
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}.") from error


def _checked(path: Path) -> list[audit.Finding]:
    try:
        text = path.read_bytes().decode()  # bytes: nothing may change the ends of lines
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise CommandError(f"{path} is neither JSON nor a page.") from error
    if text.lstrip()[:1] == "<":
        return checked_page(text)
    try:
        return checked_export(json.loads(text))
    except ValueError as error:
        raise CommandError(f"{path} is no JSON.") from error
