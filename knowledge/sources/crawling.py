"""One walk over a website: which page is asked for next, what of it is offered, and whether all was seen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from knowledge.egress import Reply, Target, parse_address
from knowledge.errors import AddressRefused, EgressError, SourceError
from knowledge.sources.base import LONGEST_KEY, Item, Problem
from knowledge.sources.crawl_log import Visit, Visits
from knowledge.sources.page_facts import PageFacts
from knowledge.sources.page_memory import Bodies, PageNote
from knowledge.sources.pages import body_of, facts_of, fingerprint_of, is_no_page, is_sibling, is_taken, read_robots
from knowledge.sources.patterns import Patterns
from knowledge.sources.robots import Robots
from knowledge.sources.urls import Within, alike, canonical, joined
from knowledge.sources.web import Web, filename_for, http_date, media_type_of, said

__all__ = ["Crawl", "Plan", "Waiting"]

_LONGEST_PAUSE: Final = 60
_LONGEST_RETRY: Final = 30
_ELSEWHERE: Final = "It now leads to another site."
_OUTSIDE: Final = "It now leads to a page that this source does not read."
_NO_PAGE: Final = "It is no longer a page or a file of a kind that is read."
_ACCEPT: Final = "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was set."""

    within: Within
    patterns: Patterns
    pages: int
    depth: int  # links away from the start
    follows: bool  # False: the pages are those of a sitemap, and their links are not followed
    files: bool
    pause: float  # seconds
    trusts_dates: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    target: Target
    depth: int = 0
    changed: str = ""  # what the sitemap said


