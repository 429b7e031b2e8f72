"""``manage.py ask "question"``: the whole path of an answer, from the command line."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations import access, selectors
from chatapp.conversations.database import in_thread
from chatapp.conversations.models import AnswerRun, Conversation
from chatapp.conversations.runs import manager
from chatapp.conversations.services import Ask
from knowledge.documents.management.arguments import actor_named, add_tenant
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor
from knowledge.tenants.models import Membership


def owner_of(actor: Actor) -> Actor:
    """Answers belong to a person: the tenant's first owner."""
    row = Membership.objects.filter(tenant_id=actor.tenant_id, role=Membership.Role.OWNER).order_by("created").first()
    if row is None:
        raise CommandError("The tenant has no owner.")
    return Actor(user_id=row.user_id, tenant_id=actor.tenant_id, tenant_slug=actor.tenant_slug, role=row.role)


class Command(BaseCommand):
    help = "Ask a question and print the answer with its citations."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("question")
        parser.add_argument("--assistant", default="default", metavar="SLUG")
        parser.add_argument("--knowledge-base", action="append", metavar="ID|SLUG")
        parser.add_argument("--json", action="store_true")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        actor = owner_of(actor_named(options["tenant"]))
        ask = Ask(
            text=options["question"],
            assistant=options["assistant"],
            knowledge_bases=options["knowledge_base"],
            origin=Conversation.Origin.COMMAND,
        )
        try:
            detail = asyncio.run(self._ask(actor, ask))
        except KnowledgeError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(detail, ensure_ascii=False, indent=2, default=str))
            return
        if detail["error"]:
            raise CommandError(detail["error"]["message"])
        self.stdout.write(detail["answer"])
        if detail["label"]:
            self.stdout.write(detail["label"])
        for citation in detail["citations"]:
            place = f", page {citation['page']}" if citation["page"] else ""
            self.stdout.write(f"[{citation['number']}] {citation['title']}{place}: “{citation['quote']}”")
        if titles := dict.fromkeys(f"“{near['title']}”" for near in detail["related"]):
            self.stdout.write(f"Nearest, though it hardly answers this: {', '.join(titles)}.")

    async def _ask(self, actor: Actor, ask: Ask) -> dict[str, Any]:
        started = await manager().start(actor=actor, ask=ask)
        async for _event in manager().follow(run=started.run, after=0):
            pass
        run: AnswerRun = await in_thread(access.access_run, actor=actor, pk=str(started.run.pk))
        detail = await in_thread(selectors.run_detail, run, actor=actor)
        await manager().shutdown()
        return {**detail, "answer": strip_sentinels(str(detail["answer"]))}
