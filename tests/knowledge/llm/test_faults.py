from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

import pytest

from knowledge.errors import (
    KnowledgeError,
    ModelBusy,
    ModelInterrupted,
    ModelNotConfigured,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from knowledge.llm.faults import TOO_LONG, Fault, error_for_status, fault_from
from knowledge.llm.retry import next_delay


class Wrapped(Exception):
    """As LiteLLM raises it: a status, headers, perhaps the cause of a broken stream."""

    def __init__(
        self, status: int | None = None, headers: Mapping[str, str] | None = None, cause: Exception | None = None
    ) -> None:
        super().__init__("secret prompt text")
        self.status_code = status
        self.litellm_response_headers = headers
        self.original_exception = cause


class ContextWindowExceededError(Wrapped):
    pass


class ReadTimeout(Exception):
    pass


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ModelRefused),
        (401, ModelNotConfigured),
        (402, ModelNotConfigured),
        (403, ModelNotConfigured),
        (404, ModelNotConfigured),
        (408, ModelTimeout),
        (413, ModelRefused),
        (422, ModelRefused),
        (429, ModelBusy),
        (500, ModelUnavailable),
        (503, ModelUnavailable),
        (504, ModelTimeout),
        (529, ModelUnavailable),
    ],
)
def test_status_is_named(status: int, error: type[KnowledgeError]) -> None:
    assert type(error_for_status(status)) is error
    assert type(fault_from(Wrapped(status), began=False).error) is error


@pytest.mark.parametrize(
    ("exc", "error"),
    [
        (ReadTimeout(), ModelTimeout),
        (TimeoutError(), ModelTimeout),
        (ConnectionRefusedError(), ModelUnavailable),
        (ValueError("no JSON"), ModelUnavailable),
        (Wrapped(500, cause=ModelBusy()), ModelBusy),
    ],
)
def test_failure_without_a_status_is_named(exc: Exception, error: type[KnowledgeError]) -> None:
    assert type(fault_from(exc, began=False).error) is error


@pytest.mark.parametrize("exc", [Wrapped(429), ValueError(), ConnectionResetError(), ModelUnavailable()])
def test_failure_after_the_first_token_is_an_interruption(exc: Exception) -> None:
    assert type(fault_from(exc, began=True).error) is ModelInterrupted


def test_timeout_after_the_first_token_stays_a_timeout() -> None:
    assert type(fault_from(ModelTimeout(), began=True).error) is ModelTimeout


def test_too_long_prompt_is_said_in_words_without_the_providers_text() -> None:
    error = fault_from(ContextWindowExceededError(400), began=False).error
    assert error.message == TOO_LONG
    assert "secret" not in str(fault_from(Wrapped(400), began=False).error)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert fault_from(Wrapped(429, {"retry-after": "7"}), began=False).retry_after == 7.0
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    seconds = fault_from(Wrapped(503, {"retry-after": date}), began=False).retry_after
    assert seconds is not None
    assert 27 < seconds <= 30
    assert fault_from(Wrapped(429, {"retry-after": "soon"}), began=False).retry_after is None
    assert fault_from(Wrapped(429), began=False).retry_after is None


def test_only_transient_faults_are_tried_again_and_only_twice() -> None:
    busy = Fault(error=ModelBusy())
    assert next_delay(busy, attempt=1, budget=10) is not None
    assert next_delay(busy, attempt=2, budget=10) is not None
    assert next_delay(busy, attempt=3, budget=10) is None
    for error in (ModelRefused(), ModelNotConfigured(), ModelTimeout(), ModelInterrupted()):
        assert next_delay(Fault(error=error), attempt=1, budget=10) is None


def test_delay_grows_jitters_honours_the_server_and_fits_the_budget() -> None:
    busy = Fault(error=ModelBusy())
    first = {next_delay(busy, attempt=1, budget=10) for _ in range(50)}
    assert len(first) > 1
    assert all(0.125 <= delay <= 0.375 for delay in first if delay is not None)
    asked = Fault(error=ModelBusy(), retry_after=3.0)
    assert next_delay(asked, attempt=1, budget=10) == 3.0
    assert next_delay(asked, attempt=1, budget=2.9) is None
