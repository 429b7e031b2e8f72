"""A website: the pages of its sitemap, or those that links lead to from a start page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from knowledge.egress import parse_address
from knowledge.errors import EgressError, SourceError, SourceItemFailed
from knowledge.sources.base import Fetched, Item, Option, Problem, SourceContext
from knowledge.sources.crawl_log import Visits
from knowledge.sources.crawling import Crawl, Plan, Waiting
from knowledge.sources.page_memory import Bodies, digest, load_notes, save_notes
from knowledge.sources.pages import body_of, facts_of, fingerprint_of, is_sibling, is_taken, read_robots
from knowledge.sources.patterns import PATTERN_OPTIONS, Patterns
from knowledge.sources.robots import Robots
from knowledge.sources.sitemaps import is_sitemap, read_sitemaps
from knowledge.sources.urls import Within, canonical
from knowledge.sources.values import Values
from knowledge.sources.web import Web, address_of, filename_for, media_type_of, said
from knowledge.sources.words import nothing_left

__all__ = ["WebsiteSource"]


class WebsiteSource:
    """Pages and linked files by their canonical address; the fingerprint is a digest of what they show.

    Listing asks for every page, conditionally where it was taken in before (ETag, Last-Modified), because only a page
    itself says which address it calls its own, whether it may be indexed, and what it links to.
    """

    name: ClassVar[str] = "website"
    title: ClassVar[str] = "Website"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            name="url",
            label="Start address",
            required=True,
            help="Pages below its folder are read: of https://example.org/docs/ all below /docs/.",
        ),
        Option(
            name="sitemap",
            label="Sitemap",
            help="Its address, to read the pages that it lists. Empty: links are followed from the start address.",
        ),
        Option(
            name="below", label="Only below this path", help="Such as /docs/. Empty: the folder of the start address."
        ),
        Option(name="depth", label="Links away from the start", kind="number", default=20, minimum=0, maximum=50),
        Option(
            name="pages",
            label="Most pages",
            kind="number",
            default=500,
            minimum=1,
            maximum=20_000,
            help="A site with more is read in part, and nothing of it is withdrawn.",
        ),
        Option(
            name="files",
            label="Linked files too",
            kind="switch",
            default=True,
            help="PDF, Office and text files, besides web pages.",
        ),
        Option(
            name="pause",
            label="Seconds between requests",
            kind="number",
            default=1,
            minimum=0,
            maximum=60,
            help="robots.txt may ask for more.",
        ),
        Option(
            name="trust_dates",
            label="Trust the dates of the sitemap",
            kind="switch",
            default=False,
            help="A page whose date in the sitemap is the same is not asked for again.",
        ),
        *PATTERN_OPTIONS,
    )

    def __init__(self, values: Values, *, context: SourceContext) -> None:
        start = canonical(address_of(values.text("url"), label="Start address"))
        sitemap = values.text("sitemap")
        self._sitemap = address_of(sitemap, label="Sitemap") if sitemap else start if is_sitemap(start) else None
        self._start = start
        self._plan = Plan(
            within=Within.of(start, values.text("below")),
            patterns=Patterns(values.lines("include"), values.lines("exclude")),
            pages=min(values.number("pages"), context.limits.items),
            depth=values.number("depth"),
            follows=self._sitemap is None,
            files=values.switch("files"),
            pause=values.number("pause"),
            trusts_dates=values.switch("trust_dates"),
        )
        self._run = context.run and digest(f"{context.run} {sorted(values.settings.items())}".encode())
        self._context = context
        self._web = Web(context)
        self._bodies = Bodies(context.work)
        self.complete = False

    def check(self) -> list[str]:
        first = self._sitemap or self._start
        try:
            if not read_robots(self._start, web=self._web).allows(self._start.path) and self._sitemap is None:
                return ["The site's robots.txt does not let the start page be read."]
            reply = self._web.get(first.url, wanted=lambda status, headers: False)
        except (EgressError, SourceError) as err:
            return [err.message]
        return [] if reply.status == 200 else [f"{first.url}: {said(reply)}"]

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        try:
            robots = read_robots(self._start, web=self._web)
        except (EgressError, SourceError) as err:
            yield Problem(key="", message=err.message)
            return
        former = load_notes(self._context.work)
        visits = Visits(self._context.work, run=self._run)
        self._bodies.open(keep=bool(visits))
        crawl = Crawl(
            self._plan, web=self._web, notes=former, known=known, bodies=self._bodies, visits=visits,
            beat=self._context.beat,
        )  # fmt: skip
        listed = 0
        try:
            for found in self._listing(crawl, robots):
                listed += isinstance(found, Item)
                yield found
            if known and crawl.whole and not listed:
                crawl.whole = False
                yield nothing_left("No page was found", len(known))
            self.complete = crawl.whole
        finally:
            save_notes(self._context.work, crawl.notes if self.complete else {**former, **crawl.notes})

    def fetch(self, item: Item) -> Fetched:
        if (kept := self._bodies.take(item.fingerprint)) is not None:
            return Fetched(item=item, data=kept)
        try:
            reply = self._web.get(item.uri)
        except EgressError as err:
            raise SourceItemFailed(err.message) from err
        if reply.status != 200:
            raise SourceItemFailed(said(reply))
        media_type = media_type_of(reply.headers, reply.url)
        if not is_sibling(parse_address(reply.url), parse_address(item.uri)):
            raise SourceItemFailed("Its address now leads to another site.")
        if not is_taken(media_type, files=self._plan.files):
            raise SourceItemFailed("It is no longer a page or a file of a kind that is read.")
        learned = replace(
            item,
            filename=filename_for(item.key, media_type),
            title=facts_of(reply).title or item.title,
            fingerprint=fingerprint_of(reply),
        )
        return Fetched(item=learned, data=body_of(reply))

    def _listing(self, crawl: Crawl, robots: Robots) -> Iterator[Item | Problem]:
        if self._sitemap is None:
            yield from crawl.run(iter([Waiting(self._start)]), robots=robots)
            return
        first: list[Waiting] = []
        for found in read_sitemaps(self._sitemap, web=self._web, limit=self._context.limits.listing_bytes):
            if isinstance(found, Problem):
                crawl.whole = False
                yield found
            elif inside := self._plan.within.admit(found.target):
                first.append(Waiting(inside, changed=found.changed))
            if len(first) > self._plan.pages:  # enough to say that there are more
                break
        yield from crawl.run(iter(first), robots=robots)
