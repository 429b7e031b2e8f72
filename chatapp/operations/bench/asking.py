"""Questions asked all the time while something else goes on, and what was wrong with their answers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from chatapp.operations.bench import corpus
from chatapp.operations.bench.client import Client

__all__ = ["Asked", "Asker", "ask", "right", "sure_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question about a section and its answer; times are of ``time.monotonic``."""

    number: int
    began: float
    ended: float
    content: str
    cited: tuple[tuple[str, int], ...]  # document and version of each citation
    exact: bool  # every quote stands where its citation says, as far as its text can be read

    @property
    def empty(self) -> bool:
        return not self.cited


class Asker:
    """Asks about random sections from several threads until it is left."""

    def __init__(self, client: Client, base: str, numbers: Sequence[int], *, threads: int = 2) -> None:
        self._client, self._base, self._numbers = client, base, numbers
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._threads = threads
        self.asked: list[Asked] = []
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        for seed in range(self._threads):
            self._pool.submit(self._run, random.Random(seed))  # noqa: S311 - the same order every time
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pool.shutdown()

    def wait_for(self, count: int, *, seconds: float) -> None:
        """Wait until so many more questions were answered, but no longer than ``seconds``."""
        until, deadline = len(self.asked) + count, time.monotonic() + seconds
        while len(self.asked) < until and time.monotonic() < deadline:
            time.sleep(0.05)

    def _run(self, chosen: random.Random) -> None:
        while not self._stop.is_set():
            try:
                self.asked.append(ask(self._client, self._base, chosen.choice(self._numbers)))
            except Exception as error:  # boundary of the thread: an answer that did not come is a finding
                self.failed.append(f"{type(error).__name__}: {error}")


def ask(client: Client, base: str, number: int) -> Asked:
    """Ask for the fact of a section."""
    began = time.monotonic()
    answer = client.ask(corpus.fact(number).question, [base])
    ended = time.monotonic()
    return Asked(
        number=number, began=began, ended=ended, content=answer["choices"][0]["message"]["content"],
        cited=tuple((c["document"], c["version"]) for c in answer["citations"]),
        exact=all(_holds(client, citation) for citation in answer["citations"]),
    )  # fmt: skip


def _holds(client: Client, citation: dict[str, Any]) -> bool:
    path = f"/documents/{citation['document']}/versions/{citation['version']}/text"
    status, body = client.raw("GET", path)
    if status == 404:  # deleted since: there is no text to compare with
        return True
    return bool(body.decode()[citation["start"] : citation["end"]] == citation["quote"])


def right(asked: Asked) -> bool:
    """Whether the answer holds the fact and cites something."""
    return corpus.fact(asked.number).answer in asked.content and not asked.empty and asked.exact


def sure_of(client: Client, base: str, numbers: Sequence[int]) -> list[int]:
    """Return the sections whose question is answered rightly while nothing else goes on."""
    return [number for number in numbers if right(ask(client, base, number))]
