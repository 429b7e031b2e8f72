"""Citations that a provider makes itself: how passages are handed over to it, and who refused.

Anthropic takes ``document`` blocks in the newest message, Cohere (version 2 of its API) a list of ``documents`` beside
the messages. What comes back is read in ``native_streams``. A server that refuses the option is asked without it, and
not again for an hour.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from knowledge.errors import LanguageModelError, ModelRefused
from knowledge.llm.faults import BLOCKED, TOO_LONG
from knowledge.llm.types import Document, Handover, Message, ModelSettings

__all__ = ["Dialect", "NativeCall", "dialect", "forget_refusals"]

logger = logging.getLogger(__name__)

Dialect: TypeAlias = Literal["anthropic", "cohere"]

REFUSED_SECONDS = 3600.0
"""How long a server that refused is not asked again: it may be another version by then."""

_lock = threading.Lock()
_refused: dict[tuple[str, str | None], float] = {}  # (model, address) -> when, by the monotonic clock


def dialect(model: str) -> Dialect | None:
    """Return whose way of citing a LiteLLM model string leads to; None where there is none that Footnote speaks."""
    provider, _, name = model.partition("/")
    if provider == "anthropic":
        return "anthropic"
    if provider in ("cohere", "cohere_chat") and "v1/" not in name:
        return "cohere"
    return None


class NativeCall:
    """One call that may be made with documents. ``documents`` is empty where it is made without them."""

    def __init__(self, settings: ModelSettings) -> None:
        self._key = (settings.model, settings.api_base)
        self._dialect = dialect(settings.model)
        given = settings.handover
        self._handover = given if self._dialect is not None and given is not None and not self._was_refused() else None
        self._fell_back = False

    @property
    def documents(self) -> Sequence[str]:
        """The labels of the passages handed over, in their order."""
        return [document.label for document in self._handover.documents] if self._handover else ()

    def arguments(self, messages: Sequence[Message]) -> dict[str, Any]:
        """Return the messages to send, and what else goes into the request."""
        if self._handover is None:
            return {"messages": list(messages)}
        if self._dialect == "anthropic":
            return {"messages": _with_blocks(messages, self._handover)}
        return {
            "messages": [*messages[:-1], {**messages[-1], "content": self._handover.content}],
            "documents": [_cohere_document(document) for document in self._handover.documents],
            "citation_options": {"mode": "FAST"},  # while it writes; the slow mode cites when all has been shown
        }

    def falls_back(self, error: LanguageModelError) -> bool:
        """Tell whether to ask once more without documents, since the server did not take the request with them."""
        if self._handover is None or not isinstance(error, ModelRefused) or error.message in (TOO_LONG, BLOCKED):
            return False
        self._handover, self._fell_back = None, True
        return True

    def answered(self) -> None:
        """Note that the server answers. If it did so only without documents, those were what it refused."""
        if self._fell_back:
            self._fell_back = False
            with _lock:
                _refused[self._key] = time.monotonic()
            logger.warning("model %s does not take documents for citations of its own; asked without", self._key[0])

    def _was_refused(self) -> bool:
        with _lock:
            at = _refused.get(self._key)
        return at is not None and time.monotonic() - at < REFUSED_SECONDS


def forget_refusals() -> None:
    """Ask every server again."""
    with _lock:
        _refused.clear()


def _with_blocks(messages: Sequence[Message], handover: Handover) -> list[Message]:
    """Put the passages into the newest message as documents of plain text, which Anthropic cites by characters."""
    blocks: list[Mapping[str, Any]] = []
    for document in handover.documents:
        block: dict[str, Any] = {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": document.text},
            "title": f"[{document.label}] {document.title}",
            "citations": {"enabled": True},
        }
        if document.context:
            block["context"] = document.context
        blocks.append(block)
    blocks.append({"type": "text", "text": handover.content})
    return [*messages[:-1], {**messages[-1], "content": blocks}]


def _cohere_document(document: Document) -> dict[str, Any]:
    data = {"title": f"[{document.label}] {document.title}", "text": document.text}
    if document.context:
        data["context"] = document.context
    return {"id": document.label, "data": data}
