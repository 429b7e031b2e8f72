"""Entries of feeds: RSS (0.9x, 1.0, 2.0), Atom, JSON Feed."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from knowledge.errors import SourceError
from knowledge.parsing.decode import clean
from knowledge.sources.web import http_date
from knowledge.sources.xml import children, local, parse_xml, text_of

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["Entry", "read_feed"]

_START: Final = 1024
_MOST_PARTS: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    id: str  # as stated; "" when none is
    link: str  # as written
    title: str
    content: str  # HTML
    author: str
    published: datetime | None

    @property
    def key(self) -> str:
        """The stated id, or the link, or what it says; a long one by its digest."""
        stated = self.id or self.link
        if stated and len(stated) <= 500:
            return stated
        return "sha256:" + hashlib.sha256((stated or self.title + self.content).encode()).hexdigest()


def read_feed(data: bytes) -> Iterator[Entry]:
    """Read a feed, whatever its kind, in its own order; an entry that is not asked for is not made.

    :raises SourceError: it is none, or has too many parts; before the first entry.
    """
    if data[:_START].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return map(_json_item, _json_items(data))
    root = parse_xml(data, what="The feed")
    kind = local(root)
    if kind == "feed":
        return map(_atom, children(root, "entry"))
    if kind in ("rss", "rdf"):
        channels = children(root, "channel")
        return (_rss(item) for place in (*channels, root) for item in children(place, "item"))
    raise SourceError("The address is not that of a feed: neither RSS nor Atom nor JSON Feed.")


def _rss(item: _Element) -> Entry:
    guid = text_of(item, "guid")
    return Entry(
        id=guid,
        link=text_of(item, "link") or (guid if guid.startswith(("http://", "https://")) else ""),
        title=_plain(text_of(item, "title")),
        content=text_of(item, "encoded", "description", "summary"),
        author=text_of(item, "creator", "author"),
        published=_moment(text_of(item, "pubdate", "date")),
    )


def _atom(entry: _Element) -> Entry:
    links = [link for link in children(entry, "link") if link.get("rel", "alternate") == "alternate"]
    author = children(entry, "author")
    return Entry(
        id=text_of(entry, "id"),
        link=links[0].get("href", "") if links else "",
        title=_plain(_atom_text(entry, "title")),
        content=_atom_text(entry, "content") or _atom_text(entry, "summary"),
        author=text_of(author[0], "name") if author else "",
        published=_moment(text_of(entry, "published", "updated", "issued", "modified")),
    )


def _atom_text(entry: _Element, name: str) -> str:
    """The HTML of a text construct."""
    from lxml import etree

    for element in children(entry, name):
        kind = element.get("type", "text")
        if kind == "xhtml":
            return "".join(
                etree.tostring(child, encoding="unicode", method="html", with_tail=False) for child in element
            )
        text = "".join(element.itertext()).strip()
        if text:
            return text if kind in ("html", "text/html") else html.escape(text)
    return ""


def _json_items(data: bytes) -> list[dict[str, Any]]:
    if sum(data.count(mark) for mark in (b",", b"{", b"[")) > _MOST_PARTS:  # each a value in memory, or in a text
        raise SourceError(f"The feed has more than {_MOST_PARTS:,} parts, which is not accepted.")
    try:
        feed = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as err:
        raise SourceError("The feed is not valid JSON.") from err
    items = feed.get("items")
    if not isinstance(items, list) or "jsonfeed.org" not in str(feed.get("version", "")):
        raise SourceError("The address is not that of a feed: neither RSS nor Atom nor JSON Feed.")
    return [item for item in items if isinstance(item, dict)]


def _json_item(item: dict[str, Any]) -> Entry:
    def text(name: str) -> str:
        value = item.get(name)
        return clean(str(value)) if isinstance(value, str | int) else ""

    authors = item.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else item.get("author")
    return Entry(
        id=text("id"),
        link=text("url") or text("external_url"),
        title=text("title"),
        content=text("content_html") or html.escape(text("content_text") or text("summary")),
        author=clean(str(first.get("name", ""))) if isinstance(first, dict) else "",
        published=_moment(text("date_published") or text("date_modified")),
    )


def _plain(text: str) -> str:
    """A title without the entities that many feeds write twice."""
    return " ".join(html.unescape(text).split())[:300]


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return http_date(text) if text else None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
