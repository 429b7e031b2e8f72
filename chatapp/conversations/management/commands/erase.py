"""``manage.py erase``: remove a document's words for ever, from the index and from every answer."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from chatapp.conversations.erasing import erase
from chatapp.conversations.models import ContextPassage, PassageSnapshot
from knowledge.documents.management.arguments import actor_named, add_tenant
from knowledge.documents.models import Document
from knowledge.documents.services import erase_document


class Command(BaseCommand):
    help = "Erase a document, also one that was deleted before, with its words in answers. Nothing brings them back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("document", metavar="DOCUMENT", type=_uuid, help="its id")
        parser.add_argument("--reason", default="", help="why, for the record of answers")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor, ref = actor_named(options["tenant"]), options["document"]
        document = Document.objects.filter(pk=ref, tenant_id=actor.tenant_id).first()
        kept = PassageSnapshot.objects.filter(tenant_id=actor.tenant_id, document_ref=ref, erased=None)
        if document is None and not kept.exists():
            raise CommandError(f"The tenant has no document {ref}, and no answer has words of it.")
        passages = ContextPassage.objects.filter(run__tenant_id=actor.tenant_id, document_ref=ref)
        answers = passages.values("run").distinct().count()
        if document is not None:
            erase_document(document=document, actor=actor, reason=options["reason"])
        else:
            erase(tenant_id=actor.tenant_id, document_ref=ref, by="operator", reason=options["reason"])
        self.stdout.write(f"{ref}: erased from {answers} answer{'' if answers == 1 else 's'}.")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text} is no id of a document.") from None
