"""Take out of an answer what it says in the words of a source: for one reader, or for ever.

Pure functions on text. Sentences that cite the source go, and so does whatever repeats ``RUN_OF_WORDS`` or more of
its words in a row; an answer that tells in its own words what it read, without citing it, keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from chatapp.answering.sentinels import strip_sentinels

__all__ = ["RUN_OF_WORDS", "Repeats", "redacted", "redacted_events"]

RUN_OF_WORDS = 5
# Signs of scripts without spaces count as words of their own.
WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")

Sentence = Mapping[str, Any]

SILENT = frozenset({"run.started", "answer.citation", "answer.done", "run.error"})
"""Kinds of events that hold no words of a source. Whoever adds a kind decides here, or it is left out."""


class Repeats:
    """Tells whether a text repeats words of some sources."""

    def __init__(self, sources: Iterable[str] = ()) -> None:
        self._runs: set[tuple[str, ...]] = set()
        for source in sources:
            self.add(source)

    def add(self, source: str) -> None:
        self._runs |= _runs(source)

    def __call__(self, text: str) -> bool:
        return not self._runs.isdisjoint(_runs(text))


def _runs(text: str) -> set[tuple[str, ...]]:
    words = WORD.findall(strip_sentinels(text, "").casefold())
    return {tuple(words[at : at + RUN_OF_WORDS]) for at in range(len(words) - RUN_OF_WORDS + 1)}


def redacted(
    text: str, sentences: Sequence[Sentence], *, cited: Collection[int], repeats: Callable[[str], bool], notice: str
) -> tuple[str, list[dict[str, Any]], set[int]]:
    """Return the text and sentences with ``notice`` in place of what goes, and the indexes of sentences that went.

    ``cited`` are indexes of sentences that go in any case. What stands between sentences, as code does, goes by its
    words. A sentence that went says so as ``left_out``, and its reasons are empty: they quote it.
    """
    written, kept, gone = "", list[dict[str, Any]](), set[int]()
    for piece, sentence in _pieces(text, sentences):
        begun, body = len(written), piece.strip()
        hidden = (sentence is not None and sentence["index"] in cited) or repeats(piece)
        # White space around it stays, or lists and paragraphs would run together.
        written += piece.replace(body, notice, 1) if hidden and body else piece
        if sentence is not None:
            gone |= {sentence["index"]} if hidden else set()
            left_out = {"reasons": [], "left_out": True} if hidden else {}
            kept.append({**sentence, "start": begun, "end": len(written), **left_out})
    return written, kept, gone


def _pieces(text: str, sentences: Sequence[Sentence]) -> Iterator[tuple[str, Sentence | None]]:
    """Yield the whole text in order: sentences, and what stands between them."""
    at = 0
    for sentence in sorted(sentences, key=lambda each: int(each["start"])):
        start, end = max(at, int(sentence["start"])), max(at, int(sentence["end"]))
        yield text[at:start], None
        yield text[start:end], sentence
        at = end
    yield text[at:], None


def redacted_events(
    events: Sequence[Mapping[str, Any]], *, text: str, query: str, gone: Collection[int], keys: Collection[str]
) -> list[dict[str, Any]]:
    """Return a run's stored events with the redacted text as one delta, and without titles of the passages ``keys``.

    ``query`` is what is left of the question as it was searched. Events of a kind that is not known here are left out.
    """
    found: list[dict[str, Any]] = []
    written = False
    for event in events:
        kind = event.get("type")
        if kind == "answer.delta":
            if written:
                continue
            written, event = True, {**event, "text": text}
        elif kind == "retrieval.done":
            shown = [{**p, "title": "" if p.get("key") in keys else p.get("title")} for p in event.get("passages", ())]
            event = {**event, "query": query, "passages": shown}
        elif kind == "sentence.checked":
            event = {**event, "reasons": []} if event.get("index") in gone else event
        elif kind not in SILENT:
            continue
        found.append(dict(event))
    return found
