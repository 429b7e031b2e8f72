from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chatapp.operations import bootstrap


class Command(BaseCommand):
    help = "Create the first organisation, owner and key where there are none, and refresh the documentation base."

    def handle(self, *args: Any, **options: Any) -> None:
        bootstrap.prepare_data_dir()
        created = bootstrap.bootstrap(url=settings.PUBLIC_URL)
        if created is None:
            self.stdout.write("Everything was there already.")
            return
        self.stdout.write(f"Sign in at {created.url} as {created.email} with the password {created.password}")
        self.stdout.write(f"API key: {created.api_key}")
        self.stdout.write(f"Both are kept in {bootstrap.first_run_path()}")
