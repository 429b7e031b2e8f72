"""Negations, which turn a statement round while nearly all of its words stay the same."""

from __future__ import annotations

import re

from chatapp.answering.folding import fold

__all__ = ["negations"]

_NEGATIONS = frozenset(
    """
    not no nor none never neither nothing nobody nowhere without cannot
    nicht nichts nie niemals niemand nirgends kein keine keinem keinen keiner keines ohne weder
    ne pas jamais aucun aucune rien sans
    nunca jamás ningún ninguno ninguna nada nadie sin tampoco
    mai nessun nessuno nessuna niente nulla senza
    não nem nenhum nenhuma ninguém sem
    niet geen nooit niemand niets zonder
    не нет ни никогда никто ничего без
    δεν μην όχι ποτέ κανένας χωρίς
    """.split()
)
_WORD = re.compile(r"[^\W\d_]+(?:'t)?")
_PAIRS = re.compile(r"\b(?:not only|nicht nur|no doubt|no longer than|not until|no less than|no more than|non)\b")
"""What holds a negation and denies nothing, or not the statement."""


def negations(text: str) -> int:
    """Return how many words of a text deny something."""
    words = _WORD.findall(_PAIRS.sub("", fold(text).text.casefold()))
    return sum(word in _NEGATIONS or word.endswith("n't") for word in words)
