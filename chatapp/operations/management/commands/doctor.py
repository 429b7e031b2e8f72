from __future__ import annotations

import platform
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chatapp.operations.checks import production_settings
from chatapp.operations.parts import examine


class Command(BaseCommand):
    help = "Look at every part of the product and say in plain words how it is. Exit code 1 when something is wrong."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Footnote on Python {platform.python_version()}, data in {settings.DATA_DIR}")
        parts = examine()
        for part in parts:
            words = "works" if part.ok else "DOES NOT WORK"
            self.stdout.write(f"  {part.name:<11} {words:<14} {part.version}".rstrip())
            if part.detail:
                self.stdout.write(f"  {'':<11} {part.detail}")
        refusals = production_settings()
        for message in refusals:
            self.stdout.write(f"  settings    DOES NOT WORK  {message.msg}")
        trouble = sum(not part.ok for part in parts) + len(refusals)
        self.stdout.write("Everything works." if not trouble else f"{trouble} of these need attention.")
        if trouble:
            sys.exit(1)
