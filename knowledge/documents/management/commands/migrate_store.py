"""``manage.py migrate-store``: copy the index between LanceDB and Weaviate, prove the copy, empty the old store."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from knowledge import wiring
from knowledge.documents.indexes import moving, moving_check
from knowledge.errors import KnowledgeError, StoreBusy
from knowledge.stores.base import Store
from knowledge.stores.locking import file_lock
from knowledge.stores.weaviate_at_hand import server_at_hand
from knowledge.tenants.models import Tenant

OTHER = {"lance": "weaviate", "weaviate": "lance"}


class Command(BaseCommand):
    help = (
        "Copy the search index to the other store, embedding nothing; go on where a killed run ended. Prove it by "
        "counts and by asking both. Exit code 1 when they differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, choices=sorted(OTHER))
        parser.add_argument("--tenant", metavar="SLUG", help="only this organisation")
        parser.add_argument("--verify-only", action="store_true", help="copy nothing")
        parser.add_argument("--forget-source", action="store_true", help="empty the old store after the switch")
        parser.add_argument("--questions", type=Path, metavar="JSONL", help="ask these instead of stored sentences")
        parser.add_argument("--sample", type=int, default=40, metavar="N", help="sentences asked for each organisation")
        parser.add_argument(
            "--bar", type=float, default=0.95, help="overlap of the passages found below which it fails"
        )
        parser.add_argument("--batch", type=int, default=moving.BATCH, help="records copied at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = self._tenants(options["tenant"])
        if (
            not settings.SECRET_KEY_GIVEN and not settings.SECRET_KEY_PATH.is_file()
        ):  # one made up for now seals nothing
            raise CommandError("This installation has no SECRET_KEY yet: run `make run` once, or set it.")
        try:
            with file_lock(settings.DATA_DIR / "locks" / "migrate-store", seconds=0), _weaviate():
                self._run(tenants, options)
        except StoreBusy as error:
            raise CommandError(f"{error.message} Or another migrate-store is running.") from error
        except KnowledgeError as error:
            raise CommandError(error.message) from error

    def _tenants(self, slug: str | None) -> list[Tenant]:
        found = list(Tenant.objects.filter(slug=slug) if slug else Tenant.objects.order_by("slug"))
        if not found:
            raise CommandError(f"There is no tenant {slug!r}." if slug else "There is no tenant yet.")
        return found

    def _run(self, tenants: list[Tenant], options: dict[str, Any]) -> None:
        to = options["to"]
        source, target = wiring.store_named(OTHER[to]), wiring.store_named(to)
        for store in (source, target):
            health = store.health()
            if not health.ok:
                raise CommandError(f"{health.name}: {health.detail}")
        if options["forget_source"]:
            self._forget(tenants, to, source)
            return
        verified = [self._move(tenant, source, target, options) for tenant in tenants]
        if not all(verified):
            raise CommandError("The copy is not the same; see above. Nothing was removed from the old store.")
        _remember(to, [tenant.slug for tenant in tenants])
        self.stdout.write(
            f"Done. To switch: stop Footnote, run this command once more (it copies what changed since), and start "
            f"Footnote with STORE={to}. Then --forget-source empties the old store."
        )

    def _move(self, tenant: Tenant, source: Store, target: Store, options: dict[str, Any]) -> bool:
        if options["verify_only"]:
            parts = moving.verify(tenant, source=source, target=target)
        else:
            say = self.stdout.write
            parts = moving.move(tenant, source=source, target=target, say=say, batch=options["batch"])
        for part in parts:
            for generation, (one, other) in part.counts.items():
                self.stdout.write(
                    f"{tenant.slug}: {part.space}, base {part.base}, {generation or 'all generations'}: "
                    f"{one:,} in {source.name}, {other:,} in {target.name}{'' if one == other else '  DIFFER'}"
                )
            if not options["verify_only"]:
                self.stdout.write(f"  {part.copied:,} copied, {part.renewed:,} renewed, {part.removed:,} removed")
        agrees = all(part.agrees for part in parts)
        return self._ask(tenant, source, target, options) and agrees

    def _ask(self, tenant: Tenant, source: Store, target: Store, options: dict[str, Any]) -> bool:
        path = options["questions"]
        try:
            questions = (
                moving_check.questions_in(path) if path else moving_check.sample(tenant, count=options["sample"])
            )
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be used as questions: {error}") from error
        found = moving_check.ask_both(tenant, questions, source=source, target=target)
        self.stdout.write(
            f"{tenant.slug}: {found.asked} questions asked of both: {found.overlap:.1%} of the passages are the same, "
            f"{found.first:.1%} have the same best one (bar {options['bar']:.0%})"
        )
        if found.worst:
            self.stdout.write(f"  least alike: {found.worst[:120]}")
        return found.overlap >= float(options["bar"])

    def _forget(self, tenants: list[Tenant], to: str, source: Store) -> None:
        """Empty the old store, if the copy was proved and the product is set to the new one."""
        if to != settings.STORE:
            raise CommandError(f"Footnote is set to the store that would be emptied: start it with STORE={to} first.")
        unproved = [tenant.slug for tenant in tenants if tenant.slug not in _remembered(to)]
        if unproved:
            raise CommandError(f"Not moved and proved yet: {', '.join(unproved)}. Run --to {to} first.")
        for tenant in tenants:
            removed = moving.forget(tenant, source=source)
            self.stdout.write(f"{tenant.slug}: {removed:,} records removed from {source.name}; nothing is left there.")


def _state() -> Path:
    return settings.DATA_DIR / "migrate-store.json"


def _remembered(to: str) -> list[str]:
    """Return the tenants whose copy in a store was proved."""
    return cast("dict[str, list[str]]", json.loads(_state().read_text())).get(to, []) if _state().exists() else []


def _remember(to: str, slugs: list[str]) -> None:
    """Note whose copy was proved; one in the other direction is worth nothing from then on."""
    _state().write_text(json.dumps({to: sorted({*_remembered(to), *slugs})}))


@contextmanager
def _weaviate() -> Any:
    """Let the settings name a Weaviate server that runs."""
    folder = settings.DATA_DIR / "weaviate"
    given = settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_PORT
    with server_at_hand(*given, folder=folder, binary=settings.WEAVIATE_SERVER_BIN) as at_hand:
        settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_PORT = at_hand
        try:
            yield
        finally:
            wiring.reset()
            settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_PORT = given
