"""``manage.py audit``: prove that answers are as they were when they ended; hand one out with its proof."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from chatapp.conversations import audit
from chatapp.conversations.models import AnswerRun, AuditEntry
from knowledge.documents.management.arguments import actor_named, add_tenant
from knowledge.tenants.models import Tenant


class Command(BaseCommand):
    help = "Check the chain of recorded answers; exit with 1 where an answer or an entry is not as it was."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--export", nargs=2, metavar=("RUN", "FILE"), help="write one answer with its proof")
        parser.add_argument("--check", type=Path, metavar="FILE", help="check an exported answer, without the database")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"] is not None:
            self._tell(audit.checked_export(_read(options["check"])), good=f"{options['check']}: as it was recorded.")
            return
        tenant = Tenant.objects.get(pk=actor_named(options["tenant"]).tenant_id)
        if options["export"]:
            self._export(tenant, *options["export"])
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

    def _export(self, tenant: Tenant, run: str, file: str) -> None:
        try:
            found = AnswerRun.objects.get(pk=UUID(run), tenant=tenant)
            data = audit.export(found)
        except (ValueError, AnswerRun.DoesNotExist, AuditEntry.DoesNotExist) as error:
            raise CommandError(f"The tenant has no recorded answer {run}.") from error
        try:
            Path(file).write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error
        self.stdout.write(f"{file}: answer {run}, digest {data['entry']['digest']}.")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise CommandError(f"{path} is no JSON.") from error
