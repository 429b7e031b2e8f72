"""The product from outside, as any program sees it: its HTTP API and its sockets."""

from __future__ import annotations

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

OVER = ("ready", "failed")
PAGE = 200


class Unexpected(RuntimeError):
    """The product answered something else than the contract says; the message holds the beginning of it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file to upload."""

    name: str
    data: bytes


class Client:
    """Calls ``/api/v1`` with a key. Safe to use from several threads."""

    def __init__(self, *, url: str, key: str) -> None:
        self.url = url
        self._key = key

    def raw(
        self, method: str, path: str, body: object = None, *, media_type: str = "application/json", timeout: float = 120
    ) -> tuple[int, bytes]:
        """Return status and body; a 429 is waited for, any other status is returned."""
        headers = {"Authorization": f"Bearer {self._key}"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = media_type
        address = f"{self.url}/api/v1{path}"
        while True:
            request = urllib.request.Request(address, data=data, headers=headers, method=method)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=timeout) as reply:  # noqa: S310 - our own server
                    return reply.status, reply.read()
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 429:
                        return error.code, error.read()
                    time.sleep(float(error.headers.get("Retry-After", 1)))

    def call(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Return the decoded answer.

        :raises Unexpected: the status is no success.
        """
        status, answer = self.raw(method, path, body, **options)
        if status >= 300:
            raise Unexpected(f"{method} {path} answered {status}: {answer[:300]!r}")
        return json.loads(answer) if answer else None

    # --- documents

    def knowledge_base(self, name: str) -> str:
        """Create a knowledge base and return its id."""
        return str(self.call("POST", "/knowledge-bases", {"name": f"{name} {uuid.uuid4().hex[:6]}"})["id"])

    def upload(self, base: str, file: Upload) -> dict[str, Any]:
        """Upload a file and return the document as accepted."""
        return self.send(f"/knowledge-bases/{base}/documents", file)

    def add_version(self, document: str, file: Upload) -> dict[str, Any]:
        """Upload a new version of a document."""
        return self.send(f"/documents/{document}/versions", file)

    def send(self, path: str, file: Upload) -> dict[str, Any]:
        boundary = f"----bench{uuid.uuid4().hex}"
        name = file.name.replace('"', "'")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + file.data + f"\r\n--{boundary}--\r\n".encode()
        answer: dict[str, Any] = self.call("POST", path, body, media_type=f"multipart/form-data; boundary={boundary}")
        return answer

    def documents(self, base: str) -> dict[str, dict[str, Any]]:
        """Return every document of a base by id."""
        found: dict[str, dict[str, Any]] = {}
        cursor = ""
        while True:
            more = f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""
            page = self.call("GET", f"/knowledge-bases/{base}/documents?limit={PAGE}{more}")
            found.update({row["id"]: row for row in page["items"]})
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def wait(self, base: str, ids: Collection[str], *, limit: float = 900) -> dict[str, dict[str, Any]]:
        """Wait until all these documents of a base are ready or failed, and return them.

        :raises Unexpected: some are still being worked on after ``limit`` seconds.
        """
        deadline = time.monotonic() + limit
        while True:
            rows = self.documents(base)
            there = {pk: rows[pk] for pk in ids if pk in rows}
            if len(there) == len(ids) and all(row["status"] in OVER for row in there.values()):
                return there
            if time.monotonic() > deadline:
                stuck = [row["title"] for row in there.values() if row["status"] not in OVER]
                raise Unexpected(f"{len(stuck)} of {len(ids)} documents not ready after {limit:.0f} s: {stuck[:5]}")
            time.sleep(0.2)

    def ingest(
        self, base: str, files: Sequence[Upload], *, at_once: int = 4, limit: float = 900
    ) -> list[dict[str, Any]]:
        """Upload all files, wait until none is worked on any more, and return the documents in the same order."""
        with ThreadPoolExecutor(at_once) as threads:
            ids = [str(row["id"]) for row in threads.map(lambda file: self.upload(base, file), files)]
        rows = self.wait(base, set(ids), limit=limit)
        return [rows[pk] for pk in ids]

    def text(self, document: str, version: int) -> str:
        """Return the canonical text of a version."""
        status, body = self.raw("GET", f"/documents/{document}/versions/{version}/text")
        if status != 200:
            raise Unexpected(f"the text of {document} version {version} answered {status}")
        return body.decode("utf-8")

    # --- questions

    def search(self, query: str, bases: Sequence[str], *, limit: int = 10, **more: Any) -> dict[str, Any]:
        """Return the answer of the search endpoint."""
        body = {"query": query, "knowledge_bases": list(bases), "limit": limit, **more}
        answer: dict[str, Any] = self.call("POST", "/search", body)
        return answer

    def ask(
        self, question: str, bases: Sequence[str] = (), *, earlier: Iterable[Mapping[str, str]] = (), **more: Any
    ) -> dict[str, Any]:
        """Ask the default assistant and return the whole answer."""
        body = {"model": "default", "messages": [*earlier, {"role": "user", "content": question}], **more}
        if bases:
            body["knowledge_bases"] = list(bases)
        answer: dict[str, Any] = self.call("POST", "/chat/completions", body)
        return answer


def sign_in(*, url: str, email: str, password: str) -> str:
    """Sign in by the page's form and return the ``Cookie`` header of the session.

    :raises Unexpected: the form was refused.
    """
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    address = f"{url}/accounts/login/"
    page = opener.open(address, timeout=60).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    fields = {"csrfmiddlewaretoken": token.group(1) if token else "", "login": email, "password": password}
    form = urllib.parse.urlencode(fields).encode()
    opener.open(urllib.request.Request(address, form, {"Referer": address}), timeout=60).close()  # noqa: S310
    cookies = {cookie.name: cookie.value for cookie in jar}
    if "sessionid" not in cookies:
        raise Unexpected("signing in was refused")
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def socket_headers(*, url: str, cookie: str) -> dict[str, str]:
    """Return the headers with which the product accepts a socket."""
    return {"Cookie": cookie, "Origin": url}


def socket_url(url: str) -> str:
    """Return the address of the chat socket."""
    return f"ws{url.removeprefix('http')}/ws/chat/"
