"""Find the Weaviate server on this machine, or build it once with Go.

Also a program: ``python -m knowledge.stores.weaviate_binary`` prints the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = "github.com/weaviate/weaviate/cmd/weaviate-server"
VERSION = "v1.39.0"
BIN_DIR = Path(__file__).resolve().parents[2] / ".local" / "bin"


class WeaviateMissing(RuntimeError):
    """There is no server program; the message says what to do."""


def find_server(preferred: str = "") -> Path | None:
    """Return the program from ``preferred`` (a path), the checkout's ``.local/bin``, or PATH."""
    for candidate in (Path(preferred) if preferred else None, BIN_DIR / "weaviate-server"):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("weaviate-server")
    return Path(found) if found else None


def install_server() -> Path:
    """Build the server with Go into ``.local/bin``; about three minutes, once.

    :raises WeaviateMissing: no Go, or the build failed.
    """
    go = shutil.which("go")
    if go is None:
        raise WeaviateMissing(
            "There is no Weaviate server and no Go to build one: install Go, or set WEAVIATE_URL to a running server."
        )
    BIN_DIR.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(BIN_DIR), "CGO_ENABLED": "0"}
    built = subprocess.run([go, "install", f"{MODULE}@{VERSION}"], env=environment, check=False)  # noqa: S603
    server = find_server()
    if built.returncode or server is None:
        raise WeaviateMissing("Building the Weaviate server failed; the lines above say why.")
    return server


def main() -> int:
    server = find_server(os.environ.get("WEAVIATE_SERVER_BIN", ""))
    if server is None:
        print("Building the Weaviate server with Go; this takes about three minutes, once.", flush=True)
        try:
            server = install_server()
        except WeaviateMissing as error:
            print(error, file=sys.stderr)
            return 1
    print(server)
    return 0


if __name__ == "__main__":
    sys.exit(main())
