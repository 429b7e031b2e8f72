"""Answer without a language model: quote the sentences of the sources that are closest to the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from chatapp.answering.hints import expected_words, opens_with_reference
from chatapp.answering.lines import NO_ANSWER
from chatapp.answering.markers import Cite, MarkerParser, SentenceEnd
from chatapp.answering.prompt import SourceBlock, last_question
from chatapp.answering.sentences import split_document, split_text
from chatapp.answering.small_talk import is_small_talk
from knowledge.analysis import terms

__all__ = ["OPENING_LINE", "Embed", "ExtractiveModel"]

Embed: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Texts to ``(n, dimension)`` float32, rows L2-normalised."""

OPENING_LINE = "No language model is set up; these are the passages closest to your question:"
GREETING = "Hello. Please ask me something about your documents."
_NOTHING = "No language model is set up, and none of the passages found shares a word with the question."

MOST_SENTENCES = 4
_LONGEST = 1000  # characters; a longer sentence is an enumeration or a table and drowns the answer
_SHORTEST = 3  # terms
_FORMER_QUESTION = 0.35  # weight of the user's turn before
_NEIGHBOUR = 0.2  # share of the overlap of the sentences before and after
_BIGRAM = 0.3
_CONTEXT = 0.15  # share of the overlap of title and section
_RANK = 0.2  # advantage of the first source over one far down
_HINT = 0.3
_COSINE = 0.6
_SHORTLIST = 8  # sentences that are embedded; all of them would take a second on a small machine
_NEAR_DUPLICATE = 0.75
_FLOOR = 0.2  # share of the best score that a sentence needs to be quoted


@dataclass(frozen=True, slots=True)
class _Candidate:
    source: int
    order: int  # place within the source
    label: str
    text: str
    terms: tuple[str, ...]
    around: frozenset[str]  # terms of the neighbouring sentences
    context: frozenset[str]  # terms of the title and section


class ExtractiveModel:
    """A local model that quotes word for word and cites every sentence.

    ``embed`` improves the choice of sentences; without it words alone decide.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._embed = embed

    def stream(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        """Yield an opening line that says what this is, then one quotation a line."""
        sources, question, former = last_question(messages)
        if not sources and is_small_talk(question):
            yield GREETING
            return
        chosen = self.choose(sources, question, former)
        if not chosen:
            yield f"{NO_ANSWER}\n{_NOTHING}"
            return
        yield f"{OPENING_LINE}\n"
        for label, text in chosen:
            yield f"\n- {_quoted(text, label)}"

    def choose(self, sources: Sequence[SourceBlock], question: str, former: str = "") -> list[tuple[str, str]]:
        """Return at most four ``(label, sentence)``, best first; a predecessor that is needed stands before."""
        candidates = [each for number, source in enumerate(sources) for each in _candidates(number, source)]
        weights = _question_weights(question, former, candidates)
        if not weights or not any(weights.keys() & set(each.terms) for each in candidates):
            return []
        scores = np.array([_overlap(each, weights, question) for each in candidates])
        if self._embed is not None:
            shortlist = np.argsort(-scores, kind="stable")[:_SHORTLIST]
            vectors = self._embed([question, *(candidates[at].text for at in shortlist)])
            scores[shortlist] += _COSINE * np.maximum(vectors[1:] @ vectors[0], 0.0)
        return [(each.label, each.text) for each in _select(candidates, scores)]


_TABLE_ROW = 0.6
"""A Markdown table row repeats the words of its table and reads badly alone: a sentence as good goes first."""

_NO_SENTENCE = re.compile(r"#{1,6}\s|`{3}|~{3}")
"""A Markdown heading names a subject but says nothing of it, and shown in an answer it would be one there too;
a code block torn out of its lines is no sentence."""

_LIST_MARK = re.compile(r"^(?:[-*+]|\d{1,3}[.)])\s+")


def _candidates(number: int, source: SourceBlock) -> list[_Candidate]:
    texts = [_LIST_MARK.sub("", " ".join(source.text[a:b].split())) for a, b in split_document(source.text)]
    found = [tuple(terms(text)) for text in texts]
    context = frozenset(terms(source.title))
    return [
        _Candidate(
            source=number,
            order=order,
            label=source.label,
            text=text,
            terms=found[order],
            around=frozenset(term for near in found[max(0, order - 1) : order + 2] for term in near),
            context=context,
        )
        for order, text in enumerate(texts)
        if len(found[order]) >= _SHORTEST and len(text) <= _LONGEST and not _NO_SENTENCE.match(text)
    ]


def _question_weights(question: str, former: str, candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Return the share of each of the question's terms, by how rare it is among the sentences; sums to 1."""
    frequency = Counter(term for each in candidates for term in set(each.terms))
    count = len(candidates)
    weights: dict[str, float] = {}
    for text, factor in ((question, 1.0), (former, _FORMER_QUESTION)):
        for term in terms(text):
            idf = math.log1p((count - frequency[term] + 0.5) / (frequency[term] + 0.5))
            weights[term] = max(weights.get(term, 0.0), factor * idf)
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}


