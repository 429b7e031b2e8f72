"""Answers with citations: prompt, generation, citation parser, checks. No Django, no database."""

from chatapp.answering.check import Verdict, VerdictName, check_sentence
from chatapp.answering.events import (
    Anomaly,
    AnomalyCounted,
    Answer,
    AnswerEvent,
    CheckedSentence,
    Citation,
    CitationUsed,
    Delta,
    Partial,
    SentenceChecked,
)
from chatapp.answering.evidence import Evidence, locate
from chatapp.answering.extractive import ExtractiveModel
from chatapp.answering.generate import CitationMode, answer, no_answer_text
from chatapp.answering.markers import MarkerParser
from chatapp.answering.prompt import PROMPT_VERSION, LabelledPassage, build_messages, fit_to_window, label_passages
from chatapp.answering.sentences import Sentence, SentenceKind, split_text
from chatapp.answering.sentinels import strip_sentinels

__all__ = [
    "PROMPT_VERSION",
    "Anomaly",
    "AnomalyCounted",
    "Answer",
    "AnswerEvent",
    "CheckedSentence",
    "Citation",
    "CitationMode",
    "CitationUsed",
    "Delta",
    "Evidence",
    "ExtractiveModel",
    "LabelledPassage",
    "MarkerParser",
    "Partial",
    "Sentence",
    "SentenceChecked",
    "SentenceKind",
    "Verdict",
    "VerdictName",
    "answer",
    "build_messages",
    "check_sentence",
    "fit_to_window",
    "label_passages",
    "locate",
    "no_answer_text",
    "split_text",
    "strip_sentinels",
]
