"""``manage.py calibrate BASE QUESTIONS``: set the chance of an answer right for one knowledge base."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatapp.evaluation.calibration import Calibration, LabelledQuestion, calibrated, read_questions
from chatapp.evaluation.labelled import UnusableSet
from knowledge.documents import access
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named
from knowledge.documents.models import KnowledgeBase
from knowledge.documents.searching import search
from knowledge.documents.services import keep_answer_curve
from knowledge.errors import EmbeddingFailed, KnowledgeError
from knowledge.retrieval.calibration import TooFewQuestions
from knowledge.tenants.access import Actor
from knowledge.types import Query


class Command(BaseCommand):
    help = (
        "Set the chance of an answer right for a knowledge base, by questions of which it is known if it answers them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("base", metavar="BASE", help="id or slug of the knowledge base")
        parser.add_argument(
            "questions", nargs="?", type=Path, metavar="QUESTIONS", help='JSON lines: {"text": ..., "answerable": true}'
        )
        parser.add_argument("--dry-run", action="store_true", help="print what would be kept")
        parser.add_argument("--forget", action="store_true", help="back to the one scale for all knowledge bases")
        add_tenant(parser)  # type: ignore[arg-type]

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["forget"]) == bool(options["questions"]) or (options["forget"] and options["dry_run"]):
            raise CommandError("Name a file of questions, or --forget alone.")
        actor = actor_named(options["tenant"])
        (base,) = bases_named(actor, [options["base"]])
        if options["forget"]:
            keep_answer_curve(base=base, curve=None)
            self.stdout.write(f"{base.name}: the scale for all knowledge bases.")
            return
        if base.live_generation is None or not base.live_generation.chunks:
            raise CommandError(f"{base.name} has no document that could answer.")
        try:
            answered, unanswered = self._ask(read_questions(options["questions"]), actor=actor, base=base)
            self._keep(calibrated(answered, unanswered), base=base, dry_run=options["dry_run"])
        except (UnusableSet, TooFewQuestions) as error:
            raise CommandError(str(error)) from error
        except KnowledgeError as error:
            raise CommandError(error.message) from error

    def _keep(self, found: Calibration, *, base: KnowledgeBase, dry_run: bool) -> None:
        for line in found.lines():
            self.stdout.write(line)
        if not found.curve.slope:
            raise CommandError("The chance says nothing about these questions: nothing was kept.")
        if dry_run:
            return
        measured = {"answered": found.answered, "unanswered": found.unanswered, "auroc": round(found.auroc, 4)}
        keep_answer_curve(base=base, curve=found.curve, measured=measured)
        self.stdout.write(f"{base.name}: calibrated. What an assistant refuses changes, as its least_chance stays.")

    def _ask(
        self, questions: list[LabelledQuestion], *, actor: Actor, base: KnowledgeBase
    ) -> tuple[list[float], list[float]]:
        """Return the chances on the scale for all of the questions that are answered and of the others."""
        scope = access.scope_of(actor=actor, bases=[base])
        chances: dict[bool, list[float]] = {True: [], False: []}
        for question in questions:
            result = search(Query(text=question.text), scope=scope)
            best = (*result.passages, *result.related)[:1]
            if best and "vector" not in best[0].scores:
                raise EmbeddingFailed("The embedding model could not be asked: a curve would be of the words alone.")
            chance = result.answerable if result.uncalibrated is None else result.uncalibrated
            chances[question.answerable].append(chance)
        return chances[True], chances[False]
