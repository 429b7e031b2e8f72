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
from chatapp.answering.modes import FINE_TUNED, HYBRID, MODES, RETRIEVAL, AnswerMode, mode_of
from chatapp.answering.prompt import PROMPT_VERSION, LabelledPassage, build_messages, fit_to_window, label_passages
from chatapp.answering.schemas import OutputSchema, checked_schema
from chatapp.answering.sentences import Sentence, SentenceKind, split_text
from chatapp.answering.sentinels import strip_sentinels
from chatapp.answering.values import output_of

__all__ = [
    "FINE_TUNED",
    "HYBRID",
    "MODES",
    "PROMPT_VERSION",
    "RETRIEVAL",
    "Anomaly",
    "AnomalyCounted",
    "Answer",
    "AnswerEvent",
    "AnswerMode",
    "CheckedSentence",
    "Citation",
    "CitationMode",
    "CitationUsed",
    "Delta",
    "Evidence",
    "ExtractiveModel",
    "LabelledPassage",
    "MarkerParser",
    "OutputSchema",
    "Partial",
    "Sentence",
    "SentenceChecked",
    "SentenceKind",
    "Verdict",
    "VerdictName",
    "answer",
    "build_messages",
    "check_sentence",
    "checked_schema",
    "fit_to_window",
    "label_passages",
    "locate",
    "mode_of",
    "no_answer_text",
    "output_of",
    "split_text",
    "strip_sentinels",
]
