"""The control of the process, tried on a small stand-in program over real HTTP."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from knowledge.errors import StoreUnavailable
from knowledge.stores.weaviate_server import WeaviateServer

READY = f"""#!{sys.executable}
import http.server, json, os, sys
from pathlib import Path
Path("seen.json").write_text(json.dumps(dict(os.environ)))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/v1/.well-known/ready" else 404)
        self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer((sys.argv[2], int(sys.argv[4])), Handler).serve_forever()
"""
FAILING = f"#!{sys.executable}\nprint('out of luck')\nraise SystemExit(3)\n"
SILENT = f"#!{sys.executable}\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n"


def program(folder: Path, source: str) -> Path:
    path = folder / "weaviate-server"
    path.write_text(source)
    path.chmod(0o755)
    return path


def test_server_is_ready_after_start_and_gone_after_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "secret")
    server = WeaviateServer(program(tmp_path, READY), tmp_path / "data")
    assert not server.running
    server.start()
    first = server.pid
    server.start()  # already running: nothing happens
    assert (server.running, server.pid) == (True, first)
    seen = (tmp_path / "data" / "seen.json").read_text()
    assert "secret" not in seen
    assert str(server.grpc_port) in seen
    server.stop()
    server.stop()
    assert (server.running, server.pid) == (False, None)


def test_ports_are_distinct_and_may_be_chosen(tmp_path: Path) -> None:
    server = WeaviateServer(tmp_path / "none", tmp_path, port=18080, grpc_port=18081)
    environment = server.environment()
    names = ("CLUSTER_GOSSIP_BIND_PORT", "CLUSTER_DATA_BIND_PORT", "RAFT_PORT", "RAFT_INTERNAL_RPC_PORT", "GRPC_PORT")
    assert len({environment[name] for name in names}) == 5
    assert (server.url, environment["GRPC_PORT"]) == ("http://127.0.0.1:18080", "18081")
    assert server.command()[1:] == ["--host", "127.0.0.1", "--port", "18080", "--scheme", "http"]


def test_server_that_ends_at_once_is_reported_with_its_log_kept(tmp_path: Path) -> None:
    server = WeaviateServer(program(tmp_path, FAILING), tmp_path / "data")
    with pytest.raises(StoreUnavailable, match="ended"):
        server.start(timeout=20)
    assert not server.running
    assert "out of luck" in (tmp_path / "data" / "server.log").read_text()


def test_server_that_never_gets_ready_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = WeaviateServer(program(tmp_path, SILENT), tmp_path / "data")
    stop = server.stop
    monkeypatch.setattr(server, "stop", lambda: stop(timeout=0.3))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="not ready in time"):
        server.start(timeout=0.5)
    assert not server.running
    assert time.monotonic() - started < 10
