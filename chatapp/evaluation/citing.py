"""Citation recall and precision of whole answers, as ALCE defines them (Gao et al. 2023, arXiv 2305.14627).

A statement is recalled when its cited passages together hold it; without a citation it is not. A citation of a recalled
statement is precise when its passage alone holds the statement, or when the others no longer do without it. ALCE asks
an 11B entailment model; here it is the product's own verifier, so these figures say how consistent an answer is
with it. Beside them stands what needs no judge: whether the cited words are the ones that people marked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from chatapp.answering import Answer, ExtractiveModel, answer, label_passages
from chatapp.answering.sentences import split_text
from chatapp.answering.sentinels import strip_sentinels
from chatapp.answering.verification import Claim, Verifier
from chatapp.evaluation.corpus import Answered, Corpus
from chatapp.evaluation.labelled import SENTENCE_GRADE, Question, Span, is_hit, read
from knowledge.llm import Delta, Finish, Message, ModelSettings, StreamEvent

__all__ = ["DEFECTS", "CitedSentence", "Figures", "Holds", "figures", "gold_sentences", "measure", "scored"]

Holds = Callable[[str, Sequence[str]], bool]
"""Whether texts together hold a statement."""

PASSAGES = 5
"""Handed to the model for each question."""

MODEL = ModelSettings(model="scripted/citing", context_window=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedSentence:
    statement: str
    sources: tuple[str, ...]  # texts of the cited passages
    words: tuple[Span, ...] = ()  # the cited words, in the documents of the set


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Means over answers that state something, 0..1."""

    name: str
    answers: int
    statements: int
    recall: float
    precision: float
    gold_recall: float  # statements of which some cited words were marked by people
    gold_precision: float  # cited words that were marked by people


def scored(sentences: Sequence[CitedSentence], holds: Holds) -> tuple[float, float]:
    """Return citation recall and precision of one answer; precision is 0 where nothing is cited."""
    recalled, precise, cited = 0, 0, 0
    for sentence in sentences:
        sources = sentence.sources
        cited += len(sources)
        if not sources or not holds(sentence.statement, sources):
            continue
        recalled += 1
        for at, source in enumerate(sources):
            others = [*sources[:at], *sources[at + 1 :]]
            precise += holds(sentence.statement, [source]) or not (others and holds(sentence.statement, others))
    return recalled / len(sentences) if sentences else 0.0, precise / cited if cited else 0.0


def figures(name: str, answers: Sequence[tuple[Sequence[CitedSentence], Sequence[Span]]], *, holds: Holds) -> Figures:
    """Return the means over answers, each with the spans that people marked for its question."""
    stated = [(sentences, gold) for sentences, gold in answers if sentences]
    rows = [
        (*scored(sentences, holds), *_against_gold(sentences, gold)) for sentences, gold in stated
    ] or [(0.0,) * 4]  # fmt: skip
    recall, precision, gold_recall, gold_precision = np.mean(rows, axis=0)
    return Figures(
        name=name, answers=len(stated), statements=sum(len(sentences) for sentences, _ in stated),
        recall=float(recall), precision=float(precision), gold_recall=float(gold_recall),
        gold_precision=float(gold_precision),
    )  # fmt: skip


def _against_gold(sentences: Sequence[CitedSentence], gold: Sequence[Span]) -> tuple[float, float]:
    hits = [[any(is_hit(words, span) for span in gold) for words in sentence.words] for sentence in sentences]
    cited = [hit for each in hits for hit in each]
    return sum(map(any, hits)) / len(hits), sum(cited) / len(cited) if cited else 0.0


def gold_sentences(folder: Path) -> dict[str, tuple[Span, ...]]:
    """Return by question the sentences that people marked."""
    found: dict[str, dict[Span, None]] = {}
    for row in read(folder / "qrels.jsonl"):
        if row.get("grade") == SENTENCE_GRADE:
            found.setdefault(row["query_id"], {})[Span(row["doc_id"], row["start"], row["end"])] = None
    return {question: tuple(spans) for question, spans in found.items()}


