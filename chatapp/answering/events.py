"""What happens while an answer is made, in the order it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from chatapp.answering.check import JudgedBy, VerdictName
from chatapp.answering.evidence import Evidence
from chatapp.answering.sentences import SentenceKind
from chatapp.answering.writer import Anomaly
from knowledge.llm import Usage
from knowledge.types import Passage

__all__ = [
    "Anomaly",
    "AnomalyCounted",
    "Answer",
    "AnswerEvent",
    "CheckedSentence",
    "Citation",
    "CitationUsed",
    "Delta",
    "Partial",
    "SentenceChecked",
]


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of canonical answer text, sentinels included; ready to show."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationUsed:
    """A passage got its display number. Comes right before the delta that holds its first sentinel.

    ``evidence`` is found with the part of the sentence that stands before the mark.
    """

    number: int
    label: str
    passage: Passage
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSentence:
    """A sentence with its verdict; ``citations`` are display numbers in the order of their marks."""

    index: int
    start: int
    end: int
    kind: SentenceKind
    verdict: VerdictName
    score: float
    reasons: tuple[str, ...]
    citations: tuple[int, ...]
    judged_by: JudgedBy = ""
    left_out: bool = False  # a notice stands in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceChecked(CheckedSentence):
    """A sentence has ended and was checked."""


@dataclass(frozen=True, slots=True)
class AnomalyCounted:
    """The model wrote something that is not shown; ``count`` is how often this kind has occurred."""

    anomaly: Anomaly
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One sentence resting on one passage. ``start`` and ``end`` are offsets into the document's text."""

    number: int
    label: str
    passage: Passage
    sentence: int
    start: int
    end: int
    quote: str
    score: float
    verbatim: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that is kept of an answer."""

    text: str
    raw_output: str
    sentences: tuple[CheckedSentence, ...]
    citations: tuple[Citation, ...]
    anomalies: tuple[Anomaly, ...]
    no_answer: bool
    usage: Usage | None
    finish: str  # the model's word, or "stopped", "answer_limit", "no_passages", "interrupted"
    prompt_version: str
    messages: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """The model failed; this is what had been received. The error follows as an exception."""

    answer: Answer


AnswerEvent: TypeAlias = Delta | CitationUsed | SentenceChecked | AnomalyCounted | Partial | Answer
