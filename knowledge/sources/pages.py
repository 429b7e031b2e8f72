"""Replies of a website: whether they are taken, and what robots.txt and headers say about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from knowledge.egress import Reply, Target
from knowledge.errors import AddressRefused, EgressError, SourceError
from knowledge.parsing.formats import BY_MEDIA_TYPE, HTML
from knowledge.parsing.html import decode_html
from knowledge.sources.page_facts import PageFacts, page_digest, page_facts
from knowledge.sources.page_memory import digest
from knowledge.sources.robots import Robots
from knowledge.sources.web import Web, media_type_of, said

__all__ = ["body_of", "facts_of", "fingerprint_of", "is_no_page", "is_sibling", "is_taken", "read_robots"]

_NO_PAGES: Final = frozenset(
    ".css .js .mjs .map .json .xml .rss .atom .ico .png .jpg .jpeg .gif .svg .webp .avif .bmp .tif .tiff .woff .woff2 "
    ".ttf .otf .eot .mp3 .mp4 .m4a .m4v .mov .avi .mkv .webm .ogg .wav .zip .gz .tgz .bz2 .xz .7z .rar .tar .dmg .exe "
    ".msi .deb .rpm .apk .iso .bin .wasm .ics .vcf .torrent".split()
)
_LONGEST_ROBOTS: Final = 2 * 1024 * 1024
_NOT_TAKEN: Final = ("image/", "text/x-source", "application/json")
_AGENT_DIRECTIVE: Final = re.compile(r"(?:footnote|robots)\s*:\s*(.*)", re.IGNORECASE)


def is_no_page(target: Target) -> bool:
    """Whether the address is plainly that of a picture, a program or another thing that is no document."""
    return PurePosixPath(target.path.partition("?")[0]).suffix.lower() in _NO_PAGES


def is_sibling(one: Target, other: Target) -> bool:
    """Whether two hosts differ by ``www.`` only."""
    return one.host.removeprefix("www.") == other.host.removeprefix("www.")


def is_taken(media_type: str, *, files: bool) -> bool:
    """Whether a page, or with ``files`` a file, of that type becomes a document."""
    if media_type == HTML:
        return True
    known = BY_MEDIA_TYPE.get(media_type)
    return files and known is not None and bool(known.parser) and not media_type.startswith(_NOT_TAKEN)


def facts_of(reply: Reply) -> PageFacts:
    """What a page and its headers say; of a file, the headers alone."""
    facts = PageFacts()
    if media_type_of(reply.headers, reply.url) == HTML:
        facts = page_facts(decode_html(reply.body, declared=_charset(reply)))
    facts.directives |= _header_directives(reply.headers)
    return facts


def fingerprint_of(reply: Reply) -> str:
    """Of a page what it shows, of a file its bytes."""
    if media_type_of(reply.headers, reply.url) != HTML:
        return digest(reply.body)
    return page_digest(decode_html(reply.body, declared=_charset(reply)))


def body_of(reply: Reply) -> bytes:
    """The bytes to keep: a page as UTF-8 when its server names another charset, which they would not tell alone."""
    charset = _charset(reply)
    if charset in (None, "utf-8", "utf8") or media_type_of(reply.headers, reply.url) != HTML:
        return reply.body
    return b"\xef\xbb\xbf" + decode_html(reply.body, declared=charset).encode()


def _charset(reply: Reply) -> str | None:
    """The charset that the server names."""
    stated = reply.headers.get("content-type", "").lower().partition("charset=")[2]
    return stated.partition(";")[0].strip("\"' ") or None


def _header_directives(headers: Mapping[str, str]) -> set[str]:
    """Of X-Robots-Tag; a directive for another robot ("otherbot: noindex") does not concern us."""
    found = set()
    for part in headers.get("x-robots-tag", "").lower().split(","):
        ours = _AGENT_DIRECTIVE.fullmatch(part.strip())
        found.add(ours[1].strip() if ours else part.strip())
    return found


def read_robots(target: Target, *, web: Web) -> Robots:
    """Read the robots.txt of a host. None there: all may be read; one that cannot be read now: nothing may.

    :raises AddressRefused: the host may not be reached from here.
    :raises SourceError: the file cannot be read now.
    """
    place = Target(target.scheme, target.host, target.port, "/robots.txt")
    try:
        reply = web.get(place.url, listing=True, most=_LONGEST_ROBOTS)
    except AddressRefused:
        raise
    except EgressError as err:
        raise SourceError(f"The site's robots.txt cannot be read, so nothing else is: {err.message}") from err
    if reply.status == 200:
        return Robots.read(reply.body.decode(errors="replace"))
    if 400 <= reply.status < 500 and reply.status != 429:
        return Robots()
    raise SourceError(f"The site's robots.txt cannot be read, so nothing else is: {said(reply)}")