def measure(
    corpus: Corpus,
    questions: Sequence[Question],
    *,
    gold: Mapping[str, Sequence[Span]],
    verifier: Verifier,
    model: ExtractiveModel,
) -> Iterator[Figures]:
    """Yield the figures of the extractive model, of a scripted one that writes the marked sentences, and of the same
    with each planted defect."""
    found = corpus.run(questions, limit=PASSAGES)
    texts = {document.id: document.text for document in corpus.source.documents}

    def holds(statement: str, sources: Sequence[str]) -> bool:
        [judged] = verifier.judge([Claim(statement=statement, sources=tuple(sources))])
        return judged.verdict == "supported"

    def of(name: str, write: Callable[[Answered, Sequence[Message]], Iterator[str]]) -> Figures:
        answers = [(_cited(each, write), gold.get(each.question.id, ())) for each in found]
        return figures(name, answers, holds=holds)

    yield of("extractive", lambda _, messages: model.stream(messages))
    for name, defect in {"scripted": _as_it_is, **DEFECTS}.items():
        numbers = count(1)
        yield of(name, partial(_scripted, gold=gold, texts=texts, defect=defect, numbers=numbers))


def _scripted(
    answered: Answered, _: Sequence[Message], *, gold: Mapping[str, Sequence[Span]], texts: Mapping[str, str],
    defect: Defect, numbers: Iterator[int],
) -> Iterator[str]:  # fmt: skip
    return _written(answered, gold.get(answered.question.id, ()), texts, defect, numbers)


Defect = Callable[[int, int, int], Sequence[int]]
"""The labels that a sentence cites, by the sentence's number, the right label, and how many there are."""


def _as_it_is(_: int, right: int, __: int) -> Sequence[int]:
    return [right]


def _off_by_one(sentence: int, right: int, labels: int) -> Sequence[int]:
    return [right % labels + 1] if sentence % 5 == 0 else [right]


def _one_too_many(_: int, right: int, labels: int) -> Sequence[int]:
    return [right, right % labels + 1]


def _none(_: int, __: int, ___: int) -> Sequence[int]:
    return []


DEFECTS: Mapping[str, Defect] = {
    "scripted, every 5th mark off by one": _off_by_one,
    "scripted, one citation too many": _one_too_many,
    "scripted, no citation": _none,
}  # fmt: skip


def _written(
    answered: Answered, gold: Sequence[Span], texts: Mapping[str, str], defect: Defect, numbers: Iterator[int]
) -> Iterator[str]:
    """Write the marked sentences that stand in the passages, each with the marks that the defect leaves it."""
    for span in sorted(gold, key=lambda span: (span.document, span.start)):
        holders = [at for at, place in enumerate(answered.spans, start=1) if _within(span, place)]
        text = " ".join(texts[span.document][span.start : span.end].split())
        text = text.replace("``", "“").replace("''", "”")  # TeX's quotation marks would be code in an answer
        # In the pieces that the product takes for sentences, or all but the last would have no mark.
        for sentence in split_text(text) if holders else ():
            words = text[sentence.start : sentence.end].strip(" .!?")
            marks = "".join(f" [S{label}]" for label in defect(next(numbers), holders[0], len(answered.spans)))
            yield f"{words}{marks}.\n\n"


def _within(inner: Span, outer: Span) -> bool:
    return inner.document == outer.document and outer.start <= inner.start and inner.end <= outer.end


def _cited(answered: Answered, write: Callable[[Answered, Sequence[Message]], Iterator[str]]) -> list[CitedSentence]:
    """Have an answer written by the product's own path and return its statements with what they cite."""
    if not answered.passages:
        return []

    async def stream(_: ModelSettings, messages: Sequence[Message]) -> AsyncIterator[StreamEvent]:
        for piece in write(answered, messages):
            yield Delta(piece)
        yield Finish("stop")

    async def made() -> Answer | None:
        last = None
        async for event in answer(
            question=answered.question.text, passages=answered.passages, model=MODEL, stream_fn=stream
        ):
            last = event
        return last if isinstance(last, Answer) else None

    done = asyncio.run(made())
    if done is None or done.no_answer:
        return []
    labels = [each.label for each in label_passages(answered.passages)]
    documents = {label: span.document for label, span in zip(labels, answered.spans, strict=True)}
    sentences = []
    for sentence in done.sentences:
        if sentence.verdict == "exempt":
            continue
        cited = [c for c in done.citations if c.sentence == sentence.index]
        sentences.append(
            CitedSentence(
                statement=strip_sentinels(done.text[sentence.start : sentence.end], "").strip(" \n-"),
                sources=tuple(dict.fromkeys(c.passage.text for c in cited)),
                words=tuple(Span(documents[c.label], c.start, c.end) for c in cited),
            )
        )
    return sentences
