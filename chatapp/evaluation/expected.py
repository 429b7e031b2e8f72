"""Where in a knowledge base stands what a question is to find."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from chatapp.evaluation.labelled import Span, is_hit
from chatapp.evaluation.question_files import Asked, Wanted
from knowledge.documents import selectors
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase

__all__ = ["Expected", "Placed", "place"]

PLACES = 20
"""Of the same words in one document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A document that answers; ``places`` are the words in it, any of which will do, none where no words were given."""

    document: str
    places: tuple[Span, ...] = ()

    def is_found_by(self, passage: Span, *, words: bool) -> bool:
        """Tell whether a passage counts: by its document alone, or by the words where they are known."""
        if words and self.places:
            return any(is_hit(passage, span) for span in self.places)
        return passage.document == self.document


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Questions with what they are to find, in the same order; and what could not be placed."""

    questions: list[tuple[Asked, tuple[Expected, ...]]]
    unknown: tuple[str, ...]  # documents that the base does not have
    lost: int  # quotes that do not stand in their document as it is now


def place(questions: Sequence[Asked], *, base: KnowledgeBase) -> Placed:
    """Look up documents and quotes. A question of which no document is there is left out."""
    known, texts = _Documents(base), dict[str, str]()
    found: list[tuple[Asked, tuple[Expected, ...]]] = []
    unknown, lost = dict[str, None](), 0
    for asked in questions:
        expected = []
        for wanted in asked.wanted:
            version = known.find(wanted)
            if version is None:
                unknown[wanted.document] = None
                continue
            places: tuple[Span, ...] = ()
            if wanted.quote:
                document = str(version.document_id)
                if document not in texts:
                    texts[document] = selectors.version_text(version)
                places = tuple(Span(document, *found) for found in find(texts[document], wanted.quote))
                lost += not places
            expected.append(Expected(document=str(version.document_id), places=places))
        if expected:
            found.append((asked, tuple(expected)))
    return Placed(questions=found, unknown=tuple(unknown), lost=lost)


def find(text: str, quote: str) -> list[tuple[int, int]]:
    """Return where the words of a quote stand in a text, whatever white space is between them and whatever their
    case."""
    words = [re.escape(word) for word in quote.split()]
    pattern = re.compile(r"\s+".join(words), re.IGNORECASE)
    return [match.span() for match, _ in zip(pattern.finditer(text), range(PLACES), strict=False)] if words else []


class _Documents:
    """Searchable documents of a base by id, name, title, and name without its folder or its ending.

    By what several have, none is found.
    """

    def __init__(self, base: KnowledgeBase) -> None:
        rows = Document.objects.alive().filter(knowledge_base=base, current_version__isnull=False)
        self._by: dict[str, DocumentVersion] = {}
        found = list(rows.select_related("current_version"))
        for names in (
            [(str(row.pk), row) for row in found],
            [(row.name, row) for row in found],
            [(row.title, row) for row in found],
            [(PurePath(row.name).name, row) for row in found],
            [(str(PurePath(row.name).with_suffix("")) if row.name else "", row) for row in found],
        ):
            twice = Counter(name for name, _ in names)
            for name, row in names:
                if twice[name] == 1 and row.current_version is not None:
                    row.current_version.document = row
                    self._by.setdefault(name, row.current_version)

    def find(self, wanted: Wanted) -> DocumentVersion | None:
        return self._by.get(wanted.document)
