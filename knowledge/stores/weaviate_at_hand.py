"""A Weaviate server to talk to: the one by address, the product's own while it runs, or one started for now."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.errors import StoreUnavailable
from knowledge.stores.weaviate_binary import find_server
from knowledge.stores.weaviate_server import WeaviateServer

__all__ = ["note_address", "server_at_hand"]

ADDRESS = "address.json"
START_SECONDS = 120.0  # of which the end of one that was killed a moment ago takes a part


def note_address(folder: Path, *, url: str, grpc_port: int) -> None:
    """Write down where the product's own server listens: its ports are others at each start."""
    (folder / ADDRESS).write_text(json.dumps({"url": url, "grpc_port": grpc_port}))


@contextmanager
def server_at_hand(url: str, grpc_port: int, *, folder: Path, binary: str) -> Iterator[tuple[str, int]]:
    """Yield the address and gRPC port of a server: ``url`` where there is one, else one over ``folder``.

    :raises StoreUnavailable: there is no server, and no program to start one with.
    """
    if url:
        yield url, grpc_port
        return
    running = _running(folder)
    if running is not None:
        yield running
        return
    program = find_server(binary)
    if program is None:
        raise StoreUnavailable("There is no Weaviate: set WEAVIATE_URL, or run `make run STORE=weaviate` once.")
    server = WeaviateServer(program, folder, tied=True)
    server.start(timeout=START_SECONDS)
    try:
        yield server.url, server.grpc_port
    finally:
        server.stop()


def _running(folder: Path) -> tuple[str, int] | None:
    try:
        noted = json.loads((folder / ADDRESS).read_text())
        url, grpc_port = str(noted["url"]), int(noted["grpc_port"])
        with urllib.request.urlopen(f"{url}/v1/.well-known/ready", timeout=2) as reply:  # noqa: S310 - our own address
            return (url, grpc_port) if reply.status == 200 else None
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None
