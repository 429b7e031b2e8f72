"""Which addresses may be reached: public ones on the usual ports, and those that the operator named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, Self

from knowledge.egress.addresses import Target

__all__ = ["PORTS", "BadAllowEntry", "Rules", "is_public"]

PORTS: Final = frozenset((80, 443, 8080, 8443))
"""Where websites answer. Others belong to databases, mail and consoles; an entry of the operator opens one."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Written out: what ``ipaddress`` calls global changed between versions of Python.
_CLOSED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # answers the machines of one cloud with their secrets
    )
)  # fmt: skip
_OPEN_6: Final = IPv6Network("2000::/3")
_CLOSED_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, which hides an IPv4 address, and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4, which hides an IPv4 address
        "3fff::/20",
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # how IPv6-only networks reach public IPv4 servers
_ISATAP: Final = frozenset((0x00005EFE, 0x02005EFE))
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_WITH_PORT = re.compile(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")


class BadAllowEntry(ValueError):
    """An entry of the operator's list means nothing; the message says so in a sentence."""


@dataclass(frozen=True, slots=True)
class _Entry:
    network: Network | None
    name: str  # "" for a network; ".example.org" for everything below example.org
    port: int | None  # None: every port of what was named

    def names(self, target: Target) -> bool:
        if not self.name or self.port not in (None, target.port):
            return False
        return target.host.endswith(self.name) if self.name.startswith(".") else target.host == self.name

    def holds(self, address: Address, port: int) -> bool:
        return self.network is not None and self.port in (None, port) and address in self.network


@dataclass(frozen=True, slots=True)
class Rules:
    """Public addresses on the usual ports, and what was allowed beyond them."""

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def of(cls, allow: Iterable[str]) -> Self:
        """Read entries like ``wiki.internal``, ``*.corp.example``, ``10.1.0.0/16``, ``[fd00::5]:8090``.

        An entry without a port opens every port of what it names.

        :raises BadAllowEntry: an entry is none of these.
        """
        return cls(tuple(_entry(text) for text in allow))

    def let_through(self, target: Target, address: Address) -> bool:
        """Whether ``address``, to which the host of ``target`` leads, may be connected to."""
        if getattr(address, "scope_id", None):
            return False
        if any(entry.holds(address, target.port) for entry in self.entries):
            return True
        if any(entry.names(target) for entry in self.entries):
            # A name may lead inside, yet not to what no name should: cloud metadata answers on a link-local address.
            inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
            return not any(
                one.is_link_local or one.is_multicast or one.is_unspecified for one in (address, inner) if one
            )
        return target.port in PORTS and is_public(address)


def is_public(address: Address) -> bool:
    """Whether the whole internet could reach it; an IPv6 address that hides an IPv4 one is judged by both."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    value = int(address)
    if address in _NAT64 or (value >> 32) & 0xFFFFFFFF in _ISATAP:
        return (address in _NAT64 or _is_public_6(address)) and is_public(IPv4Address(value & 0xFFFFFFFF))
    return _is_public_6(address)


def _is_public_6(address: IPv6Address) -> bool:
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6)


def _entry(text: str) -> _Entry:
    entry = text.strip().lower()
    if network := _network(entry):
        return _Entry(network, "", None)
    parts = _WITH_PORT.fullmatch(entry)
    if parts is None or (parts[2] and not 0 < int(parts[2]) < 65536):
        raise BadAllowEntry(f"{text[:80]!r} is not a host, an address or a network, with or without a port.")
    port = int(parts[2]) if parts[2] else None
    named = parts[1]
    if network := _network(named.strip("[]")):
        return _Entry(network, "", port)
    if not _NAME.fullmatch(named) or named.rpartition(".")[2].isdecimal():
        raise BadAllowEntry(f"{text[:80]!r} is not a host, an address or a network, with or without a port.")
    return _Entry(None, named.removeprefix("*"), port)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
