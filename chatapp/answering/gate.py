"""Let an answer out sentence by sentence, each once it has its verdict (citation mode ``require``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from chatapp.answering.events import Answer, AnswerEvent, Citation, CitationUsed, Delta, Partial, SentenceChecked
from chatapp.answering.figures import missing_numbers
from chatapp.answering.folding import plain
from chatapp.answering.names import missing_names
from knowledge.analysis import terms

__all__ = ["REFUSED", "REMOVED", "TABLE", "Enforcement", "Gate", "Rewritten", "list_marks"]

Enforcement: TypeAlias = Literal["flag", "repair", "withhold"]
"""What becomes of a sentence that its sources do not hold: shown with its verdict, written anew (where that fails,
replaced by a notice), or replaced by a notice."""

REMOVED = "*[removed: the sources do not support it]*"
MOSTLY_REMOVED = "\n\n*Most of this answer was removed because the sources do not support it. Take it as no answer.*"
REFUSED = frozenset({"unsupported", "uncited", "unchecked"})
"""Verdicts of sentences that are withheld; what could not be checked is not let through either."""

WITHHELD = "withheld: the sources do not support it"
"""In place of the reasons, which quote what was withheld."""

OWN_WORDS = 2
"""Words of a heading or a lead-in that neither sources nor question have."""

TABLE = "|"
_LIST_ITEM = re.compile(r"\s*(?:(?:[-*+•>]|\d{1,3}[.)])[ \t]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A sentence that was written anew: its words in the place of the model's first ones."""

    checked: SentenceChecked
    text: str  # canonical, with the numbers of the answer
    citations: tuple[Citation, ...]
    used: tuple[CitationUsed, ...]


