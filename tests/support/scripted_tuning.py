"""A scripted provider of fine-tuning: files and jobs of OpenAI's shape over real HTTP, standard library only.

Jobs pass through ``stages`` by one each time they are asked for. ``refuse`` answers calls of a kind ("GET /jobs",
"POST /jobs", "POST /files", "GET /files", "GET /job") with statuses, one for each call.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["ScriptedTuning"]

Json = dict[str, Any]


class ScriptedTuning:
    """A server for a ``with`` block; ``url`` ends with /v1."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, str]] = {}  # id: name, text
        self.jobs: dict[str, Json] = {}
        self.calls: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.refuse: dict[str, list[int]] = {}
        self.stages = ["queued", "running", "succeeded"]
        self.error: Json | None = None
        self.lock = threading.Lock()
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.answer(self, b"")

            def do_POST(self) -> None:
                script.answer(self, self.rfile.read(int(self.headers.get("content-length", 0))))

            def do_DELETE(self) -> None:
                script.answer(self, b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        with self.lock:
            status, reply = self._reply(request, body)
        data = json.dumps(reply).encode()
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _reply(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Json]:
        path = request.path.partition("?")[0].removeprefix("/v1")
        kind = f"{request.command} {self._kind(path)}"
        self.calls[kind] += 1
        self.keys.add(request.headers.get("authorization", "").removeprefix("Bearer "))
        if self.refuse.get(kind):
            return self.refuse[kind].pop(0), {"error": {"message": "Scripted refusal: row 3 is too long.", "type": "x"}}
        if kind == "POST /files":
            return 200, self._file(self._add_file(body))
        if kind == "GET /files":
            return 200, {"object": "list", "data": [self._file(name) for name in self.files], "has_more": False}
        if kind == "POST /jobs":
            return 200, self._add_job(json.loads(body))
        if kind == "GET /jobs":
            return 200, {"object": "list", "data": list(self.jobs.values()), "has_more": False}
        if kind == "DELETE /file":
            del self.files[path.split("/")[2]]
            return 200, {"id": path.split("/")[2], "object": "file", "deleted": True}
        job = self.jobs.get(path.split("/")[3] if path.count("/") > 2 else "")
        if job is None:
            return 404, {"error": {"message": "No such job.", "type": "x"}}
        self._advance(job, cancel=path.endswith("/cancel"))
        return 200, job

    @staticmethod
    def _kind(path: str) -> str:
        if path == "/files":
            return "/files"
        if path == "/fine_tuning/jobs":
            return "/jobs"
        if path.startswith("/files/"):
            return "/file"
        return "/cancel" if path.endswith("/cancel") else "/job"

    def _add_file(self, body: bytes) -> str:
        name = re.search(rb'filename="([^"]+)"', body)
        assert name is not None
        start = body.index(b"\r\n\r\n", name.end()) + 4
        text = body[start : body.index(b"\r\n--", start)].decode()
        key = f"file-{len(self.files) + 1}"
        self.files[key] = (name[1].decode(), text)
        return key

    def _file(self, key: str) -> Json:
        name, text = self.files[key]
        return {"id": key, "object": "file", "bytes": len(text), "created_at": 1, "filename": name,
                "purpose": "fine-tune", "status": "processed"}  # fmt: skip

    def _add_job(self, asked: Json) -> Json:
        key = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[key] = {
            "id": key, "object": "fine_tuning.job", "created_at": 1, "error": None, "fine_tuned_model": None,
            "finished_at": None, "hyperparameters": asked.get("hyperparameters", {}), "model": asked["model"],
            "organization_id": "org", "result_files": [], "seed": asked.get("seed") or 0, "status": self.stages[0],
            "trained_tokens": None, "training_file": asked["training_file"],
            "validation_file": asked.get("validation_file"), "user_provided_suffix": asked.get("suffix"),
        }  # fmt: skip
        return self.jobs[key]

    def _advance(self, job: Json, *, cancel: bool) -> None:
        if cancel:
            job["status"] = "cancelled"
        elif job["status"] in self.stages[:-1]:
            job["status"] = self.stages[self.stages.index(job["status"]) + 1]
        if job["status"] == "succeeded":
            job |= {"fine_tuned_model": f"ft:{job['model']}:org:{job['user_provided_suffix']}", "trained_tokens": 2400}
        if job["status"] == "failed":
            job["error"] = self.error
