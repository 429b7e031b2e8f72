"""Texts made up for measuring large knowledge bases: words follow Zipf's law, as those of people do.

What a search costs depends on how many chunks hold a word, not on what it means.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge.analysis import terms
from knowledge.embedding.graph import TOKENIZER_FILE
from knowledge.embedding.weights import find_weights

__all__ = ["TOPICS", "MadeTexts", "asked"]

Words: TypeAlias = npt.NDArray[np.object_]

WORDS = 50_000
TOPICS = 600
TOPIC_WORDS = 12
TOPICAL = 0.3  # of the words of a text
SENTENCE = (8, 22)  # words
CHUNK = (120, 180)  # words


class MadeTexts:
    """Documents of chunks by number: the same number gives the same text in every process."""

    def __init__(self, *, seed: int = 5) -> None:
        self._seed = seed
        self.vocabulary = _vocabulary(seed)
        share = 1.0 / (np.arange(len(self.vocabulary)) + 2.7)  # Zipf and Mandelbrot
        self._terms: dict[str, list[str]] = {}
        self._cumulated = np.cumsum(share / share.sum())

    def title(self, document: int) -> str:
        return self._names(document, count=3)

    def chunks(self, document: int, *, count: int) -> list[tuple[str, str]]:
        """Return ``(heading, text)`` of each chunk; a text is sentences of 120 to 180 words in all."""
        random = np.random.default_rng((self._seed, document))
        topic = self._topic(document)
        return [
            (self._names(document * 1_000 + ordinal + 1, count=2), self._text(random, topic))
            for ordinal in range(count)
        ]

    def _topic(self, document: int) -> Words:
        """Return the words a document is about; some of them are those of many documents."""
        random = np.random.default_rng((self._seed, 2, document % TOPICS))
        return self.vocabulary[random.integers(100, 15_000, size=TOPIC_WORDS)]

    def terms(self, *parts: str) -> str:
        """Return what ``knowledge.analysis.index_terms`` makes of title, heading and text, each word analysed once."""
        words = " ".join(parts).replace(".", "").lower().split(" ")
        return " ".join(term for word in words for term in self._analysed(word))

    def _analysed(self, word: str) -> list[str]:
        if word not in self._terms:
            self._terms[word] = terms(word)
        return self._terms[word]

    def _text(self, random: np.random.Generator, topic: Words) -> str:
        words = self._words(random, int(random.integers(*CHUNK)))
        for place in np.flatnonzero(random.random(len(words)) < TOPICAL).tolist():
            words[place] = topic[int(random.integers(len(topic)))]
        sentences = []
        while words:
            length = int(random.integers(*SENTENCE))
            sentences.append(" ".join(words[:length]).capitalize() + ".")
            del words[:length]
        return " ".join(sentences)

    def _words(self, random: np.random.Generator, count: int) -> list[str]:
        ranks = np.searchsorted(self._cumulated, random.random(count))
        words: list[str] = self.vocabulary[np.minimum(ranks, len(self.vocabulary) - 1)].tolist()
        return words

    def _names(self, number: int, *, count: int) -> str:
        random = np.random.default_rng((self._seed, 1, number))
        return " ".join(self.vocabulary[random.integers(200, 8_000, size=count)].tolist()).title()


def asked(text: str, *, texts: MadeTexts, number: int) -> str:
    """Return a sentence of a text as somebody would ask for it: two words left out, one put in the place of another."""
    random = np.random.default_rng((7, number))
    sentences = [sentence for sentence in text.split(". ") if len(sentence.split()) >= 7] or [text]
    words = sentences[int(random.integers(len(sentences)))].rstrip(".").split()[:16]
    for _ in range(2):
        del words[int(random.integers(len(words)))]
    words[int(random.integers(len(words)))] = str(texts.vocabulary[int(random.integers(100, 5_000))])
    return f"{' '.join(words).capitalize()}?"


def _vocabulary(seed: int) -> Words:
    """Return distinct words by rank: those of the embedding model, whose list is by frequency, then pairs of them.

    So a question costs the model what a question of people costs: about a piece a word.
    """
    from tokenizers import Tokenizer

    pieces = Tokenizer.from_file(str(find_weights(None) / TOKENIZER_FILE)).get_vocab()
    known = [
        word for word in sorted(pieces, key=pieces.__getitem__) if word.isascii() and word.isalpha() and len(word) > 1
    ]
    random = np.random.default_rng((seed, 0))
    made = dict.fromkeys(known)
    while len(made) < WORDS:
        one, two = random.integers(500, len(known), size=2)
        made.setdefault(known[one] + known[two])
    return np.array(list(made), dtype=object)
