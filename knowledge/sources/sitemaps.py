"""Sitemaps: lists of pages, indexes of lists, compressed or not, or plain lines."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from knowledge.egress import Target, inflated, parse_address
from knowledge.errors import AddressRefused, EgressError, SourceError
from knowledge.sources.base import Problem
from knowledge.sources.urls import canonical, joined
from knowledge.sources.web import Web, said
from knowledge.sources.xml import children, local, parse_xml, text_of

__all__ = ["Listed", "is_sitemap", "read_sitemaps"]

_MOST_FILES: Final = 200
_MOST_LINES: Final = 50_000  # of one file, as the protocol has it
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Listed:
    target: Target
    changed: str = ""  # its <lastmod>, as written


def is_sitemap(target: Target) -> bool:
    """Whether an address looks like one of a sitemap rather than of a page."""
    path = target.path.partition("?")[0].lower()
    return path.endswith((".xml", ".xml.gz")) or path.rpartition("/")[2] in ("sitemap.txt", "sitemap.txt.gz")


def read_sitemaps(first: Target, *, web: Web, limit: int) -> Iterator[Listed | Problem]:
    """Read a sitemap and those it names on the same host, each once. A problem means that the list is not whole."""
    waiting, seen = deque([first]), {first}
    while waiting:
        target = waiting.popleft()
        try:
            found = _read(target, web=web, limit=limit)
        except (EgressError, SourceError) as err:
            yield Problem(key="", message=f"The sitemap {target.url} cannot be read: {err.message}")
            continue
        for one, is_index in found:
            if not is_index:
                yield one
            elif one.target.host == first.host and one.target not in seen:
                if len(seen) == _MOST_FILES:
                    yield Problem(
                        key="", message=f"The sitemap names more than {_MOST_FILES} others; the rest is left out."
                    )
                    return
                seen.add(one.target)
                waiting.append(one.target)


def _read(target: Target, *, web: Web, limit: int) -> list[tuple[Listed, bool]]:
    """Addresses of one file, and whether each is another sitemap's.

    :raises EgressError: it cannot be fetched.
    :raises SourceError: it is no sitemap.
    """
    reply = web.get(target.url, listing=True)
    if reply.status != 200:
        raise SourceError(said(reply))
    data = reply.body
    if data.startswith(_GZIP):
        data = inflated(data, limit=limit)
    base = parse_address(reply.url)
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = list(islice(re.finditer(rb"\S+", data), _MOST_LINES + 1))
        if len(lines) > _MOST_LINES:
            raise SourceError(f"It lists more than {_MOST_LINES:,} addresses, which is not accepted.")
        return [(Listed(found), False) for line in lines if (found := _address(line[0].decode(errors="replace")))]
    root = parse_xml(data, what="It")
    kind = local(root)
    if kind not in ("urlset", "sitemapindex"):
        raise SourceError(f"It is not a sitemap: its outermost element is <{kind[:60]}>.")
    entries = children(root, "url" if kind == "urlset" else "sitemap")
    return [
        (Listed(found, text_of(entry, "lastmod")[:40]), kind == "sitemapindex")
        for entry in entries
        if (found := joined(base, text_of(entry, "loc")))
    ]


def _address(line: str) -> Target | None:
    try:
        return canonical(parse_address(line))
    except AddressRefused:
        return None
