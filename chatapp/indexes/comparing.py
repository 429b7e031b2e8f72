"""Which two indexes are compared, and on what."""

from __future__ import annotations

from collections.abc import Sequence

from chatapp.evaluation.expected import place
from chatapp.evaluation.generations import Comparison, compare
from chatapp.evaluation.question_files import Asked
from knowledge.documents.indexes import generations
from knowledge.documents.models import IndexGeneration, KnowledgeBase
from knowledge.errors import KnowledgeError

__all__ = ["RECENT", "NothingToCompare", "called", "compared", "other_of"]

RECENT = 50
"""Questions asked last that two indexes are compared on where nobody brings any."""

NAMED = 3
"""Documents that a file asks for and the base does not have, in a note."""

_USABLE = (IndexGeneration.State.READY, IndexGeneration.State.RETIRED)


class NothingToCompare(KnowledgeError):
    code = "nothing_to_compare"
    status = 409
    default_message = "There is nothing to compare."


def other_of(base: KnowledgeBase, generation: IndexGeneration | None = None) -> IndexGeneration:
    """Return the index to compare with the one in use: the given one, or the youngest.

    :raises NothingToCompare: there is none that was built to the end.
    """
    if generation is None:
        built = base.generations.filter(state__in=_USABLE).order_by("-created")
        generation = next((row for row in built if row.pk != base.live_generation_id), None)
    if generation is None:
        raise NothingToCompare("There is no other index to compare with. Build one first.")
    if generation.pk == base.live_generation_id:
        raise NothingToCompare("This index is the one in use. Name another one.")
    if generation.state not in _USABLE:
        raise NothingToCompare("This index is not built to the end. Compare when it is.")
    return generation


def called(other: IndexGeneration) -> str:
    """Return what an index is called in sentences."""
    return "The index from before" if other.state == IndexGeneration.State.RETIRED else "The new index"


def compared(
    questions: Sequence[Asked], *, base: KnowledgeBase, other: IndexGeneration, seconds: float | None = None
) -> Comparison:
    """Ask both indexes the questions.

    :raises NothingToCompare: there is no index in use, or no question to ask of this base.
    :raises KnowledgeError: an embedding model or the store did not answer.
    """
    live = base.live_generation
    if live is None:
        raise NothingToCompare("No index is in use here yet.")
    notes = []
    if missing := generations.missing(other).count():
        notes.append(f"It lacks {missing} changed documents still, which it takes in right now.")
    if any(asked.wanted for asked in questions):
        placed = place(questions, base=base)
        rows = placed.questions
        if placed.unknown:
            names = ", ".join(f"“{name}”" for name in placed.unknown[:NAMED])
            more = f" and {len(placed.unknown) - NAMED} more" if len(placed.unknown) > NAMED else ""
            notes.append(f"Not in this knowledge base, and left out: {names}{more}.")
        if placed.lost:
            notes.append(f"{placed.lost} quotes do not stand in their documents; any passage of these counts.")
        if not rows:
            raise NothingToCompare(f"None of these questions names a document of {base.name}. {notes[-1]}")
    else:
        rows = [(asked, ()) for asked in questions]
    if not rows:
        raise NothingToCompare(
            "Nobody has asked anything here yet. Ask some questions first, or bring a file of questions."
        )
    return compare(rows, live=live, other=other, seconds=seconds, notes=notes)
