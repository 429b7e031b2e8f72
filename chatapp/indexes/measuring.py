"""``manage.py evaluate generations``: would another index of a knowledge base find more than the one in use?"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from json import dumps
from pathlib import Path

from chatapp.evaluation.labelled import UnusableSet
from chatapp.evaluation.question_files import read_path
from chatapp.evaluation.verdicts import lines
from chatapp.indexes.asking import recent_questions
from chatapp.indexes.comparing import RECENT, called, compared, other_of
from knowledge.documents.access import access_generation
from knowledge.documents.management.arguments import actor_named, add_tenant, bases_named

__all__ = ["HELP", "add_arguments", "measure"]

HELP = "Another index of a knowledge base against the one in use, on questions with known answers or on real ones."


def add_arguments(parser: ArgumentParser) -> None:
    add_tenant(parser)  # type: ignore[arg-type]
    parser.add_argument("--knowledge-base", required=True, metavar="ID|SLUG")
    parser.add_argument("--with", dest="other", metavar="ID", help="the other index; the youngest if not given")
    parser.add_argument(
        "--file", type=Path, metavar="PATH",
        help="questions with document and quote, as JSON lines or CSV, or the folder of a labelled set; without it the"
        " questions asked last",
    )  # fmt: skip
    parser.add_argument("--questions", type=int, metavar="N", help=f"at most so many; of those asked last {RECENT}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def measure(
    *,
    out: Callable[[str], object],
    tenant: str | None,
    knowledge_base: str,
    other: str | None = None,
    file: Path | None = None,
    questions: int | None = None,
    json: Path | None = None,
    **_: object,
) -> None:
    """Print what both find.

    :raises UnusableSet: the file holds no such questions.
    :raises KnowledgeError: there is nothing to compare.
    """
    if questions is not None and questions < 1:
        raise UnusableSet("--questions must be at least 1.")
    actor = actor_named(tenant)
    base = bases_named(actor, [knowledge_base])[0]
    generation = other_of(base, access_generation(actor=actor, pk=other) if other else None)
    if generation.knowledge_base_id != base.pk:
        raise UnusableSet(f"The index {other} is not of {base.name}.")
    if file is not None:
        asked = read_path(file, most=questions)
    else:
        asked = recent_questions(actor=actor, base=base, most=questions or RECENT)
    found = compared(asked, base=base, other=generation)
    for line in lines(found, called=called(generation)):
        out(line)
    if json is not None:
        json.write_text(dumps(found.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
