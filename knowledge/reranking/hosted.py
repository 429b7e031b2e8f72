"""Any reranking model that LiteLLM can reach: Cohere, Jina, Voyage, vLLM, Infinity and others."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

from knowledge import llm
from knowledge.errors import (
    LanguageModelError,
    ModelBusy,
    ModelNotConfigured,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    RerankFailed,
)
from knowledge.reranking.base import RerankCandidate, RerankQuery, passage_text, query_text
from knowledge.reranking.circuit import Circuit
from knowledge.reranking.scale import UnitScale

__all__ = ["HostedReranker"]

logger = logging.getLogger(__name__)

THREADS = 8

_WORDS: Mapping[type[LanguageModelError], str] = {
    ModelNotConfigured: "The reranking model is not set up: its address or key was not accepted.",
    ModelRefused: "The reranking model did not accept the request.",
    ModelBusy: "The reranking model is busy.",
    ModelUnavailable: "The reranking model cannot be reached or gave no usable answer.",
}


class HostedReranker:
    """One request a question, over HTTP, for which there are ``timeout`` seconds and no more.

    A passage the answer leaves out gets the lowest score given. After three failures in a row nothing is asked for
    30 seconds, so that a dead service costs a search its time budget three times and not each time.
    """

    name: ClassVar[str] = "hosted"
    weight: ClassVar[float] = 1.0

    def __init__(
        self, model: str, api_base: str | None = None, api_key: str | None = None, *, timeout: float = 2.0,
        circuit: Circuit | None = None, extra: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._settings = llm.ModelSettings(
            model=model, api_base=api_base, api_key=api_key, deadlines=llm.Deadlines(total=timeout), extra=extra or {}
        )
        self._timeout = timeout
        self._circuit = circuit or Circuit()
        self._scale = UnitScale()
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    @property
    def model(self) -> str:
        return self._settings.model

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return 0..1 for each candidate, in the order given.

        :raises RerankFailed: no usable answer within the time, or none was asked for.
        """
        if not candidates:
            return []
        llm.warm_up()  # its import, once a process, is not the service's fault
        if wait := self._circuit.wait():
            raise RerankFailed(f"The reranking model failed several times; it is asked again in {math.ceil(wait)} s.")
        try:
            found = self._judge(query_text(query), [passage_text(candidate) for candidate in candidates])
        except BaseException:
            self._circuit.failed()
            raise
        self._circuit.succeeded()
        return found

    def warm_up(self) -> None:
        """Import LiteLLM, for a process that is about to serve."""
        llm.warm_up()

    def close(self) -> None:
        """Let go of the threads; requests under way end with their time."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _judge(self, query: str, documents: list[str]) -> list[float]:
        # The client's own timeout restarts with every byte that arrives; waiting for a thread has one end.
        asked = self._submit(query, documents)
        try:
            pairs = asked.result(self._timeout)
        except (TimeoutError, ModelTimeout) as err:
            asked.cancel()
            raise RerankFailed(f"The reranking model took longer than {self._timeout:g} s.") from err
        except LanguageModelError as err:
            own = err.message if err.message != err.default_message else ""
            raise RerankFailed(own or _WORDS.get(type(err))) from err
        if not pairs:
            raise RerankFailed("The reranking model gave no scores.")
        try:
            scaled = self._scale([score for _, score in pairs])
        except ValueError as err:
            raise RerankFailed("The reranking model gave a score that is no number.") from err
        return _in_order(pairs, scaled, count=len(documents))

    def _submit(self, query: str, documents: list[str]) -> Future[list[tuple[int, float]]]:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="rerank")
        return self._threads.submit(llm.rerank, self._settings, query, documents, len(documents))


def _in_order(pairs: Sequence[tuple[int, float]], scaled: Sequence[float], *, count: int) -> list[float]:
    """Put scores (best first) in the order of the documents; of two for one document the better counts."""
    found: dict[int, float] = {}
    for (index, _), score in zip(pairs, scaled, strict=True):
        found.setdefault(index, score)
    if len(found) < count:
        logger.warning("the reranking model left passages out: missing=%s", count - len(found))
    lowest = min(scaled)
    return [found.get(index, lowest) for index in range(count)]
