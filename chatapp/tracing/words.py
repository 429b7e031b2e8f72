"""What the codes of a trace mean, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chatapp.searching.presentation import FATES as DROPPED
from knowledge.types import Fate

__all__ = [
    "ANOMALIES",
    "FATES",
    "KINDS",
    "MARKS",
    "MODES",
    "REASONS",
    "STATES",
    "UNSOURCED",
    "VERDICTS",
    "VerdictWords",
]


class VerdictWords(NamedTuple):
    """A verdict as an icon (a path of 16 by 16) and words, so that colour is never the only sign."""

    icon: str
    text: str


_CHECK, _DASH, _CROSS = "M3 8.5 6.5 12 13 4.5", "M3 8h10", "M4 4l8 8M12 4l-8 8"
_QUESTION = "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M8 12.6v.1"

VERDICTS: Mapping[str, VerdictWords] = {
    "supported": VerdictWords(_CHECK, "Found in the source"),
    "weak": VerdictWords(_DASH, "Only partly found in the source"),
    "unsupported": VerdictWords(_CROSS, "Not found in the source"),
    "uncited": VerdictWords(_QUESTION, "No source given"),
    "unchecked": VerdictWords(_QUESTION, "Not checked against the source"),
    "exempt": VerdictWords(_DASH, "Nothing to check"),
}

KINDS = {
    "question": "question",
    "heading": "heading",
    "lead": "lead-in",
    "code": "code",
    "markup": "layout",
    "value": "value",
}
"""Kinds of sentences that are no statements."""

STATES = {"running": "Still being written", "done": "Done", "stopped": "Stopped", "failed": "Failed"}

MODES = {
    "off": "Off: sentences were not checked",
    "mark": "Mark: shown as written, verdicts followed",
    "require": "Require: each sentence shown once it was checked",
}

UNSOURCED = "Nothing was checked: an answer from the model’s training has no sources"

REASONS = {"no_sources": "no source was searched"}
"""Reasons that are kept as codes."""

ANOMALIES = {
    "out_of_range": "a mark of a source that the model was not given; it was not shown",
    "range_too_long": "marks for more than five sources in one pair of brackets; not shown",
    "unclosed_marker": "a mark that was not closed; taken for text",
    "leaked_marker": "a mark in the notation of another product; not shown",
    "leaked_tag": "a tag of the model's own markup; not shown",
    "marker_link": "a mark written as a link; not followed",
    "private_use": "a character with which marks could be forged; taken out",
    "source_list": "a list of sources of the model's own; not shown",
    "late_no_answer": "“no answer” in the middle of an answer; not counted as one",
}

FATES = {
    Fate.RETURNED.value: "Given to the model",
    **{fate.value: words for fate, words in DROPPED.items()},
}

MARKS = {
    "rewritten": "Question written anew",
    "retrieval": "Passages found",
    "first_token": "First words",
    "total": "Over",
}
"""Moments after the question arrived, in their order."""
