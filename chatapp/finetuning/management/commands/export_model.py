from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatapp.finetuning.registry.access import WITH
from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.serving.errors import ServingRefused
from chatapp.finetuning.serving.exporting import export
from knowledge.documents.access import as_uuid


class Command(BaseCommand):
    help = "Write a fine-tuned version as whole weights (safetensors) into a new folder, for other servers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", help="Id of the version; its page shows it.")
        parser.add_argument("folder", type=Path, help="A folder that does not exist.")

    def handle(self, *args: Any, **options: Any) -> None:
        parsed = as_uuid(options["version"])
        found = ModelVersion.objects.select_related(*WITH).filter(pk=parsed).first() if parsed else None
        if found is None:
            raise CommandError("There is no such version.")
        try:
            commands = export(found, options["folder"].expanduser().resolve())
        except ServingRefused as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Version {found.number} of “{found.fine_tuned_model.name}” is in {options['folder']}. Next:")
        for command in commands:
            self.stdout.write(f"  {command}")
