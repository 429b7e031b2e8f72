"""Build an answer from a model's output, piece by piece, as events and as the record that is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chatapp.answering.check import SentenceChecker, Verdict
from chatapp.answering.events import (
    AnomalyCounted,
    Answer,
    AnswerEvent,
    Citation,
    CitationUsed,
    Delta,
    SentenceChecked,
)
from chatapp.answering.evidence import Evidence, locate
from chatapp.answering.handover import place
from chatapp.answering.markers import Anomaly, Cite, Event, MarkerParser, NoAnswer, SentenceEnd, Text
from chatapp.answering.prompt import PROMPT_VERSION, LabelledPassage
from chatapp.answering.sentences import Sentence
from chatapp.answering.sentinels import sentinel
from chatapp.answering.verification import Claim, Judgement, SourceEvidence
from knowledge.llm import NativeCitation, Usage
from knowledge.types import Passage

__all__ = ["ANSWER_LIMIT", "BARE_REFUSAL", "AnswerAssembly", "Undecided"]

ANSWER_LIMIT = 64 * 1024
"""Bytes of canonical text in UTF-8, the notice included."""

_NOTICE = "\n\n*The answer was cut here because it reached the limit of 64 KiB.*"
BARE_REFUSAL = "The sources that were found do not contain the answer."
_WIDEST = 8  # bytes of canonical text that one character of output can become, at most: see [S1-5]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A sentence of which exact words and numbers tell nothing; ``numbers`` are those of the claim's sources."""

    index: int
    numbers: tuple[int, ...]
    claim: Claim


