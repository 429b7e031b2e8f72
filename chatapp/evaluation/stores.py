"""A real store for the length of an evaluation."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

from knowledge.errors import StoreUnavailable
from knowledge.stores.base import Store
from knowledge.stores.weaviate_binary import find_server

NAMES = ("lance", "weaviate")


@contextmanager
def open_store(name: str) -> Iterator[Store]:
    """Open LanceDB in a temporary folder, or Weaviate: the server of ``WEAVIATE_URL``, else one started for this.

    :raises StoreUnavailable: there is no server and no program to start one.
    """
    if name not in NAMES:
        raise StoreUnavailable(f"There is no store named {name}: choose {' or '.join(NAMES)}.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="footnote-evaluation-")))
        store = _lance(folder) if name == "lance" else _weaviate(folder, stack)
        stack.callback(store.close)
        yield store


def _lance(folder: Path) -> Store:
    from knowledge.stores.lance import LanceStore

    return LanceStore(folder / "lance")


def _weaviate(folder: Path, stack: ExitStack) -> Store:
    from knowledge.stores.weaviate import WeaviateStore
    from knowledge.stores.weaviate_server import WeaviateServer

    if settings.WEAVIATE_URL:
        return WeaviateStore(
            url=settings.WEAVIATE_URL, secret=settings.SECRET_KEY, grpc_port=settings.WEAVIATE_GRPC_PORT,
            api_key=settings.WEAVIATE_API_KEY or None,
        )  # fmt: skip
    server = stack.enter_context(WeaviateServer(_program(), folder / "weaviate"))
    return WeaviateStore(url=server.url, secret=secrets.token_hex(16), grpc_port=server.grpc_port)


def _program() -> Path:
    found = find_server(settings.WEAVIATE_SERVER_BIN)
    if found is None:
        raise StoreUnavailable(
            "There is no Weaviate to evaluate on: set WEAVIATE_URL, or install one once with `make run STORE=weaviate`."
        )
    return found
