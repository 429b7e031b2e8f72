"""From a host to the addresses that are connected to, all of them checked; a name is looked up once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from knowledge.egress.addresses import Target
from knowledge.egress.rules import Rules
from knowledge.errors import AddressRefused, AddressUnreachable

__all__ = ["Resolver", "resolve_target", "system_resolver"]

Resolver = Callable[[str, float], list[str]]
"""Host and seconds -> its addresses; raises OSError where there are none."""


def resolve_target(
    target: Target, *, rules: Rules, seconds: float, resolve: Resolver | None = None
) -> list[IPv4Address | IPv6Address]:
    """Look the host up, once, and check every address it leads to.

    One address that may not be reached refuses them all: a name that leads inside as well as outside is an attack
    or a mistake.

    :raises AddressRefused: it leads where requests may not go.
    :raises AddressUnreachable: the name is not known.
    """
    if (literal := target.literal) is not None:
        found: list[IPv4Address | IPv6Address] = [literal]
    else:
        try:
            found = [ip_address(text) for text in (resolve or system_resolver)(target.host, seconds)]
        except TimeoutError as err:
            raise AddressUnreachable(f"Looking up {target.host} took more than {seconds:.0f} seconds.") from err
        except (OSError, ValueError) as err:
            raise AddressUnreachable(f"The host {target.host} is not known. Check how it is spelt.") from err
    if not found:
        raise AddressUnreachable(f"The host {target.host} has no address.")
    if not all(rules.let_through(target, address) for address in found):
        raise AddressRefused(
            f"{target.netloc} may not be reached from here: it is an internal address or an unusual port. "
            "The operator can open it by EGRESS_ALLOW."
        )
    return list(dict.fromkeys(found))


def system_resolver(host: str, seconds: float) -> list[str]:
    """Ask the system, in a thread of its own: the question itself knows no time limit.

    :raises OSError: the name is not known, or there was no answer in time.
    """
    answer: list[str] = []
    failure: list[OSError] = []

    def ask() -> None:
        try:
            answer.extend(str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as err:
            failure.append(err if isinstance(err, OSError) else OSError(str(err)))

    thread = threading.Thread(target=ask, name="egress-resolver", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if failure:
        raise failure[0]
    return answer
