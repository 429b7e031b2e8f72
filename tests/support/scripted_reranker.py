"""The scripted reranking model: Cohere's and Infinity's / Jina's request over real HTTP, standard library only.

The model's *name* in the request chooses what it does:

============  ==================================================================================
rank          scores 0..1: the share of the query's words that a document holds, best first
rank-logits   the same as ``20 * share - 10``, as vLLM and Infinity may give them
rank-slow     the same after 1.5 s
rank-drip     one byte every 50 ms, without end
rank-500      HTTP 500 (any other status likewise: 400, 401, 429, ...)
rank-garbage  no JSON; rank-html the page of a proxy, with status 200
rank-unknown  an index that was not asked about
rank-missing  only the best two documents
rank-twice    every document twice, the second time with score 0
rank-empty    no results; rank-shapeless results without their fields
rank-nan      a score that is no number
============  ==================================================================================

Cohere is spoken on ``/v1/rerank`` and ``/v2/rerank``, Infinity, Jina and vLLM on ``.../rerank``; the answers differ in
the usage they report and in the passages that Infinity and Jina repeat. The key ``wrong-key`` is refused.
"""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]

SLOW_SECONDS = 1.5


def share(query: str, document: str) -> float:
    """Return the share of the query's words that the document holds."""
    wanted = set(re.findall(r"\w+", query.lower()))
    return len(wanted & set(re.findall(r"\w+", document.lower()))) / max(1, len(wanted))


def results(kind: str, query: str, documents: list[str]) -> list[Json]:
    shares = [share(query, document) for document in documents]
    scores = [20 * value - 10 for value in shares] if kind == "logits" else shares
    rows: list[Json] = [{"index": i, "relevance_score": score} for i, score in enumerate(scores)]
    rows.sort(key=lambda row: -row["relevance_score"])
    if kind == "unknown":
        rows[0]["index"] = len(documents)
    elif kind == "nan":
        rows[0]["relevance_score"] = float("nan")
    elif kind == "shapeless":
        return [{"document": "?"} for _ in rows]
    elif kind == "missing":
        return rows[:2]
    elif kind == "twice":
        return rows + [{**row, "relevance_score": 0.0} for row in rows]
    return [] if kind == "empty" else rows


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_POST(self) -> None:
        body: Json = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append({"path": self.path, "body": body})
        kind = str(body["model"]).rpartition("rank")[2].removeprefix("-")
        if self.headers.get("authorization") == "Bearer wrong-key":
            self.send(401, b'{"message": "invalid api token"}')
        elif re.fullmatch(r"[45]\d\d", kind):
            self.send(int(kind), json.dumps({"message": f"Scripted {kind}."}).encode())
        elif kind == "garbage":
            self.send(200, b'{"results": [{"ind\xff')
        elif kind == "html":
            self.send(200, b"<html><body>Please sign in.</body></html>", "text/html")
        elif kind == "drip":
            self.drip()
        else:
            if kind == "slow":
                time.sleep(SLOW_SECONDS)
            self.send(200, json.dumps(self.answer(kind, body)).encode())

    def answer(self, kind: str, body: Json) -> Json:
        rows = results(kind, body["query"], body["documents"])[: None if kind == "twice" else body.get("top_n")]
        if self.path.startswith(("/v1/rerank", "/v2/rerank")) and "cohere" in str(body["model"]):
            return {"id": "scripted", "results": rows, "meta": {"billed_units": {"search_units": 1}}}
        said = [{**row, "document": "the passage again"} for row in rows] if body.get("return_documents") else rows
        return {"object": "rerank", "results": said, "usage": {"prompt_tokens": 7, "total_tokens": 7}}

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.server.ended.wait(0.05):
            self.wfile.write(b" ")
            self.wfile.flush()
        self.close_connection = True

    def send(self, status: int, body: bytes, media_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # the client had no more time
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class ScriptedServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Json] = []
        self.ended = threading.Event()


class ScriptedReranker:
    """The server in threads of this process: ``with ScriptedReranker() as model: ... model.url ...``"""

    def __init__(self) -> None:
        self._server = ScriptedServer()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Json]:
        """``{path, body}`` of every request since the last reset."""
        return list(self._server.requests)

    def reset(self) -> None:
        self._server.requests.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.ended.set()
        self._server.shutdown()
        self._server.server_close()
