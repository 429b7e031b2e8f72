"""The places a reader steps through: the citations of one answer, or what a search found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from chatapp.conversations.access import RunNotFound, access_run
from chatapp.conversations.models import AnswerRun, Citation
from chatapp.conversations.standing import standings
from chatapp.markup.inline import Range
from knowledge.documents.models import DocumentVersion
from knowledge.tenants.access import Actor

MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One place. ``number`` is the citation's in its answer, 0 for a place that was found."""

    number: int
    document: str
    version: int
    start: int
    end: int
    title: str

    @property
    def range(self) -> Range:
        return self.start, self.end

    def stands_in(self, version: DocumentVersion) -> bool:
        return self.document == str(version.document_id) and self.version == version.number


def run_of(*, actor: Actor, run_id: str) -> AnswerRun | None:
    """Return the answer a page was opened from; None when it is missing or somebody else's, which look the same."""
    try:
        return access_run(actor=actor, pk=run_id) if run_id else None
    except RunNotFound:
        return None


def citation_stops(run: AnswerRun, *, actor: Actor) -> list[Stop]:
    """Return the places an answer cites in the order of their numbers, each once: those that open for the actor."""
    rows = Citation.objects.filter(run=run, passage__document__isnull=False).select_related("passage__snapshot")
    found = list(rows.order_by("number", "start", "id")[:MOST])
    where = standings([row.passage for row in found], actor=actor)
    stops = [
        Stop(
            number=row.number,
            document=str(row.passage.document_ref),
            version=row.passage.version,
            start=row.start,
            end=row.end,
            title=row.passage.title,
        )
        for row in found
        if where[row.passage_id].opens
    ]
    return list(dict.fromkeys(stops))


def found_stops(version: DocumentVersion, places: Sequence[Range]) -> list[Stop]:
    title, document = version.document.title, str(version.document_id)
    return [
        Stop(number=0, document=document, version=version.number, start=start, end=end, title=title)
        for start, end in places
    ]


def current_index(stops: Sequence[Stop], version: DocumentVersion, *, match: Range | None, number: int) -> int | None:
    """Return which stop a page shows: the one with this range and number, else with this range, else this number."""
    here = [(index, stop) for index, stop in enumerate(stops) if stop.stands_in(version)]
    same = [(index, stop) for index, stop in here if stop.range == match]
    wanted = same or ([] if match else here)
    numbered = [index for index, stop in wanted if stop.number == number]
    return numbered[0] if numbered else same[0][0] if same else None


def address(stop: Stop, kept: Mapping[str, str]) -> str:
    """Return the reader's address at a stop; ``kept`` are parameters that go along."""
    number = {"citation": str(stop.number)} if stop.number else {}
    query = urlencode({**kept, **number, "start": stop.start, "end": stop.end})
    return f"{reverse('reader:version', args=[stop.document, stop.version])}?{query}#match"
