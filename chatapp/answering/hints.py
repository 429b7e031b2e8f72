"""What a question expects its answer to contain, read from its first words (English and German)."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["expected_words", "opens_with_reference"]

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion|half|"
    r"twice|dozen|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|hundert|tausend|million|milliarde)\w*\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:1\d{3}|20\d{2})s?\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|"
    r"december|januar|februar|märz|mai|juni|juli|oktober|dezember|century|monday|tuesday|wednesday|thursday|friday|"
    r"saturday|sunday|today|annually|daily|weekly|jahrhundert)\b|\d{1,2}(?:st|nd|rd|th)\b|\d{1,2}[.:]\d{2}",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[a-zäöüß,;()] )[A-ZÄÖÜ][\w'’-]+")
_REASON = re.compile(
    r"\b(?:because|due to|since|so that|in order to|therefore|as a result|leads? to|caused? by|weil|wegen|damit|daher|"
    r"aufgrund)\b",
    re.IGNORECASE,
)
_KINDS = (
    (re.compile(r"\b(?:how (?:many|much|long|old|far|large|big|high|tall|often)|what (?:percent\w*|number|amount|"
                r"fraction|share)|wie ?viele?|wie (?:lange|hoch|groß|oft|weit|alt))\b", re.IGNORECASE), _NUMBER),
    (re.compile(r"\b(?:when|(?:what|which|in what|in which) (?:year|date|day|month|century|decade|time)|since when|"
                r"wann|seit wann|bis wann|in welchem jahr)\b", re.IGNORECASE), _DATE),
    (re.compile(r"\b(?:who|whom|whose|where|what (?:city|country|company|person|place|name)|which (?:city|country|"
                r"company|person|place)|wer|wem|wen|wo|woher|wohin)\b", re.IGNORECASE), _NAME),
    (re.compile(r"\b(?:why|what caused|for what reason|warum|weshalb|wieso)\b", re.IGNORECASE), _REASON),
)  # fmt: skip
_REFERENCE = re.compile(
    r"(?:it|its|he|she|his|her|they|their|these|this|those|that|such|both|the former|the latter|however|therefore|"
    r"er|sie|es|dies\w*|jene\w*|deren|dessen|daher|deshalb)\b",
    re.IGNORECASE,
)


def expected_words(question: str, sentence: str) -> float:
    """Return 1 if the sentence has what the question asks for (a number, a date, a name, a reason), else 0."""
    expected = _expectation(question)
    return 1.0 if expected is not None and expected.search(sentence) else 0.0


@lru_cache(maxsize=64)
def _expectation(question: str) -> re.Pattern[str] | None:
    for asks, expected in _KINDS:
        if asks.search(question):
            return expected
    return None


def opens_with_reference(sentence: str) -> bool:
    """Tell whether a sentence begins with a pronoun, so that the one before says what it is about."""
    return _REFERENCE.match(sentence) is not None
