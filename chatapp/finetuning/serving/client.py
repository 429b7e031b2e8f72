"""Calls to a model server that are no questions: health, load, adapters. Ours and vLLM's, over the same addresses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chatapp.finetuning.serving.errors import ServerSilent

__all__ = ["Client"]

QUICK, SLOW = 5.0, 300.0  # seconds; loading reads weights from the disk


@dataclass(frozen=True, slots=True)
class Client:
    """A server by its address (``http://host:port``) and its token."""

    address: str
    token: str = field(default="", repr=False)

    def healthy(self) -> bool:
        try:
            return self._call("GET", "/health")[0] == 200
        except ServerSilent:
            return False

    def models(self) -> list[str]:
        """:raises ServerSilent: it does not answer."""
        listed = self._json("GET", "/v1/models").get("data", [])
        return [str(each.get("id")) for each in listed if isinstance(each, Mapping)]

    def load(self) -> dict[str, Any]:
        """Return what our own server tells of its work. :raises ServerSilent: it does not answer."""
        return self._json("GET", "/load")

    def load_adapter(self, *, name: str, path: str, digest: str = "") -> None:
        """:raises ServerSilent: it refuses, with its own words."""
        body = {"lora_name": name, "lora_path": path, **({"digest": digest} if digest else {})}
        self._json("POST", "/v1/load_lora_adapter", body, seconds=SLOW)

    def load_model(self, *, name: str, path: str, digest: str) -> None:
        """:raises ServerSilent: it refuses, with its own words."""
        self._json("POST", "/v1/load_model", {"name": name, "path": path, "digest": digest}, seconds=SLOW)

    def unload(self, name: str) -> None:
        """:raises ServerSilent: it refuses, with its own words."""
        self._json("POST", "/v1/unload_lora_adapter", {"lora_name": name}, seconds=SLOW)

    def metrics(self) -> dict[str, float]:
        """Return vLLM's counts of requests running and waiting. :raises ServerSilent: it does not answer."""
        _, text = self._call("GET", "/metrics")
        wanted = {"vllm:num_requests_running": "running", "vllm:num_requests_waiting": "waiting"}
        found: dict[str, float] = {}
        for line in text.decode("utf-8", "replace").splitlines():
            name, _, value = line.rpartition(" ")
            known = wanted.get(name.partition("{")[0])
            if known and value:
                found[known] = found.get(known, 0.0) + float(value)
        return found

    def _json(self, method: str, path: str, body: Any = None, *, seconds: float = QUICK) -> dict[str, Any]:
        status, reply = self._call(method, path, body, seconds=seconds)
        try:
            data = json.loads(reply) if reply.strip().startswith(b"{") else {}
        except ValueError:
            data = {}
        if status != 200:
            raise ServerSilent(_words(status, data, reply))
        return data if isinstance(data, dict) else {}

    def _call(self, method: str, path: str, body: Any = None, *, seconds: float = QUICK) -> tuple[int, bytes]:
        parts = urlsplit(self.address)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port or (443 if secure else 80), timeout=seconds)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            reply = connection.getresponse()
            return reply.status, reply.read(1024 * 1024)
        except (OSError, http.client.HTTPException) as error:
            raise ServerSilent from error
        finally:
            connection.close()


def _words(status: int, data: Any, reply: bytes) -> str:
    error = data.get("error") if isinstance(data, dict) else None
    said = error.get("message") if isinstance(error, dict) else data.get("message") if isinstance(data, dict) else None
    text = str(said or reply[:300].decode("utf-8", "replace").strip() or f"status {status}")
    if "max_lora_rank" in text or "max-lora-rank" in text:
        return f"It allows adapters of a smaller rank only: start it with a larger --max-lora-rank. It said: {text}"
    if status == 404 and "error" not in str(data):
        return "The server does not load adapters while it runs. Start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True."
    return text[:400]
