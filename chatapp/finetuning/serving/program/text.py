"""From tokens to text as they come: no half characters, and nothing that a stop text may still swallow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["TextOut"]

_HALF = "�"
_PATIENCE = 8  # tokens that may make one character


class TextOut:
    """Takes tokens and gives text; ``stopped`` once one of the stop texts came, which is not given."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stop = stop
        self._ids: list[int] = []
        # Tokens before ``_read`` were given. Those from ``_from`` on are decoded again with the next ones: what a
        # token's text is can depend on the one before it.
        self._from = 0
        self._read = 0
        self._held = ""
        self.stopped = False

    def take(self, token: int) -> str:
        """Return the text that is certain now."""
        self._ids.append(token)
        before = self._decode(self._ids[self._from : self._read])
        now = self._decode(self._ids[self._from :])
        if now.endswith(_HALF) and len(self._ids) - self._read < _PATIENCE:
            return ""
        self._from, self._read = self._read, len(self._ids)
        return self._without_stop(now[len(before) :])

    def end(self) -> str:
        """Return what was held back."""
        rest = "" if self.stopped else self._held
        if self._read < len(self._ids) and not self.stopped:
            before = self._decode(self._ids[self._from : self._read])
            rest = self._without_stop(self._decode(self._ids[self._from :])[len(before) :], last=True)
        self._held = ""
        return rest

    def _without_stop(self, text: str, *, last: bool = False) -> str:
        text = self._held + text
        places = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return text[: min(places)]
        keep = 0 if last else max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of the text may be the beginning of the stop text."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