class AnswerAssembly:
    """Feeds output to the marker parser, locates evidence and checks each sentence as it ends.

    ``checker`` None leaves every sentence unchecked. With ``defer`` a sentence that it leaves unchecked though it cites
    sources is not told about, but handed out by ``take_undecided``, until ``settle`` says what became of it.
    """

    def __init__(
        self, *, question: str, passages: Sequence[LabelledPassage], checker: SentenceChecker | None,
        defer: bool = False, refusal: str = BARE_REFUSAL,
    ) -> None:  # fmt: skip
        self._question = question
        self._refusal = refusal  # said where the model refuses without a word of its own
        self._passages = {each.label: each.passage for each in passages}
        self._checker = checker
        self._defer = defer
        self._undecided: list[Undecided] = []
        self._parser = MarkerParser(self._passages, titles={each.passage.title for each in passages})
        self._text = ""
        self._bytes = 0
        self._raw: list[str] = []
        self._raw_bytes = 0
        self._numbers: dict[int, str] = {}
        self._cited: dict[int, list[int]] = {}  # sentence index -> display numbers
        self._beside: dict[
            str, tuple[int, int]
        ] = {}  # label -> where the provider itself saw the open sentence's words
        self._sentence_start = 0
        self._sentences: list[SentenceChecked] = []
        self._citations: list[Citation] = []
        self._anomalies: list[Anomaly] = []
        self._counts: Counter[str] = Counter()
        self.no_answer = False
        self.is_full = False

    def feed(self, output: str) -> Iterator[AnswerEvent]:
        """Take the next piece of output. Nothing more is taken once the answer is full."""
        while output and not self.is_full:
            room = ANSWER_LIMIT - len(_NOTICE) - self._bytes - _WIDEST * self._parser.held
            size = min(len(output), room // _WIDEST)
            if size < 1 or self._raw_bytes > 2 * ANSWER_LIMIT:
                self.is_full = True
                return
            piece, output = output[:size], output[size:]
            self._raw.append(piece)
            self._raw_bytes += len(piece)
            yield from self._translate(self._parser.feed(piece))

    def cite(self, citation: NativeCitation) -> Iterator[AnswerEvent]:
        """Take a citation of the provider's own for the words that came last; one that cannot be is counted."""
        found = place(citation, self._passages.get(citation.label))
        if isinstance(found, str):
            yield from self._translate([Anomaly(found, (citation.quote or citation.label)[:64])])
            return
        if found is not None:
            self._beside.setdefault(citation.label, found)
        yield from self._translate(self._parser.cite(citation.label))

    def finish(self) -> Iterator[AnswerEvent]:
        """End the output: decide what was held back and close the last sentence."""
        yield from self._translate(self._parser.finish())
        if self.no_answer and not self._text:
            yield from self._add(self._refusal)
        if self.is_full:
            yield from self._add(_NOTICE)

    @property
    def raw_output(self) -> str:
        """What the model wrote, as far as a database can keep it: some servers cut a surrogate pair in two."""
        units = "".join(self._raw).encode("utf-16-le", "surrogatepass")
        return units.decode("utf-16-le", "replace").replace("\0", "")

    def answer(self, *, usage: Usage | None, finish: str, messages: Sequence[Mapping[str, str]]) -> Answer:
        """Return the record of what came so far; complete after ``finish``."""
        return Answer(
            text=self._text,
            raw_output=self.raw_output,
            sentences=tuple(self._sentences),
            citations=tuple(self._citations),
            anomalies=tuple(self._anomalies),
            no_answer=self.no_answer,
            usage=usage,
            finish=finish,
            prompt_version=PROMPT_VERSION,
            messages=tuple(messages),
        )

    def _translate(self, events: Sequence[Event]) -> Iterator[AnswerEvent]:
        shown = len(self._text)
        later: list[AnswerEvent] = []  # text first: it is what people wait for
        for event in events:
            if isinstance(event, Text):
                self._append(event.text)
            elif isinstance(event, Cite):
                if event.number not in self._numbers:
                    if shown < len(self._text):
                        yield Delta(self._text[shown:])
                        shown = len(self._text)
                    yield self._first_use(event)
                self._cited.setdefault(event.sentence, []).append(event.number)
                self._append(sentinel(event.number))
            elif isinstance(event, SentenceEnd):
                later += self._check(event.sentence)
            elif isinstance(event, NoAnswer):
                self.no_answer = True
            else:
                self._anomalies.append(event)
                self._counts[event.kind] += 1
                later.append(AnomalyCounted(event, self._counts[event.kind]))
        if shown < len(self._text):
            yield Delta(self._text[shown:])
        yield from later

    def _add(self, words: str) -> Iterator[AnswerEvent]:
        """Add words of our own to the end."""
        start = len(self._text) + len(words) - len(words.lstrip())
        self._append(words)
        yield Delta(words)
        sentence = Sentence(len(self._sentences), start, len(self._text), "statement")
        yield self._checked(sentence, Verdict("exempt", 0.0), ())

    def _append(self, text: str) -> None:
        self._text += text
        self._bytes += len(text.encode())

    def _first_use(self, cite: Cite) -> CitationUsed:
        self._numbers[cite.number] = cite.label
        passage = self._passages[cite.label]
        evidence = self._evidence(self._text[self._sentence_start :], cite.label)
        return CitationUsed(number=cite.number, label=cite.label, passage=passage, evidence=evidence)

    def _evidence(self, words: str, label: str) -> Evidence:
        """Find the words of a passage: a sentence's own, else those the provider named, else the likeliest."""
        evidence = locate(words, self._passages[label].text, question=self._question)
        if label not in self._beside or evidence.verbatim:
            return evidence
        start, end = self._beside[label]
        return replace(evidence, start=start, end=end)

    def take_undecided(self) -> list[Undecided]:
        """Return the sentences that ended since and wait for a closer look."""
        taken, self._undecided = self._undecided, []
        return taken

    def settle(self, undecided: Undecided, judgement: Judgement) -> SentenceChecked:
        """Keep what a closer look said of a sentence, and the words that it was found to rest on."""
        checked = replace(
            self._sentences[undecided.index], verdict=judgement.verdict, score=judgement.score,
            reasons=judgement.reasons, judged_by=judgement.judged_by,
        )  # fmt: skip
        self._sentences[undecided.index] = checked
        if judgement.evidence is not None:
            self._move_evidence(undecided, judgement.evidence)
        return checked

    def _move_evidence(self, undecided: Undecided, found: SourceEvidence) -> None:
        number = undecided.numbers[found.source]
        for at, citation in enumerate(self._citations):
            if (citation.sentence, citation.number) == (undecided.index, number):
                text, offset = citation.passage.text, citation.passage.start
                self._citations[at] = replace(
                    citation, start=offset + found.start, end=offset + found.end, quote=text[found.start : found.end]
                )

    def _check(self, sentence: Sentence) -> list[SentenceChecked]:
        numbers = tuple(dict.fromkeys(self._cited.pop(sentence.index, ())))
        text = self._text[sentence.start : sentence.end]
        sources = [self._passages[self._numbers[number]] for number in numbers]
        for number, passage in zip(numbers, sources, strict=True):
            evidence = self._evidence(text, self._numbers[number])
            self._citations.append(self._citation(number, passage, sentence, evidence))
        self._beside.clear()
        self._sentence_start = sentence.end
        if self._checker is None:
            return [self._checked(sentence, Verdict("unchecked", 0.0, ("checking is off",)), numbers)]
        verdict = self._checker(
            sentence=text,
            kind=sentence.kind,
            sources=[passage.text for passage in sources],
            question=self._question,
            no_answer=self.no_answer,
        )
        checked = self._checked(sentence, verdict, numbers)
        if self._defer and verdict.verdict == "unchecked" and sources:
            claim = Claim(statement=text, sources=tuple(p.text for p in sources), question=self._question)
            self._undecided.append(Undecided(sentence.index, numbers, claim))
            return []
        return [checked]

    def _citation(self, number: int, passage: Passage, sentence: Sentence, evidence: Evidence) -> Citation:
        return Citation(
            number=number,
            label=self._numbers[number],
            passage=passage,
            sentence=sentence.index,
            start=passage.start + evidence.start,
            end=passage.start + evidence.end,
            quote=passage.text[evidence.start : evidence.end],
            score=evidence.score,
            verbatim=evidence.verbatim,
        )

    def _checked(self, sentence: Sentence, verdict: Verdict, numbers: tuple[int, ...]) -> SentenceChecked:
        checked = SentenceChecked(
            index=sentence.index,
            start=sentence.start,
            end=sentence.end,
            kind=sentence.kind,
            verdict=verdict.verdict,
            score=verdict.score,
            reasons=verdict.reasons,
            citations=numbers,
            judged_by="" if verdict.verdict in ("exempt", "unchecked") else "check",
        )
        self._sentences.append(checked)
        return checked
