"""Shape what searches found for the page: hits with their scores and ranks, what was dropped, and what moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import urlencode

from django.urls import reverse

from chatapp.conversations.models import AnswerRun, ContextPassage
from chatapp.conversations.shown import Shown
from chatapp.conversations.standing import Standing, State
from chatapp.searching.marking import Piece, flowing, pieces, without_marks
from knowledge.parsing.formats import MARKDOWN, SLIDES
from knowledge.types import Considered, Explanation, Fate, Passage, RetrievalResult

EXCERPT = 160  # characters of a passage that was dropped
LISTED = 40  # of each kind of dropped passage
TERMS = 40

SCORES = {"vector": "Meaning", "keyword": "Words", "fused": "Both", "rerank": "Reranker"}
STAGES = {
    "filter": "Apply filters", "embed": "Embed the question", "statistics": "Word statistics",
    "search": "Search the index", "fuse": "Join scores", "live": "Read live rows", "rerank": "Rerank",
    "assemble": "Assemble", "neighbours": "Add neighbours", "explain": "Explain (this page only)", "total": "In all",
}  # fmt: skip
FATES = {
    Fate.JOINED: "Joined with a neighbour that was found",
    Fate.REPEATED: "Says what a better passage says already",
    Fate.OVER_BUDGET: "Too long for what was left of the token budget",
    Fate.UNLIKELY: "The chance of an answer is below the least one asked for",
    Fate.BEYOND_LIMIT: "Beyond the number of passages asked for",
    Fate.BELOW_FLOOR: "Scores below the lowest score",
    Fate.NOT_LIVE: "In the index, but no longer a live passage of these knowledge bases",
}

MediaTypes: TypeAlias = Mapping[tuple[str, int], str]
"""Media type by ``(document, version)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    label: str
    value: float
    rank: int | None = None

    @property
    def percent(self) -> int:
        return round(100 * max(0.0, min(1.0, self.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage on the page. ``place`` is its rank in the column, 1-based."""

    place: int
    key: str
    document: str
    version: int
    start: int
    end: int
    title: str
    heading: str
    page: str
    text: list[Piece]
    score: Score
    scores: list[Score]
    link: str  # into the reader; empty where nothing opens
    notice: str = ""  # where the source of a stored passage stands today
    label: str = ""  # in the stored answer
    cited: bool = False
    copies: int = 0  # other places that say the same
    variants: Sequence[tuple[int | None, Sequence[tuple[str, str]]]] = ()  # place, and the words here and there
    other: int | None = None  # its place in the other column
    compared: bool = False

    @property
    def moved(self) -> str:
        """How it stands to the other column: "", "same", "up", "down" or "only"."""
        if not self.compared:
            return ""
        if self.other is None:
            return "only"
        return "same" if self.other == self.place else "up" if self.place < self.other else "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    title: str
    heading: str
    page: str
    excerpt: str
    link: str
    scores: list[Score]
    place: int | None  # after reranking
    by: int | None  # place of the hit that holds or repeats it


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedGroup:
    reason: str
    count: int
    rows: list[Dropped]

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    text: str
    weight: float
    idf: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One search, or the passages an answer was given."""

    title: str
    query: str
    hits: list[Hit]
    differs: Sequence[str] = ()  # how its settings differ from the saved ones
    dropped: list[DroppedGroup] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    timings: list[tuple[str, float]] = field(default_factory=list)
    candidates: int | None = None
    chunks: int | None = None
    notes: Sequence[str] = ()
    also: Sequence[str] = ()  # what else was searched
    chance: int | None = None  # of an answer, per cent
    uncalibrated: int | None = None  # the same on the scale for all, where the knowledge base has its own
    threshold: int = 0  # per cent
    unlikely: bool = False  # passages would have been returned if the chance were better
    related: Sequence[Hit] = ()  # the nearest passages, where there is no hit
    stored: bool = False

    @property
    def dropped_count(self) -> int:
        return sum(group.count for group in self.dropped)


def column_of(title: str, result: RetrievalResult, *, media: MediaTypes, differs: Sequence[str] = ()) -> Column:
    """Return a search that was asked why."""
    why = result.explanation or Explanation(terms={}, idf={}, chunks=0, considered=())
    by_key = {one.key: one for one in why.considered}
    places = {passage.key: place for place, passage in enumerate(result.passages, start=1)}
    hits, related = (
        [_hit(place, p, by_key.get(p.key), why, media, places) for place, p in enumerate(passages, start=1)]
        for passages in (result.passages, result.related)
    )
    return Column(
        title=title,
        query=result.query,
        hits=hits,
        differs=differs,
        dropped=list(_groups(why.considered, places, media)),
        terms=_terms(why),
        timings=[(STAGES.get(name, name), value) for name, value in result.timings.items()],
        candidates=result.candidates,
        chunks=why.chunks,
        notes=result.notes,
        also=result.also,
        chance=round(100 * result.answerable),
        uncalibrated=None if result.uncalibrated is None else round(100 * result.uncalibrated),
        threshold=round(100 * result.threshold),
        unlikely=any(one.fate is Fate.UNLIKELY for one in why.considered),
        related=related,
    )


def stored_column(run: AnswerRun, *, shown: Shown, why: Explanation | None, media: MediaTypes) -> Column:
    """Return the passages a stored answer was given, marked with the words that are searched now."""
    rows = sorted(run.passages.all(), key=lambda passage: passage.pk)
    hits = [
        _stored(place, row, shown.standings[row.pk], why, media.get((str(row.document_ref), row.version), ""))
        for place, row in enumerate(rows, start=1)
    ]
    timings = [("Until the passages were found", run.timings["retrieval"])] if "retrieval" in run.timings else []
    stages = [(name.removeprefix("retrieval."), value) for name, value in run.timings.items() if "retrieval." in name]
    timings = [(STAGES.get(name, name), value) for name, value in stages] + timings
    return Column(title="Then", query=shown.query or run.question.text, hits=hits, timings=timings, stored=True)


def _stored(place: int, row: ContextPassage, where: Standing, why: Explanation | None, kind: str) -> Hit:
    """Return a passage of a stored answer; of a source that its reader may not see, only that it was read."""
    closed = where.state is State.FORBIDDEN
    link = reader_link(str(row.document_ref), row.version, row.start, row.end) if where.opens else ""
    return Hit(
        place=place, key=str(row.key), document="" if closed else str(row.document_ref), version=row.version,
        start=row.start, end=row.end, title="A source" if closed or not row.title else row.title,
        heading="" if closed else headings(row.heading_path, row.title),
        page="" if closed else pages(row.page, None, kind in SLIDES),
        text=[] if closed else _marked(row.text, kind, why), score=Score(label="Score", value=row.score),
        scores=_scores(row.scores, {}), label=row.label, cited=row.used, link=link, notice=where.words,
    )  # fmt: skip


def compared(left: Column, right: Column) -> tuple[Column, Column]:
    """Tell each hit where the other column has it: the same passage, or the one that shares most of its range."""
    return _beside(left, right.hits), _beside(right, left.hits)


def versions_in(results: Iterable[RetrievalResult], run: AnswerRun | None) -> set[tuple[str, int]]:
    """Return ``(document, version)`` of every passage that may be shown."""
    found = {(str(p.document_ref), p.version) for p in run.passages.all()} if run else set()
    for result in results:
        found |= {(passage.document, passage.version) for passage in (*result.passages, *result.related)}
        for one in result.explanation.considered if result.explanation else ():
            found |= {(one.passage.document, one.passage.version)} if one.passage else set()
    return found


def _beside(column: Column, others: Sequence[Hit]) -> Column:
    return replace(column, hits=[replace(hit, compared=True, other=_place_of(hit, others)) for hit in column.hits])


def _place_of(hit: Hit, others: Iterable[Hit]) -> int | None:
    best, shared = None, 0
    for other in others:
        if other.key == hit.key:
            return other.place
        common = min(hit.end, other.end) - max(hit.start, other.start)
        if (other.document, other.version) == (hit.document, hit.version) and common > shared:
            best, shared = other.place, common
    return best


def _hit(
    place: int, passage: Passage, found: Considered | None, why: Explanation, media: MediaTypes,
    places: Mapping[str, int],
) -> Hit:  # fmt: skip
    kind = media.get((passage.document, passage.version), "")
    return Hit(
        place=place, key=passage.key, document=passage.document, version=passage.version, start=passage.start,
        end=passage.end, title=passage.title, text=_marked(passage.text, kind, why),
        score=Score(label="Score", value=passage.score), scores=_scores(passage.scores, found.ranks if found else {}),
        copies=len(passage.copies), variants=[(places.get(v.key), v.differences) for v in passage.variants],
        **_where(passage, media),
    )  # fmt: skip


def _marked(text: str, kind: str, why: Explanation | None) -> list[Piece]:
    flows = flowing(text, kind)
    found = pieces(flows, why.searched, languages=why.languages) if why else [Piece(flows, marked=False)]
    return without_marks(found, text) if kind == MARKDOWN else found


def _where(passage: Passage, media: MediaTypes) -> dict[str, Any]:
    slide = media.get((passage.document, passage.version)) in SLIDES
    return {
        "heading": headings(passage.heading_path, passage.title),
        "page": pages(passage.page_first, passage.page_last, slide),
        "link": reader_link(passage.document, passage.version, passage.start, passage.end),
    }


def headings(path: Sequence[str], title: str) -> str:
    """Return the headings above a passage, without a first one that is the document's title again."""
    return " › ".join(path[1:] if path and path[0] == title else path)


def pages(first: int | None, last: int | None, slide: bool) -> str:
    if first is None:
        return ""
    word = "Slide" if slide else "Page"
    return f"{word} {first}" if last is None or last == first else f"{word}s {first} to {last}"


def reader_link(document: str, version: int, start: int, end: int) -> str:
    address = reverse("reader:version", args=[document, version])
    return f"{address}?{urlencode({'start': start, 'end': end})}#match"


def _scores(scores: Mapping[str, float], ranks: Mapping[str, int]) -> list[Score]:
    places = {**ranks, "rerank": ranks.get("final")}
    return [
        Score(label=label, value=scores[name], rank=places.get(name))
        for name, label in SCORES.items()
        if name in scores
    ]


def _terms(why: Explanation) -> list[Term]:
    found = [Term(text=text, weight=weight, idf=why.idf.get(text, 0.0)) for text, weight in why.terms.items()]
    return sorted(found, key=lambda term: -term.weight * term.idf)[:TERMS]


def _groups(considered: Sequence[Considered], places: Mapping[str, int], media: MediaTypes) -> Iterable[DroppedGroup]:
    for fate, reason in FATES.items():
        found = [one for one in considered if one.fate is fate]
        if found:
            rows = [_dropped(one, places, media) for one in found[:LISTED]]
            yield DroppedGroup(reason=reason, count=len(found), rows=rows)


def _dropped(one: Considered, places: Mapping[str, int], media: MediaTypes) -> Dropped:
    scores, passage = _scores(one.scores, one.ranks), one.passage
    place, by = one.ranks.get("final"), places.get(one.by)
    if passage is None:
        return Dropped(
            title="A passage that is no longer there", heading="", page="", excerpt="", link="", scores=scores,
            place=place, by=by,
        )  # fmt: skip
    kind = media.get((passage.document, passage.version), "")
    words = "".join(piece.text for piece in _marked(passage.text, kind, None))
    text = " ".join(words[: 2 * EXCERPT].split())
    return Dropped(
        title=passage.title, excerpt=text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…", scores=scores,
        place=place, by=by, **_where(passage, media),
    )  # fmt: skip
