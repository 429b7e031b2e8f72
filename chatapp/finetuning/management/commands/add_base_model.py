"""``manage.py add_base_model PATH --name NAME [--tenant SLUG]``: take a folder of weights as a model to train from."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatapp.finetuning.training.bases import add_base, folder_of
from knowledge.errors import KnowledgeError
from knowledge.tenants.models import Tenant


class Command(BaseCommand):
    help = "Check a folder with a model (config.json, tokenizer, *.safetensors) and copy it, so that runs can train it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="the folder")
        parser.add_argument("--name", required=True, help="what people call it")
        parser.add_argument("--tenant", metavar="SLUG", help="only for this organisation; else for every one")
        parser.add_argument("--link", action="store_true", help="link the weights where possible instead of a copy")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = None
        if options["tenant"]:
            tenant = Tenant.objects.filter(slug=options["tenant"]).first()
            if tenant is None:
                raise CommandError(f"There is no organisation {options['tenant']!r}.")
        try:
            base = add_base(options["path"].expanduser(), options["name"], tenant, link=options["link"])
        except KnowledgeError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{base.name}: {base.architecture}, {base.parameters:,} parameters, reads {base.context_window:,} tokens, "
            f"SHA-256 {base.digest[:12]}…, in {folder_of(base)}"
        )
