"""What a typed-in address means, said once: the parts found here are checked, connected to and sent.

A second parser that reads the same string differently is how a check is passed by (CVE-2026-45400), so whatever could
be read in two ways is refused instead of mended.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote

from knowledge.errors import AddressRefused

__all__ = ["DEFAULT_PORTS", "Target", "parse_address"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LONGEST = 8000
_SHAPE = re.compile(r"(https?)://([^/?#]*)([^#]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:]+))(?::([0-9]{1,5}))?")
_UNFIT = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEVIATIONS = frozenset("ßς\u200c\u200d")  # the two rules for foreign letters make different hosts of them
_KEPT = "%/:?&=+$,;@!*'()~[]"


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart."""

    scheme: str  # http or https
    host: str  # lower case, ASCII, without a dot at its end; an IPv6 address without brackets
    port: int
    path: str  # with its query, percent-encoded; starts with a slash

    @property
    def netloc(self) -> str:
        """Host as the Host header says it: the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def literal(self) -> IPv4Address | IPv6Address | None:
        """The address itself where the host is one, None where it is a name."""
        return _literal(self.host)


def parse_address(url: str) -> Target:
    """Take an address apart; the part after ``#`` is dropped.

    :raises AddressRefused: it is not an http(s) address, or could be read in more than one way.
    """
    if len(url) > _LONGEST:
        raise AddressRefused(f"The address is longer than {_LONGEST:,} characters.")
    if _UNFIT.search(url):
        raise AddressRefused("The address contains a space, a backslash or an invisible character. Remove it.")
    shape = _SHAPE.match(url)
    if shape is None:
        raise AddressRefused("Only addresses that start with http:// or https:// can be read.")
    scheme, authority, path = shape[1].lower(), shape[2], shape[3]
    if "@" in authority:
        raise AddressRefused("The address contains a user name or password. Enter them in their own fields.")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise AddressRefused("The host in the address is not valid.")
    port = int(parts[3]) if parts[3] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise AddressRefused(f"The address names the port {port}, which does not exist.")
    host = _six(parts[1]) if parts[1] else _host(parts[2])
    return Target(scheme, host, port, quote(path if path.startswith("/") else f"/{path}", safe=_KEPT))


def _six(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError as err:
        raise AddressRefused("The IPv6 address in the brackets is not valid.") from err


def _host(text: str) -> str:
    """A name or four numbers, in the one form that is looked up.

    :raises AddressRefused: it is neither, or an address written as no browser shows it (127.1, 0x7f.1, 2130706433).
    """
    if "%" in text:
        raise AddressRefused("The host in the address is percent-encoded. Write it out.")
    host = text if text.isascii() else _ascii(text)
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("The host in the address is not valid.")
    if _NUMBER.fullmatch(labels[-1]) and _literal(host) is None:
        raise AddressRefused("The host is a number. Write an IP address as four numbers with dots.")
    return host


def _ascii(text: str) -> str:
    if _DEVIATIONS & set(text.lower()):
        raise AddressRefused("The host contains a letter that systems read differently. Write it in its xn-- form.")
    try:
        return unicodedata.normalize("NFKC", text).encode("idna").decode("ascii")
    except UnicodeError as err:
        raise AddressRefused("The host in the address is not valid.") from err


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        return None