def _overlap(each: _Candidate, weights: Mapping[str, float], question: str) -> float:
    own = weights.keys() & set(each.terms)
    score = sum(weights[term] for term in own)
    near = (weights.keys() & each.around) - own
    far = (weights.keys() & each.context) - own - near
    score += _NEIGHBOUR * sum(weights[term] for term in near) + _CONTEXT * sum(weights[term] for term in far)
    score += _BIGRAM * _shared_pairs(terms(question), each.terms, weights)
    if own or near:
        score += _HINT * expected_words(question, each.text)
    score += _RANK / (1 + each.source)
    return _TABLE_ROW * score if each.text.startswith("|") else score


def _shared_pairs(asked: Sequence[str], said: Sequence[str], weights: Mapping[str, float]) -> float:
    """Return the weight of neighbouring words of the question that also stand together in the sentence."""
    pairs = {pair for gap in (1, 2) for pair in zip(said, said[gap:], strict=False)}
    return sum(
        (weights.get(first, 0.0) + weights.get(second, 0.0)) / 2
        for first, second in pairwise(asked)
        if (first, second) in pairs or (second, first) in pairs
    )


def _select(candidates: Sequence[_Candidate], scores: npt.NDArray[np.float64]) -> list[_Candidate]:
    order = np.argsort(-scores, kind="stable")
    floor = _FLOOR * scores[order[0]]
    chosen: list[_Candidate] = []
    best = candidates[order[0]]
    before = next((each for each in candidates if (each.source, each.order) == (best.source, best.order - 1)), None)
    if before is not None and opens_with_reference(best.text):
        chosen = [before, best]
    for at in order:
        each = candidates[at]
        if len(chosen) >= MOST_SENTENCES or scores[at] < floor:
            break
        if not any(_alike(each, other) for other in chosen):
            chosen.append(each)
    return chosen


def _alike(first: _Candidate, second: _Candidate) -> bool:
    a, b = set(first.terms), set(second.terms)
    return len(a & b) >= _NEAR_DUPLICATE * len(a | b)


_MARKDOWN = re.compile(r"([\\`$<>\[\]|*_~])")


def _quoted(text: str, label: str) -> str:
    """Return the sentence with its marker, escaped if Markdown in it would swallow the marker."""
    for body in (text, _MARKDOWN.sub(r"\\\1", text)):
        line = " ".join(f"{body[each.start : each.end]} [{label}]" for each in split_text(body))
        if _every_sentence_cites(line, label):
            return line
    return f"{re.sub(_MARKDOWN, ' ', text)} [{label}]"


def _every_sentence_cites(line: str, label: str) -> bool:
    parser = MarkerParser({label})
    events = [*parser.feed(f"- {line}"), *parser.finish()]
    cited = [event.sentence for event in events if isinstance(event, Cite)]
    ended = [event.index for event in events if isinstance(event, SentenceEnd)]
    return cited == ended