class Gate:
    """Takes the events of an answer and yields those that may go out.

    The text that goes out may differ from the model's: ranges of sentences are those of what goes out, and the
    model's own words stay in ``raw_output``.
    """

    def __init__(
        self, enforcement: Enforcement, *, question: str, sources: Sequence[str], structured: bool = False
    ) -> None:
        """``sources`` are the texts and titles that the answer was written from. Of a ``structured`` answer, which is
        JSON, what stands between its sentences goes out as it is, and it stays JSON."""
        self._question, self._sources = question, tuple(sources)
        self._common = frozenset(terms(question)).union(*(terms(source) for source in sources))
        self._withhold = enforcement != "flag"
        self._structured = structured
        self._text = ""  # of the model, canonical
        self._taken = 0  # characters of it that are decided
        self._out: list[str] = []
        self._length = 0  # of what went out
        self._judged: dict[int, SentenceChecked] = {}
        self._sentences: list[SentenceChecked] = []
        self._removed: set[int] = set()
        self._notice: tuple[int, int] | None = None  # range of the last thing that went out, if it is a notice
        self._used: dict[int, CitationUsed] = {}
        self._told: set[int] = set()  # numbers whose first use went out
        self._rewritten: dict[int, Rewritten] = {}

    def take(self, event: AnswerEvent | Rewritten) -> Iterator[AnswerEvent]:
        """Yield what may go out now that this has happened."""
        if isinstance(event, Delta):
            self._text += event.text
        elif isinstance(event, CitationUsed):
            self._used[event.number] = event
        elif isinstance(event, SentenceChecked | Rewritten):
            if isinstance(event, Rewritten):
                self._rewritten[event.checked.index] = event
                event = event.checked
            self._judged[event.index] = event
            while (judged := self._judged.pop(len(self._sentences), None)) is not None:
                yield from self._release(judged)
        elif isinstance(event, Partial):
            yield from self._rest(event.answer)
            yield Partial(self._final(event.answer))
        elif isinstance(event, Answer):
            yield from self._rest(event)
            yield self._final(event)
        else:
            yield event

    def _release(self, judged: SentenceChecked) -> Iterator[AnswerEvent]:
        gap, words = self._text[self._taken : judged.start], self._text[judged.start : judged.end]
        self._taken = judged.end
        if (anew := self._rewritten.get(judged.index)) is not None:
            words = anew.text
            for each in anew.used:
                if each.number not in self._told:
                    self._used.setdefault(each.number, each)
        if not self._lets_through(gap):
            gap = " "
        if self._withhold and (judged.verdict in REFUSED or self._claims(judged, words)):
            verdict = "uncited" if judged.verdict == "exempt" else judged.verdict
            yield from self._remove(replace(judged, verdict=verdict, reasons=(WITHHELD,), left_out=True), gap, words)
            return
        for number in judged.citations:
            if (used := self._used.pop(number, None)) is not None:
                self._told.add(number)
                yield used
        yield from self._say(gap)
        start = self._length
        yield from self._say(words)
        yield self._keep(judged, start, self._length)
        self._notice = None

    def _claims(self, judged: SentenceChecked, words: str) -> bool:
        """Tell whether something that needs no source as it is a heading, a question, code or a greeting says more."""
        return judged.verdict == "exempt" and judged.kind != "markup" and not self._harmless(words)

    def _lets_through(self, gap: str) -> bool:
        """Tell whether what stands between sentences goes out."""
        return self._structured or not self._withhold or self._harmless(gap)

    def _harmless(self, text: str) -> bool:
        """Tell whether words bring nothing of their own: no number, no name, and few words that are not around."""
        words = plain(text)
        if not any(c.isalnum() for c in words):
            return True
        own = frozenset(terms(words)) - self._common
        return (
            len(own) <= OWN_WORDS
            and not missing_numbers(words, self._sources, question=self._question)
            and not missing_names(words, self._sources, question=self._question)
        )

    def _remove(self, judged: SentenceChecked, gap: str, words: str) -> Iterator[AnswerEvent]:
        """Put a notice in the place of a sentence; one for all that follow each other in a line."""
        self._removed.add(judged.index)
        if self._notice is None or "\n" in gap:
            yield from self._say(gap)
            start = self._length
            yield from self._say("null" if judged.kind == "value" else _removed(words))
            self._notice = start, self._length
        yield self._keep(judged, *self._notice)

    def _keep(self, judged: SentenceChecked, start: int, end: int) -> SentenceChecked:
        shown = replace(judged, start=start, end=end)
        self._sentences.append(shown)
        return shown

    def _say(self, text: str) -> Iterator[Delta]:
        if text:
            self._out.append(text)
            self._length += len(text)
            yield Delta(text)

    def _rest(self, answer: Answer) -> Iterator[AnswerEvent]:
        """What follows the last sentence, and the word on an answer of which little is left."""
        rest = answer.text[self._taken :]
        yield from self._say(rest if self._lets_through(rest) else "")
        self._taken = len(answer.text)
        if self._mostly_removed() and not self._structured:
            start = self._length + len(MOSTLY_REMOVED) - len(MOSTLY_REMOVED.lstrip())
            yield from self._say(MOSTLY_REMOVED)
            yield self._keep(
                SentenceChecked(
                    index=len(self._sentences), start=0, end=0, kind="statement", verdict="exempt", score=0.0,
                    reasons=(), citations=(),
                ),
                start, self._length,
            )  # fmt: skip

    def _mostly_removed(self) -> bool:
        claims = sum(each.verdict != "exempt" for each in self._sentences)
        return bool(self._removed) and 2 * (claims - len(self._removed)) < claims

    def _final(self, answer: Answer) -> Answer:
        gone = self._removed | self._rewritten.keys()
        kept = [each for each in answer.citations if each.sentence not in gone]
        anew = [each for index in self._rewritten.keys() - self._removed for each in self._rewritten[index].citations]
        citations = tuple(sorted((*kept, *anew), key=lambda each: each.sentence))
        return replace(
            answer, text="".join(self._out), sentences=tuple(self._sentences), citations=citations,
            no_answer=answer.no_answer or self._mostly_removed(),
        )  # fmt: skip


def _removed(words: str) -> str:
    """Return the notice behind the marks of a list item; in a row of a table with as many cells as there were."""
    if not words.lstrip().startswith(TABLE):
        return f"{list_marks(words)}{REMOVED}"
    cells = max(1, words.strip().strip(TABLE).count(TABLE) + 1)
    return f"{TABLE} {REMOVED} {TABLE}" + f" {TABLE}" * (cells - 1)


def list_marks(words: str) -> str:
    """Return the bullets or numbers of a list that the words begin with, and the space behind them."""
    marks = _LIST_ITEM.match(words)
    return marks.group() if marks else ""
