"""What a model should learn to write: short answers with a label in every sentence, and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable

from chatapp.answering.lines import NO_ANSWER
from chatapp.answering.sentences import split_text
from knowledge.languages import detect

__all__ = ["has_labels", "marked", "refusal"]

_LABEL = re.compile(r"\[S\d{1,3}(?:\s*,\s*S?\d{1,3})*\]")
_END = re.compile(r"[.!?…。！？]+[\"”’)\]]*$")

_REFUSALS = {
    "de": "Die Quellen beantworten nicht: {question}",
    "fr": "Les sources ne répondent pas à la question : {question}",
    "es": "Las fuentes no responden a la pregunta: {question}",
    "it": "Le fonti non rispondono alla domanda: {question}",
    "nl": "De bronnen beantwoorden deze vraag niet: {question}",
}
_REFUSAL = "The sources do not say: {question}"


def has_labels(text: str) -> bool:
    return _LABEL.search(text) is not None


def marked(answer: str, label_of: Callable[[str], str]) -> str:
    """Return an answer with a label in each sentence that states something, before its final punctuation mark.

    ``label_of`` names the source of a sentence, such as ``S2``. Sentences that have a label keep theirs.
    """
    answer = answer.strip()
    written, at = "", 0
    for sentence in split_text(answer):
        written += answer[at : sentence.start]
        words = answer[sentence.start : sentence.end]
        wanted = sentence.kind == "statement" and not _LABEL.search(words)
        written += _with_label(words, label_of(words)) if wanted else words
        at = sentence.end
    return written + answer[at:]


def _with_label(words: str, label: str) -> str:
    body = words.rstrip()
    end = _END.search(body)
    at = end.start() if end else len(body)
    return f"{body[:at]} [{label}]{body[at:]}{words[len(body) :]}"


def refusal(question: str) -> str:
    """Return the refusal of the contract: its line, then one sentence that names what is missing."""
    asked = " ".join(question.split())
    form = _REFUSALS.get(detect(asked), _REFUSAL)
    return f"{NO_ANSWER}\n{form.format(question=asked if asked[-1:] in '.!?…。？！' else asked + '.')}"
