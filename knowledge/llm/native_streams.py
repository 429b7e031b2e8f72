"""Read answers with a provider's own citations from the events of its stream.

LiteLLM tells a citation but not the block of text it came with (Anthropic), and reads neither the citations nor the end
of a Cohere stream. So both are read from the HTTP response that LiteLLM opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from knowledge.llm.faults import error_for_status
from knowledge.llm.pieces import Piece
from knowledge.llm.types import NativeCitation, Usage

__all__ = ["AnthropicReader", "CohereReader", "Reader"]

DELAY = 32
"""Characters of a Cohere answer that are kept back, so that a citation of words just written finds them still open."""

_ANTHROPIC_ERRORS = {
    "rate_limit_error": 429, "invalid_request_error": 400, "authentication_error": 401, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "timeout_error": 504,
}  # fmt: skip
_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "content_filter",
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "ERROR_TOXIC": "content_filter",
}  # fmt: skip


class Reader(Protocol):
    """Turns a provider's events into pieces; ``end`` gives what was kept back when the stream has ended or broke."""

    def take(self, event: Any) -> Iterator[Piece]: ...

    def end(self) -> Iterator[Piece]: ...


class AnthropicReader:
    """Anthropic's messages. A block's citations, which come before or after its words, are told at its end."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._waiting: list[NativeCitation] = []
        self._has_words = False
        self._prompt_tokens = 0

    def take(self, event: Any) -> Iterator[Piece]:
        match _get(event, "type"):
            case "content_block_start":
                yield from self.end()
                yield from self._block(_dict(event, "content_block"))
            case "content_block_delta":
                yield from self._delta(_dict(event, "delta"))
            case "content_block_stop":
                yield from self.end()
            case "message_start":
                self._prompt_tokens = _anthropic_prompt(_dict(_dict(event, "message"), "usage"))
            case "message_delta":
                said = _get(_dict(event, "delta"), "stop_reason")
                answered = _get(_dict(event, "usage"), "output_tokens")
                yield Piece(finish=_finish(said), usage=_usage(self._prompt_tokens or None, answered))
            case "error":
                kind = _get(_dict(event, "error"), "type")
                raise error_for_status(_ANTHROPIC_ERRORS.get(str(kind), 500))

    def end(self) -> Iterator[Piece]:
        citations, self._waiting = self._waiting, []
        if self._has_words:  # citations of nothing would pass for ones of the block before
            yield from (Piece(citation=citation) for citation in citations)
        self._has_words = False

    def _block(self, block: Mapping[str, Any]) -> Iterator[Piece]:
        for citation in _list(block, "citations"):
            self._waiting.append(self._citation(citation))
        yield from self._words(block.get("text"))

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        if delta.get("type") == "citations_delta":
            self._waiting.append(self._citation(delta.get("citation")))
        elif delta.get("type") == "text_delta":
            yield from self._words(delta.get("text"))
        else:
            yield Piece(alive=True)  # thinking, its signature

    def _words(self, text: Any) -> Iterator[Piece]:
        if isinstance(text, str) and text:
            self._has_words = self._has_words or not text.isspace()
            yield Piece(text, alive=True)

    def _citation(self, raw: Any) -> NativeCitation:
        index, quote = _get(raw, "document_index"), _get(raw, "cited_text")
        start, end = _get(raw, "start_char_index"), _get(raw, "end_char_index")
        known = _is_number(index) and 0 <= index < len(self._labels)
        placed = _is_number(start) and _is_number(end)
        return NativeCitation(
            label=self._labels[index] if known else "",
            quote=quote if isinstance(quote, str) else "",
            start=start if placed else None,
            end=end if placed else None,
        )


class CohereReader:
    """Cohere's chat, version 2. Its citations name a range of the answer, of which the last words are kept back."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = frozenset(labels)
        self._said = ""
        self._given = 0  # characters of it that were passed on
        self._delay = DELAY if labels else 0

    def take(self, event: Any) -> Iterator[Piece]:
        message = _dict(_dict(event, "delta"), "message")
        match _get(event, "type"):
            case "content-start" | "content-delta":
                text = _get(message.get("content"), "text")
                self._said += text if isinstance(text, str) else ""
                yield Piece(self._up_to(len(self._said) - self._delay), alive=True)
            case "citation-start":
                found = message.get("citations")
                for each in found if isinstance(found, list) else [found]:
                    yield from self._cited(each)
            case "message-end":
                yield from self.end()
                delta = _dict(event, "delta")
                reason = _get(delta, "finish_reason")
                if reason in ("ERROR", "TIMEOUT"):
                    raise error_for_status(504 if reason == "TIMEOUT" else 500)
                tokens = _dict(_dict(delta, "usage"), "tokens")
                yield Piece(
                    finish=_finish(reason), usage=_usage(tokens.get("input_tokens"), tokens.get("output_tokens"))
                )

    def end(self) -> Iterator[Piece]:
        if rest := self._up_to(len(self._said)):
            yield Piece(rest, alive=True)

    def _up_to(self, end: int) -> str:
        text = self._said[self._given : end] if end > self._given else ""
        self._given += len(text)
        return text

    def _cited(self, raw: Any) -> Iterator[Piece]:
        if _get(raw, "type") not in (None, "TEXT_CONTENT"):
            return  # of the plan or of hidden reasoning, which nobody sees
        sources = _list(raw, "sources")
        end = self._end_of(raw)
        if end is None:
            yield Piece(citation=NativeCitation(label="", quote=None, fault="span"))
            return
        if words := self._up_to(end):
            yield Piece(words, alive=True)
        since = self._said[end : self._given]
        for source in sources:
            label = _get(source, "id")
            known = label if isinstance(label, str) and label in self._labels else ""
            yield Piece(citation=NativeCitation(label=known, quote=None, since=since))

    def _end_of(self, raw: Any) -> int | None:
        """Return where the cited words end, None where the answer does not have them; offsets of others may be in
        other units than characters."""
        start, end, words = _get(raw, "start"), _get(raw, "end"), _get(raw, "text")
        if not isinstance(words, str) or not words.strip():
            return None
        if _is_number(start) and _is_number(end) and self._said[max(0, start) : max(0, end)] == words:
            return int(end)
        at = self._said.find(words)
        return at + len(words) if at >= 0 and self._said.find(words, at + 1) < 0 else None


def _get(raw: Any, key: str) -> Any:
    return raw.get(key) if isinstance(raw, Mapping) else None


def _dict(raw: Any, key: str) -> Mapping[str, Any]:
    found = _get(raw, key)
    return found if isinstance(found, Mapping) else {}


def _list(raw: Any, key: str) -> list[Any]:
    found = _get(raw, key)
    return found if isinstance(found, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finish(said: Any) -> str | None:
    return _FINISH.get(said, said.lower()) if isinstance(said, str) and said else None


def _anthropic_prompt(usage: Mapping[str, Any]) -> int:
    kinds = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage[kind] for kind in kinds if _is_number(usage.get(kind)))


def _usage(prompt: Any, completion: Any) -> Usage | None:
    """Return the usage; Cohere writes numbers of tokens with a decimal point."""
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in (prompt, completion)):
        return None
    return Usage(prompt_tokens=int(prompt), completion_tokens=int(completion), estimated=False)
