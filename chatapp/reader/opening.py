"""What an address of the reader asks for: which words, found how, shown how."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from chatapp.markup.inline import Range
from chatapp.reader import stops
from chatapp.reader.finding import LONGEST_QUERY, Found, find
from chatapp.reader.places import drawn_as
from chatapp.reader.presentation import checked_range
from chatapp.reader.stops import Stop
from knowledge.documents.models import DocumentVersion
from knowledge.tenants.access import Actor
from knowledge.types import Page

CONTEXT = 200  # characters on each side that tell one place of the same words from another


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a page is opened at."""

    match: Range | None
    missing: bool  # a range was asked for that this version does not have
    begin: int | None  # offset at which the text shown begins; None: around the match
    page: int | None  # asked for by its number
    view: str  # "pages" or "text"
    drawn: str  # how its pages are: "pdf", "picture", or "" where only the text can be shown
    kept: dict[str, str]  # parameters that links within the reader carry along
    run: str  # id of the answer it was opened from, if it may be seen
    number: int  # of the citation in that answer
    words: str  # searched for
    found: Found | None
    stops: list[Stop]
    index: int | None  # of the stop that is shown


def opening_of(
    query: QueryDict, *, actor: Actor, version: DocumentVersion, text: str, pages: tuple[Page, ...]
) -> Opening:
    """Read the parameters of an address; what makes no sense is left aside."""
    match = checked_range(query.get("start"), query.get("end"), length=len(text))
    missing = match is None and ("start" in query or "end" in query)
    words = " ".join(query.get("find", "")[:LONGEST_QUERY].split())
    run = stops.run_of(actor=actor, run_id=query.get("run", ""))
    number = natural(query.get("citation", "")) or 0
    found = find(text, words) if words else None
    if found is not None:
        steps = stops.found_stops(version, found.ranges)
        match = match or (found.ranges[0] if found.ranges and not missing else None)
    else:
        steps = stops.citation_stops(run, actor=actor) if run else []
    index = stops.current_index(steps, version, match=match, number=number)
    if match is None and not missing and index is not None:
        match = steps[index].range
    page = natural(query.get("page", ""))
    begin, first = natural(query.get("from", "")), pages[page - 1].start if page and page <= len(pages) else None
    drawn = drawn_as(version.media_type)
    if drawn == "picture" and len(pages) != 1:
        drawn = ""  # browsers show the first picture of a file alone
    view = "pages" if drawn and query.get("view") != "text" else "text"
    given = {"run": str(run.pk) if run else "", "find": words, "view": "text" if query.get("view") == "text" else ""}
    return Opening(
        match=match,
        missing=missing,
        begin=min(begin, len(text)) if begin is not None else first,
        page=page if first is not None else None,
        view=view,
        drawn=drawn,
        kept={name: value for name, value in given.items() if value},
        run=given["run"],
        number=number,
        words=words,
        found=found,
        stops=steps,
        index=index,
    )


def natural(value: str) -> int | None:
    """Return the number a parameter states, or None for anything else."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None


def same_words(old: str, match: Range, new: str) -> Range | None:
    """Return where the marked words stand in another text: of several places the one with the most alike around it."""
    quote = old[match[0] : match[1]]
    before, after = old[max(0, match[0] - CONTEXT) : match[0]][::-1], old[match[1] : match[1] + CONTEXT]
    best, best_score, at = None, -1, new.find(quote)
    for _ in range(1_000):
        if at < 0:
            break
        end = at + len(quote)
        score = _alike(before, new[max(0, at - CONTEXT) : at][::-1]) + _alike(after, new[end : end + CONTEXT])
        if score > best_score:
            best, best_score = (at, end), score
        at = new.find(quote, at + 1)
    return best


def _alike(first: str, second: str) -> int:
    """Return how many characters two texts have in common from their beginning."""
    shorter = min(len(first), len(second))
    return next((at for at in range(shorter) if first[at] != second[at]), shorter)
