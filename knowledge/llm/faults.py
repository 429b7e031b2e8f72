"""From LiteLLM's and its HTTP clients' exceptions to ours."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.errors import (
    LanguageModelError,
    ModelBusy,
    ModelInterrupted,
    ModelNotConfigured,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)

TOO_LONG = "The question and its sources are too long for this language model."
BLOCKED = "The language model's provider refused to answer this question."

_BY_NAME: Mapping[str, tuple[type[LanguageModelError], str | None]] = {
    "ContextWindowExceededError": (ModelRefused, TOO_LONG),
    "ContentPolicyViolationError": (ModelRefused, BLOCKED),
    "AuthenticationError": (ModelNotConfigured, None),
    "PermissionDeniedError": (ModelNotConfigured, None),
    "NotFoundError": (ModelNotConfigured, None),
    "LiteLLMUnknownProvider": (ModelNotConfigured, None),
    "PaymentRequiredError": (ModelNotConfigured, None),
    "Timeout": (ModelTimeout, None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failed attempt. ``retry_after`` is what the server asked for, in seconds."""

    error: LanguageModelError
    retry_after: float | None = None

    @property
    def transient(self) -> bool:
        return isinstance(self.error, ModelBusy | ModelUnavailable)

    @property
    def busy(self) -> bool:
        return isinstance(self.error, ModelBusy)


def fault_from(exc: BaseException, *, began: bool) -> Fault:
    """Name what happened. ``began`` says that text of the answer has already arrived."""
    # LiteLLM wraps what breaks a stream into MidStreamFallbackError, for its router.
    cause = getattr(exc, "original_exception", None) or exc
    if began:
        return Fault(error=ModelTimeout() if _is_timeout(cause) else ModelInterrupted())
    if isinstance(cause, LanguageModelError):
        return Fault(error=cause)
    return Fault(error=_before_first_token(cause), retry_after=_retry_after(cause))


def _before_first_token(cause: BaseException) -> LanguageModelError:
    for kind in type(cause).__mro__:
        if kind.__name__ in _BY_NAME:
            error, message = _BY_NAME[kind.__name__]
            return error(message)
    if _is_timeout(cause):
        return ModelTimeout()
    status = getattr(cause, "status_code", None)
    if type(cause).__name__ in ("APIConnectionError", "APIResponseValidationError") or not isinstance(status, int):
        return ModelUnavailable()
    return error_for_status(status)


def error_for_status(status: int) -> LanguageModelError:
    if status in (401, 402, 403, 404):
        return ModelNotConfigured()
    if status == 429:
        return ModelBusy()
    if status in (408, 504):
        return ModelTimeout()
    if 400 <= status < 500:
        return ModelRefused(TOO_LONG if status == 413 else None)
    return ModelUnavailable()


def _is_timeout(cause: BaseException) -> bool:
    return isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__


def _retry_after(cause: Any) -> float | None:
    """Seconds named by a Retry-After header, as a number or a date (RFC 9110, 10.2.3)."""
    for holder in (cause, getattr(cause, "response", None)):
        for name in ("litellm_response_headers", "headers"):
            headers: Any = getattr(holder, name, None)
            value = headers.get("retry-after") if hasattr(headers, "get") else None
            if value is not None:
                return _seconds(str(value))
    return None


def _seconds(value: str) -> float | None:
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
