"""One connection to one checked address, which ends when its time is over."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from knowledge.egress.addresses import Target
from knowledge.errors import AddressRefused

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Deadline", "PinnedConnection"]

_CONNECT_SECONDS = 10


class Deadline:
    """The moment at which a request is given up, whatever the server does in the meantime."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, more than 0.

        :raises TimeoutError: none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class PinnedConnection(http.client.HTTPConnection):
    """Connects to the given addresses and to nothing else; the name serves TLS and the Host header only.

    ``http.client`` reads no proxies, no cookies and no settings from the environment, and follows no redirects.
    """

    def __init__(self, target: Target, addresses: Sequence[IPv4Address | IPv6Address], deadline: Deadline) -> None:
        super().__init__(target.host, target.port)
        self._target = target
        self._addresses = addresses
        self._deadline = deadline

    def connect(self) -> None:
        """Connect to the first address that answers.

        :raises OSError: none does, or its certificate is not valid.
        :raises AddressRefused: the socket reached another address than the one that was checked.
        """
        sock = self._first()
        try:
            peer = ip_address(sock.getpeername()[0])
            if peer not in self._addresses:
                raise AddressRefused(f"{self._target.netloc} answered from another address than its own.")
            if self._target.scheme == "https":
                sock.settimeout(self._deadline.left())
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self._target.host)
        except BaseException:
            sock.close()
            raise
        self.sock = _TimedSocket(sock, self._deadline)

    def _first(self) -> socket.socket:
        failure: OSError | None = None
        for address in self._addresses:
            sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
            try:
                sock.settimeout(min(_CONNECT_SECONDS, self._deadline.left()))
                sock.connect((str(address), self._target.port))
            except OSError as err:
                sock.close()
                failure = err
            else:
                return sock
        raise failure or OSError("no address")


class _TimedSocket:
    """What ``http.client`` uses of a socket. A timeout of the socket begins anew with every byte; this one does not."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._handed_over = False

    def sendall(self, data: ReadableBuffer) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        self._handed_over = True
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def close(self) -> None:
        """Leave the socket to the reader where there is one: a connection is closed before its reply is read."""
        if not self._handed_over:
            self._sock.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        self._sock.close()
        super().close()
