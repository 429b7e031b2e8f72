"""Retrieval over large knowledge bases on both stores: time of each stage, of indexing, and what it takes to keep."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

from chatapp.operations import product as processes
from chatapp.operations.bench.large_search import Searched
from chatapp.operations.bench.product import ROOT, StartFailed, data_folder
from knowledge.stores.weaviate_binary import find_server
from knowledge.stores.weaviate_server import WeaviateServer

SIZES = (20_000, 300_000)
QUICK_SIZES = (20_000,)
SEARCHES = 200
QUICK_SEARCHES = 60
STORES = ("lance", "weaviate")


def measure(
    sizes: Sequence[int], *, searches: int, stores: Sequence[str] = STORES, keep: Path | None = None,
    say: Callable[[str], None],
) -> list[Searched]:  # fmt: skip
    """Measure every size on every store; without a Weaviate server on LanceDB alone. Bases are kept below ``keep``.

    :raises StartFailed: a measurement ended without figures.
    """
    found = []
    for store in stores:
        if store == "weaviate" and find_server(settings.WEAVIATE_SERVER_BIN) is None:
            say("There is no Weaviate server here (`make run STORE=weaviate` installs one): LanceDB alone is measured.")
            continue
        for size in sizes:
            say(f"A base of {size} chunks on {store} ...")
            with _folder(keep, f"{store}-{size}") as folder, _environment(store, folder) as environment:
                found.append(_run(size, searches, environment))
    return found


@contextmanager
def _folder(keep: Path | None, name: str) -> Iterator[Path]:
    if keep is None:
        with data_folder() as folder:
            yield folder
        return
    folder = keep / name
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


@contextmanager
def _environment(store: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield what the program needs to search a product's own folder, as a web process of the product would."""
    environment = {
        **processes.child_environment(), "DATA_DIR": str(folder), "STORE": store, "DATABASE_URL": "",
        "EMBEDDING_MODEL": "", "RERANKER": "auto", "RERANK_MODEL": "", "WEAVIATE_URL": "",
    }  # fmt: skip
    with ExitStack() as stack:
        if store == "weaviate":
            program = find_server(settings.WEAVIATE_SERVER_BIN)
            assert program is not None
            server = stack.enter_context(WeaviateServer(program, folder / "weaviate"))
            environment |= {
                "WEAVIATE_URL": server.url, "WEAVIATE_GRPC_PORT": str(server.grpc_port),
                "BENCH_SERVER_PID": str(server.pid),
            }  # fmt: skip
        yield environment


def _run(size: int, searches: int, environment: dict[str, str]) -> Searched:
    command = [sys.executable, "-m", "chatapp.operations.bench.large_search", str(size), str(searches)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise StartFailed("The measurement of retrieval ended without figures; the lines above say why.")
    return Searched.from_json(json.loads(done.stdout.splitlines()[-1]))