class Crawl:
    """Visits pages in order of their distance. Afterwards ``whole`` says whether nothing was cut off or hidden."""

    def __init__(
        self, plan: Plan, *, web: Web, notes: Mapping[str, PageNote], known: Mapping[str, str], bodies: Bodies,
        visits: Visits, beat: Callable[[], None],
    ) -> None:  # fmt: skip
        self.whole = True
        self.notes: dict[str, PageNote] = {}
        self._plan, self._web, self._known, self._bodies, self._beat = plan, web, known, bodies, beat
        self._visits = visits
        self._former = notes
        # Of these pages it is not known under which addresses they are asked for: any that fails may be one of them.
        self._unnoted = known.keys() - {note.key for note in notes.values()}
        self._within = plan.within
        self._robots = Robots()
        self._waiting: deque[Waiting] = deque()
        self._met: set[Target] = set()
        self._offered: set[str] = set()
        self._twins: dict[str, str] = {}  # by what alike addresses share, the fingerprint offered
        self._urls: dict[str, str] = {}  # each link once: the pages of a site share most of them
        self._visited = self._asked = 0

    def run(self, first: Iterator[Waiting], *, robots: Robots) -> Iterator[Item | Problem]:
        """Visit all that is waiting and what it leads to."""
        self._robots = robots
        for one in first:
            self._enqueue(one)
        while self._waiting:
            self._beat()
            if self._visited >= self._plan.pages:
                yield from self._stop_short()
                return
            yield from self._visit(self._waiting.popleft())

    def _stop_short(self) -> Iterator[Problem]:
        self.whole = False
        message = f"There are more than {self._plan.pages:,} pages, the limit that was set: the rest is left out."
        yield Problem(key="", message=f"{message} No page is withdrawn. Raise the limit or narrow the source.")

    def _is_start(self, one: Waiting) -> bool:
        return self._plan.follows and one.depth == 0

    def _enqueue(self, one: Waiting) -> None:
        if one.target not in self._met and one.depth <= self._plan.depth and not is_no_page(one.target):
            self._met.add(one.target)
            self._waiting.append(one)

    def _follow(self, one: Waiting, links: tuple[str, ...]) -> None:
        for link in links if self._plan.follows else ():
            if inside := self._within.admit(parse_address(link)):  # a note may be of other settings
                self._enqueue(Waiting(inside, one.depth + 1))

    def _visit(self, one: Waiting) -> Iterator[Item | Problem]:
        """Ask for a page and yield what it offers; its links wait for their turn."""
        if not self._robots.allows(one.target.path):
            if self._is_start(one):
                self.whole = False
                yield Problem(key="", message="The site's robots.txt does not let the start page be read.")
            return
        self._visited += 1
        past = self._visits.get(one.target.url)
        if past is not None and not self._is_start(one):
            yield from self._again(one, past)
            return
        note = self._former.get(one.target.url)
        if note and self._known.get(note.key) != note.fingerprint:
            note = None  # it was not taken in as noted
        if note and self._plan.trusts_dates and one.changed and note.changed == one.changed:
            yield from self._offer(one, note)
            return
        try:
            reply = self._ask(one.target.url, note)
        except EgressError as err:
            yield from self._missed(one, err.message)
            return
        if reply.status == 304 and note:
            note.changed = one.changed
            yield from self._offer(one, note)
        elif reply.status == 200:
            yield from self._read(one, reply)
        elif reply.status not in (404, 410) or self._is_start(one):
            yield from self._missed(one, said(reply))
        else:
            self._visits.add(one.target.url, Visit())

    def _again(self, one: Waiting, past: Visit) -> Iterator[Item | Problem]:
        """A page that this run visited before it was stopped: what came of it then, without asking."""
        if past.missed:
            yield from self._missed(one, past.missed)
        elif past.note:
            self._met |= {parse_address(past.note.uri), parse_address(past.note.key)}
            yield from self._offer(one, past.note)
        elif past.arrived:
            self._met.add(parse_address(past.arrived))
            self._follow(one, past.links)

    def _ask(self, url: str, note: PageNote | None) -> Reply:
        """GET politely; once more where the server says when."""
        headers = {"Accept": _ACCEPT}
        if note and note.etag:
            headers["If-None-Match"] = note.etag
        if note and note.modified:
            headers["If-Modified-Since"] = note.modified
        if self._asked:
            time.sleep(min(_LONGEST_PAUSE, max(self._plan.pause, self._robots.delay)))
        self._asked += 1
        reply = self._web.get(url, headers=headers, wanted=self._is_wanted)
        after = reply.headers.get("retry-after", "")
        if reply.status in (429, 503) and after.isdecimal() and int(after) <= _LONGEST_RETRY:
            time.sleep(int(after))
            reply = self._web.get(url, headers=headers, wanted=self._is_wanted)
        return reply

    def _is_wanted(self, status: int, headers: Mapping[str, str]) -> bool:
        stated = media_type_of(headers, "")
        return status == 200 and (is_taken(stated, files=self._plan.files) or not stated or "octet-stream" in stated)

    def _missed(self, one: Waiting, message: str) -> Iterator[Problem]:
        """A page that could not be read: what it linked to last time is visited all the same."""
        self._visits.add(one.target.url, Visit(missed=message))
        note = self._former.get(one.target.url)
        lost = note is None and bool(self._unnoted) and one.target.url not in self._known
        if self._is_start(one) or (self._plan.follows and note is None) or lost:
            self.whole = False  # what it would lead to stays unseen, or which document it is
        if note is not None:
            self.notes[one.target.url] = note
            self._offered.add(note.key)
            self._follow(one, note.links)
        yield Problem(key=note.key if note else one.target.url, message=message)

    def _read(self, one: Waiting, reply: Reply) -> Iterator[Item | Problem]:
        final = self._arrived(reply)
        if final is None:
            if self._is_start(one):
                self.whole = False
                there = parse_address(reply.url).netloc
                yield Problem(key="", message=f"The start address leads to {there}, or its robots.txt forbids it.")
                return
            yield from self._turned(one, _ELSEWHERE if parse_address(reply.url).host != one.target.host else _OUTSIDE)
            return
        if not is_taken(media_type_of(reply.headers, reply.url), files=self._plan.files):
            yield from self._turned(one, _NO_PAGE)
            return
        facts = facts_of(reply)
        links = self._links(final, facts)
        if facts.is_hidden:
            self._visits.add(one.target.url, Visit(arrived=final.url, links=links))
            self._follow(one, links)
            return
        note = self._noted(one, reply, final, facts, links)
        if self._known.get(note.key) != note.fingerprint and note.key not in self._offered:
            self._bodies.keep(note.fingerprint, body_of(reply))
        yield from self._offer(one, note)

    def _turned(self, one: Waiting, message: str) -> Iterator[Problem]:
        """A page that is none of ours now. One that was taken in is not withdrawn for that: it is more often a fault.

        A site that is being rebuilt, or wants a sign-in for a day, sends all of its pages elsewhere.
        """
        note = self._former.get(one.target.url)
        if (note.key if note else one.target.url) in self._known:
            yield from self._missed(one, message)
        else:
            self._visits.add(one.target.url, Visit())

    def _arrived(self, reply: Reply) -> Target | None:
        """Where the reply came from, if that is a page of ours; a start may move to the same host with ``www.``."""
        try:
            final = canonical(parse_address(reply.url))
            inside = self._within.admit(final)
            if inside is None and self._asked == 1 and self._plan.follows and is_sibling(final, self._within.root):
                self._robots = read_robots(final, web=self._web)
                self._within = Within(final, self._within.prefix)
                inside = self._within.admit(final)
        except (AddressRefused, SourceError):
            return None
        if inside is None or not self._robots.allows(inside.path):
            return None
        self._met.add(inside)
        return inside

    def _noted(self, one: Waiting, reply: Reply, final: Target, facts: PageFacts, links: tuple[str, ...]) -> PageNote:
        """What is kept of a page. Its key is the address that it calls its own, if that is one of ours."""
        own = self._within.admit(joined(final, facts.canonical)) if facts.canonical else None
        key = own or final
        self._met.add(key)
        return PageNote(
            key=key.url,
            uri=final.url,
            filename=filename_for(key.url, media_type_of(reply.headers, reply.url)),
            title=facts.title,
            fingerprint=fingerprint_of(reply),
            etag=reply.headers.get("etag", "")[:500],
            modified=reply.headers.get("last-modified", "")[:100],
            changed=one.changed,
            links=links,
        )

    def _links(self, final: Target, facts: PageFacts) -> tuple[str, ...]:
        if not self._plan.follows or facts.keeps_links:
            return ()
        base = (joined(final, facts.base) if facts.base else None) or final
        written = dict.fromkeys(link.partition("#")[0] for link in facts.links)
        inside = (self._within.admit(joined(base, link)) for link in written if link)
        urls = dict.fromkeys(target.url for target in inside if target)
        return tuple(self._urls.setdefault(url, url) for url in urls)

    def _offer(self, one: Waiting, note: PageNote) -> Iterator[Item | Problem]:
        """Yield the page unless another address offered it already; its links wait for their turn."""
        self._visits.add(one.target.url, Visit(note=note))
        self.notes[one.target.url] = note
        self._follow(one, note.links)
        target = parse_address(note.key)
        if note.key in self._offered or self._twins.get(alike(target)) == note.fingerprint:
            return
        self._offered.add(note.key)
        self._twins.setdefault(alike(target), note.fingerprint)
        if not self._plan.patterns.takes(target.path.partition("?")[0].strip("/")):
            return
        if len(note.key) > LONGEST_KEY:
            yield Problem(key=note.key[:LONGEST_KEY], message=f"Its address is longer than {LONGEST_KEY:,} characters.")
            return
        yield Item(
            key=note.key,
            filename=note.filename,
            title=note.title,
            uri=note.uri,
            fingerprint=note.fingerprint,
            modified=http_date(note.modified) if note.modified else None,
        )
