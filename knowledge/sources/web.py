"""What the sources of the web share: their rules for requests, settings that are addresses, media types to names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from knowledge.egress import BadAllowEntry, FetchLimits, Reply, Rules, Target, fetch, parse_address
from knowledge.egress.fetching import Wanted
from knowledge.errors import AddressRefused, SourceMisconfigured
from knowledge.parsing.formats import BY_EXTENSION, BY_MEDIA_TYPE, HTML
from knowledge.sources.base import SourceContext

__all__ = ["Web", "address_of", "filename_for", "http_date", "media_type_of", "rules_of", "said"]

_UNFIT = re.compile(r"[^\w.()+ -]+")
_OTHER_NAMES: Final = {
    "application/xhtml+xml": HTML,
    "application/x-pdf": "application/pdf",
    "text/x-markdown": "text/markdown",
    "application/csv": "text/csv",
    "text/rtf": "application/rtf",
}
_TELLS_NOTHING: Final = frozenset(("", "application/octet-stream", "binary/octet-stream", "application/download"))
_SAID: Final = {
    401: "It asks for a sign-in",
    403: "It may not be read from here",
    404: "It is not there",
    410: "It is gone",
    429: "The server is asked too often; a longer pause between requests helps",
}


class Web:
    """Requests of one source."""

    def __init__(self, context: SourceContext) -> None:
        self._rules = rules_of(context)
        self._limits = context.limits

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        wanted: Wanted | None = None,
        listing: bool = False,
        most: int | None = None,
    ) -> Reply:
        """GET an address through the egress function; ``listing``: under the limit of a listing, not of an item.

        :param most: bytes, where that is less than the limit.

        :raises EgressError: it may not be reached, does not answer, or answers too much.
        """
        size = self._limits.listing_bytes if listing else self._limits.item_bytes
        limits = FetchLimits(size=min(size, most or size), seconds=self._limits.seconds)
        return fetch(url, rules=self._rules, headers=headers, limits=limits, wanted=wanted)


def rules_of(context: SourceContext) -> Rules:
    """Read the operator's list.

    :raises SourceMisconfigured: it holds something that means nothing.
    """
    try:
        return Rules.of(context.allow)
    except BadAllowEntry as err:
        raise SourceMisconfigured(f"EGRESS_ALLOW is not valid: {err}") from err


def address_of(text: str, *, label: str) -> Target:
    """Read a setting that is an address; one without http:// is taken as https.

    :raises SourceMisconfigured: it is none.
    """
    try:
        return parse_address(text if "://" in text else f"https://{text}")
    except AddressRefused as err:
        raise SourceMisconfigured(f"“{label}”: {err.message}") from err


def said(reply: Reply) -> str:
    """What a status that is no success means, in a sentence."""
    words = _SAID.get(reply.status, "The server cannot answer" if reply.status >= 500 else "It cannot be read")
    return f"{words} (HTTP {reply.status})."


def media_type_of(headers: Mapping[str, str], url: str) -> str:
    """The media type by its usual name; by the extension where the server states nothing."""
    stated = headers.get("content-type", "").partition(";")[0].strip().lower()
    stated = _OTHER_NAMES.get(stated, stated)
    known = BY_EXTENSION.get(PurePosixPath(urlsplit(url).path).suffix.lower())
    if known and (stated in _TELLS_NOTHING or (stated == "text/plain" and known.media_type.startswith("text/"))):
        return known.media_type
    return stated


def filename_for(url: str, media_type: str) -> str:
    """A file name with an extension of the media type, which must be one that is read."""
    path = PurePosixPath(unquote(urlsplit(url).path))
    extensions = BY_MEDIA_TYPE[media_type].extensions
    stem = path.stem if path.suffix.lower() in BY_EXTENSION else path.name
    stem = _UNFIT.sub("-", stem).strip(" .-")[:100] or "index"
    return stem + (path.suffix.lower() if path.suffix.lower() in extensions else extensions[0])


def http_date(text: str) -> datetime | None:
    """Read a date of HTTP or RSS; None when it is none."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
