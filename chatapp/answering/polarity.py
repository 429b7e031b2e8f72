"""Negations, which turn a statement round while nearly all of its words stay the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatapp.answering.folding import fold
from knowledge.languages import ENGLISH, likely

__all__ = ["denies", "negations"]

_NEGATIONS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "not no nor none never neither nothing nobody nowhere without cannot",
        "de": "nicht nichts nie niemals niemand nirgends kein keine keinem keinen keiner keines ohne weder",
        "fr": "pas jamais aucun aucune rien sans",  # "ne" stands beside one of them
        "es": "no nunca jamás sin tampoco",
        "it": "non senza",
        "pt": "não sem",
        "nl": "niet geen nooit zonder",
        "ru": "не нет без",
        "el": "δεν μην όχι χωρίς",
    }.items()
}
"""Of languages that deny twice ("no ... nadie") the word that always stands there."""

_WORD = re.compile(r"[^\W\d_]+(?:'t)?")
_PAIRS = re.compile(r"\b(?:not only|nicht nur|no doubt|no longer than|not until|no less than|no more than)\b")
"""What holds a negation and denies nothing, or not the statement."""


def negations(text: str) -> int:
    """Return how many words of a text deny something; of a language that cannot be told, the English ones."""
    plain = _PAIRS.sub("", fold(text).text.casefold())
    known = _NEGATIONS.get(likely(text, among=list(_NEGATIONS)) or ENGLISH, _NEGATIONS[ENGLISH])
    return sum(word in known or word.endswith("n't") for word in _WORD.findall(plain))


def denies(word: str) -> bool:
    """Tell whether a word denies in English or German, small letters."""
    return word in _NEGATIONS["en"] or word in _NEGATIONS["de"]
