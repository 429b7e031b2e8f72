"""What a vLLM server answers on the addresses beside its chat API, in a thread over real HTTP."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class ScriptedVLLM:
    """Serves ``base``; takes adapters whose name does not hold ``large``, as if their rank were too high."""

    def __init__(self, base: str) -> None:
        self.models = [base]
        self.calls: list[tuple[str, Any]] = []
        self.keys: set[str] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.keys.add(self.headers.get("Authorization", ""))
                if self.path == "/metrics":
                    self._send(200, b'vllm:num_requests_running{model_name="b"} 2.0\nvllm:num_requests_waiting 1.0\n')
                elif self.path == "/v1/models":
                    self._send(200, json.dumps({"data": [{"id": each} for each in server.models]}).encode())
                else:
                    self._send(200, b"")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.calls.append((self.path, body))
                name = body["lora_name"]
                if self.path.endswith("unload_lora_adapter"):
                    server.models.remove(name)
                elif "large" in name:
                    words = "LoRA rank 128 is greater than max_lora_rank 16."
                    self._send(400, json.dumps({"object": "error", "message": words, "code": 400}).encode())
                    return
                else:
                    server.models.append(name)
                self._send(200, b"Success")

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
