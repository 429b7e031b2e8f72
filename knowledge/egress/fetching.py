"""The one function that sends requests to addresses which people typed in, or which a page that they named links to.

What it promises (reference: CVE-2026-45400, -45401, -31943, CVE-2023-46229):

- the host is looked up once, every address it leads to is checked, and the socket is opened to that very address, so
  that a second answer of the name server (DNS rebinding) is never asked for;
- redirects are followed here, each hop checked like the first, and never from https to http;
- the size, also of compressed replies, and the time of the whole are limited while reading;
- credentials go to the origin they were given for, and to no other; there are no proxies, cookies or sessions.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from knowledge.egress.addresses import Target, parse_address
from knowledge.egress.connection import Deadline, PinnedConnection
from knowledge.egress.inflating import Inflater, too_large
from knowledge.egress.resolving import Resolver, resolve_target
from knowledge.egress.rules import Rules
from knowledge.errors import AddressRefused, AddressUnreachable

__all__ = ["USER_AGENT", "FetchLimits", "Reply", "fetch"]

USER_AGENT: Final = "Footnote/0.1 (document synchronisation)"
MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_STEP: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    size: int = 50 * 1024 * 1024  # bytes of the body, as sent and as inflated
    seconds: float = 60  # for everything: looking up, redirects, reading
    redirects: int = MOST_REDIRECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    url: str  # where it came from in the end
    status: int
    headers: Mapping[str, str]  # names in lower case; of repeated ones the first
    body: bytes = field(repr=False)  # inflated; empty when it was not wanted

    @property
    def media_type(self) -> str:
        """Of its Content-Type, lower case, "" when none is stated."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


Wanted = Callable[[int, Mapping[str, str]], bool]
"""Status and headers -> whether to read the body."""


def fetch(
    url: str,
    *,
    rules: Rules,
    headers: Mapping[str, str] | None = None,
    credentials: Mapping[str, str] | None = None,
    limits: FetchLimits = FetchLimits(),
    wanted: Wanted | None = None,
    resolve: Resolver | None = None,
) -> Reply:
    """GET an address. Any status is a reply; redirects are followed when ``limits`` has some.

    :param credentials: headers for the origin of ``url`` alone.
    :raises AddressRefused: the address, or one it redirects to, may not be reached. Nothing was sent there.
    :raises AddressUnreachable: no answer, a broken one, too late, or too many redirects.
    :raises ReplyTooLarge: the body is larger than the limit.
    """
    target = first = parse_address(url)
    deadline = Deadline(limits.seconds)
    for _ in range(limits.redirects + 1):
        addresses = resolve_target(target, rules=rules, seconds=_left(target, deadline), resolve=resolve)
        sent = {**(headers or {}), **(credentials or {} if target.origin == first.origin else {})}
        connection = PinnedConnection(target, addresses, deadline)
        try:
            reply = _exchange(connection, target, sent, limits=limits, wanted=wanted)
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise AddressUnreachable(_reason(err, target)) from err
        finally:
            connection.close()
        if not limits.redirects or reply.status not in _REDIRECTS or "location" not in reply.headers:
            return reply
        target = _next(target, reply.headers["location"])
    raise AddressUnreachable(f"{first.netloc} redirects more than {limits.redirects} times.")


def _exchange(
    connection: PinnedConnection,
    target: Target,
    headers: Mapping[str, str],
    *,
    limits: FetchLimits,
    wanted: Wanted | None,
) -> Reply:
    ours = {"Host": target.netloc, "User-Agent": USER_AGENT, "Accept-Encoding": "gzip", "Connection": "close"}
    connection.request("GET", target.path, headers={**ours, **headers})
    with contextlib.closing(connection.getresponse()) as response:
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            found.setdefault(name.lower(), value)
        redirected = limits.redirects and response.status in _REDIRECTS
        unread = redirected or (wanted is not None and not wanted(response.status, found))
        body = b"" if unread else _body(response, found.get("content-encoding", ""), limits.size)
    return Reply(url=target.url, status=response.status, headers=found, body=body)


def _body(response: http.client.HTTPResponse, encoding: str, limit: int) -> bytes:
    """Read the body, counting what arrives and what it inflates to."""
    if response.length is not None and response.length > limit:
        raise too_large(limit)
    inflater = Inflater(limit) if encoding.strip().lower() in ("gzip", "x-gzip") else None
    if inflater is None and encoding.strip().lower() not in ("", "identity"):
        raise AddressUnreachable("The reply is compressed in a way that was not asked for.")
    data, arrived = bytearray(), 0
    while piece := response.read(_STEP):
        arrived += len(piece)
        if arrived > limit:
            raise too_large(limit)
        if inflater is None:
            data += piece
        else:
            inflater.feed(piece)
    if response.length or (inflater is not None and arrived and not inflater.is_whole):
        raise AddressUnreachable("The connection broke off in the middle of the reply.")
    return bytes(data if inflater is None else inflater.data)


def _next(target: Target, location: str) -> Target:
    """Where a redirect leads.

    :raises AddressRefused: not to http(s), or from https to http.
    """
    try:  # header bytes arrive as Latin-1; addresses in them are UTF-8
        location = location.encode("latin-1").decode()
    except UnicodeError:
        pass
    try:
        joined = urljoin(target.url, location.strip().replace(" ", "%20"))
    except ValueError as err:
        raise AddressRefused(f"{target.netloc} redirects to an address that is not valid.") from err
    following = parse_address(joined)
    if target.scheme == "https" and following.scheme == "http":
        raise AddressRefused(f"{target.netloc} redirects from https to http, which gives up its protection.")
    return following


def _left(target: Target, deadline: Deadline) -> float:
    try:
        return deadline.left()
    except TimeoutError as err:
        raise AddressUnreachable(_reason(err, target)) from err


def _reason(err: Exception, target: Target) -> str:
    if isinstance(err, ssl.SSLCertVerificationError):
        return f"The certificate of {target.netloc} is not accepted: {err.verify_message}."
    if isinstance(err, TimeoutError):
        return f"{target.netloc} did not answer in time."
    if isinstance(err, ssl.SSLError):
        return f"No secure connection to {target.netloc} could be made."
    if isinstance(err, OSError) and err.strerror:
        return f"{target.netloc} cannot be reached: {err.strerror.lower()}."
    return f"{target.netloc} sent a reply that is not valid HTTP."
