"""Entries of an RSS, Atom or JSON feed, each a document."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from knowledge.egress import Reply, Target, parse_address
from knowledge.errors import EgressError, ReplyTooLarge, SourceError, SourceItemFailed
from knowledge.sources.base import TEST_BYTES, Fetched, Item, Option, Problem, SourceContext
from knowledge.sources.feed_entries import Entry, read_feed
from knowledge.sources.page_memory import digest
from knowledge.sources.pages import body_of, facts_of, is_taken
from knowledge.sources.urls import joined
from knowledge.sources.values import Values
from knowledge.sources.web import Web, address_of, filename_for, media_type_of, said
from knowledge.sources.work import private_folder

__all__ = ["FeedSource"]

_MEMORY: Final = "feed.json"
_MOST_BYTES: Final = 20 * 1024 * 1024
_UNFIT = re.compile(r"[^\w()+ -]+")


class FeedSource:
    """Entries by their id. A feed shows only its newest, so ``complete`` is never true and nothing is withdrawn."""

    name: ClassVar[str] = "feed"
    title: ClassVar[str] = "RSS or Atom feed"
    options: ClassVar[tuple[Option, ...]] = (
        Option(name="url", label="Address of the feed", required=True),
        Option(
            name="follow",
            label="Read the pages that entries link to",
            kind="switch",
            default=False,
            help="Off: the text in the feed is the document.",
        ),
        Option(name="entries", label="Most entries", kind="number", default=200, minimum=1, maximum=5000),
    )

    def __init__(self, values: Values, *, context: SourceContext) -> None:
        self._feed = address_of(values.text("url"), label="Address of the feed")
        self._follow = values.switch("follow")
        self._most = values.number("entries")
        self._settings = [self._feed.url, self._follow, self._most]
        self._web = Web(context)
        self._readable = min(_MOST_BYTES, context.limits.listing_bytes)
        self._work = context.work
        self._entries: dict[str, Entry] = {}
        self.complete = False

    def check(self) -> list[str]:
        try:
            self._load({}, most=TEST_BYTES)
        except ReplyTooLarge as err:  # where a run may read more, it is reached, and that is all a test can say
            return [] if self._readable > TEST_BYTES else [err.message]
        except (EgressError, SourceError) as err:
            return [err.message]
        return []

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        memory = self._recall()
        taken = memory.get("entries", {})
        unchanged = taken and all(known.get(key) == fingerprint for key, fingerprint in taken.items())
        try:
            reply = self._load(memory if unchanged else {})
        except (EgressError, SourceError) as err:
            yield Problem(key="", message=err.message)
            return
        if reply is None:
            return
        offered = [self._item(key, entry) for key, entry in self._entries.items()]
        yield from offered
        self._remember(reply, {item.key: item.fingerprint for item in offered})

    def fetch(self, item: Item) -> Fetched:
        try:
            if item.key not in self._entries:
                self._load({})
            entry = self._entries.get(item.key)
            if entry is None:
                raise SourceItemFailed("The entry is no longer in the feed.")
            if self._follow and item.uri:
                return self._page(item)
        except (EgressError, SourceError) as err:
            raise err if isinstance(err, SourceItemFailed) else SourceItemFailed(err.message) from err
        return Fetched(item=item, data=_document(entry).encode())

    def _load(self, memory: Mapping[str, Any], *, most: int = _MOST_BYTES) -> Reply | None:
        """Read the feed; None when it is as ``memory`` has it.

        :raises EgressError: it cannot be reached.
        :raises SourceError: it cannot be read, or is no feed.
        """
        names = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
        headers = {names[name]: memory[name] for name in names if memory.get(name)}
        reply = self._web.get(self._feed.url, headers=headers, listing=True, most=most)
        if reply.status == 304 and headers:
            return None
        if reply.status != 200:
            raise SourceError(said(reply))
        base = parse_address(reply.url)
        self._entries = {}
        for entry in read_feed(reply.body):
            if len(self._entries) == self._most:
                break
            self._entries.setdefault(entry.key, replace(entry, link=_link(base, entry)))
        return reply

    def _item(self, key: str, entry: Entry) -> Item:
        said_now = "\0".join((entry.title, entry.content, entry.link, entry.author, str(entry.published)))
        stem = _UNFIT.sub("-", entry.title).strip(" -")[:80] or "entry"
        return Item(
            key=key,
            filename=f"{stem}.html",
            title=entry.title,
            uri=entry.link,
            fingerprint=digest(f"{self._follow}\0{said_now}".encode()),
            modified=entry.published,
        )

    def _page(self, item: Item) -> Fetched:
        """The page or file that the entry links to."""
        reply = self._web.get(item.uri)
        media_type = media_type_of(reply.headers, reply.url)
        if reply.status != 200:
            raise SourceItemFailed(said(reply))
        if not is_taken(media_type, files=True):
            raise SourceItemFailed("It links to something that is no page and no file of a kind that is read.")
        title = item.title or facts_of(reply).title
        learned = replace(item, title=title, filename=filename_for(reply.url, media_type))
        return Fetched(item=learned, data=body_of(reply))

    def _recall(self) -> dict[str, Any]:
        try:
            memory = json.loads((self._work / _MEMORY).read_bytes())
            fits = memory["settings"] == self._settings and isinstance(memory["entries"], dict)
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return memory if fits else {}

    def _remember(self, reply: Reply, entries: Mapping[str, str]) -> None:
        memory = {
            "settings": self._settings,
            "etag": reply.headers.get("etag", "")[:500],
            "modified": reply.headers.get("last-modified", "")[:100],
            "entries": entries,
        }
        new = private_folder(self._work) / f"{_MEMORY}.new"
        new.write_text(json.dumps(memory))
        new.replace(self._work / _MEMORY)


def _link(base: Target, entry: Entry) -> str:
    """The entry's link as a whole address; "" when it has none to http(s)."""
    target = joined(base, entry.link) if entry.link else None
    return target.url if target else ""


def _document(entry: Entry) -> str:
    """The entry as a page."""
    when = f"{entry.published:%Y-%m-%d}" if entry.published else ""
    line = " · ".join(part for part in (entry.author, when) if part)
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{html.escape(entry.title)}</title></head><body>'
        f"<h1>{html.escape(entry.title)}</h1>{f'<p>{html.escape(line)}</p>' if line else ''}"
        f"<div>{entry.content}</div></body></html>"
    )
