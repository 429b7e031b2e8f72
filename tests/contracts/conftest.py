"""Fixtures of the contract suites: real stores, real servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from knowledge.stores.weaviate_server import WeaviateServer

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local" / "bin" / "weaviate-server"


def _binary() -> Path | None:
    named = os.environ.get("WEAVIATE_SERVER_BIN")
    for candidate in (named, str(LOCAL), shutil.which("weaviate-server")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def weaviate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    """A real Weaviate server of this test session."""
    binary = _binary()
    if binary is None:
        reason = "no weaviate-server: `make run STORE=weaviate` installs it once (or set WEAVIATE_SERVER_BIN)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with WeaviateServer(binary, tmp_path_factory.mktemp("weaviate")) as server:
        yield server


@pytest.fixture(params=["lance", "lance-on-disk", "weaviate"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What another process needs to open the same store: a class path and arguments."""
    if request.param == "weaviate":
        server: WeaviateServer = request.getfixturevalue("weaviate_server")
        arguments = {"url": server.url, "secret": "s", "grpc_port": server.grpc_port}
        return {"class": "knowledge.stores.weaviate.WeaviateStore", "arguments": arguments}
    arguments = {"path": str(tmp_path / "lance")}
    if request.param == "lance-on-disk":  # the engine's own searches, as for large tables
        arguments["snapshot_rows"] = 0
    return {"class": "knowledge.stores.lance.LanceStore", "arguments": arguments}
