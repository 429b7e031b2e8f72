"""Whether a row may be taught: its completion must pass the checks that answers pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.answering.assembly import AnswerAssembly, Undecided
from chatapp.answering.check import check_sentence
from chatapp.answering.events import CheckedSentence
from chatapp.answering.prompt import LabelledPassage, SourceBlock, last_question
from chatapp.answering.sentinels import strip_sentinels
from chatapp.answering.verification import Claim
from chatapp.answering.verification.verifier import with_thresholds
from chatapp.conversations.verifying import verifier
from chatapp.finetuning.datasets.shapes import Messages
from knowledge.types import Passage

__all__ = ["Verified", "held_by", "verify"]

MOST_REASONS = 4
PASSING = frozenset({"supported", "exempt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the checks say of a completion; ``reasons`` are words for people, empty where it passes."""

    reasons: tuple[str, ...]
    cited: frozenset[str]  # labels
    refuses: bool

    @property
    def passes(self) -> bool:
        return not self.reasons


def verify(prompt: Messages, completion: str, *, thresholds: tuple[float, float]) -> Verified:
    """Check a completion as an answer to its prompt, by the same parser, checks and verifier.

    Every statement must cite a source that holds it, quotations must stand there word for word, and a refusal cites
    nothing. Without sources in the prompt nothing can be checked, and only an empty completion fails.
    """
    sources, question, _ = last_question(prompt)
    if not completion.strip():
        return Verified(reasons=("The completion is empty.",), cited=frozenset(), refuses=False)
    if not sources:
        return Verified(reasons=(), cited=frozenset(), refuses=False)
    assembly = AnswerAssembly(question=question, passages=_labelled(sources), checker=check_sentence, defer=True)
    for _ in [*assembly.feed(completion), *assembly.finish()]:
        pass
    _settle(assembly, assembly.take_undecided(), thresholds)
    answer = assembly.answer(usage=None, finish="stop", messages=())
    cited = frozenset(citation.label for citation in answer.citations)
    reasons = [f"It writes what an answer may not: {each.kind}." for each in answer.anomalies]
    reasons += [_said(answer.text, each) for each in answer.sentences if each.verdict not in PASSING]
    if answer.no_answer and cited:
        reasons.append("It refuses and cites a source: a refusal cites none.")
    if not answer.no_answer and not cited:
        reasons.append("It cites no source.")
    return Verified(reasons=tuple(reasons[:MOST_REASONS]), cited=cited, refuses=answer.no_answer)


def held_by(statement: str, texts: Sequence[str], *, question: str, thresholds: tuple[float, float]) -> set[int]:
    """Return which of the texts, each by itself, hold a statement by the verifier."""
    claims = [Claim(statement=statement, sources=(text,), question=question) for text in texts]
    judged = with_thresholds(verifier().judge(claims), thresholds)
    return {at for at, judgement in enumerate(judged) if judgement.verdict == "supported"}


def _settle(assembly: AnswerAssembly, undecided: Sequence[Undecided], thresholds: tuple[float, float]) -> None:
    judged = with_thresholds(verifier().judge([each.claim for each in undecided]), thresholds)
    for each, judgement in zip(undecided, judged, strict=True):
        assembly.settle(each, judgement)


def _said(text: str, sentence: CheckedSentence) -> str:
    words = " ".join(strip_sentinels(text[sentence.start : sentence.end], "").split())
    shown = words if len(words) <= 80 else words[:79] + "…"
    why = "; ".join(sentence.reasons) or sentence.verdict
    return f"“{shown}”: {why}."


def _labelled(sources: Sequence[SourceBlock]) -> tuple[LabelledPassage, ...]:
    return tuple(LabelledPassage(source.label, _passage(source)) for source in sources)


def _passage(source: SourceBlock) -> Passage:
    """Return a source of a prompt as a passage of its own: of the checks only text and title count."""
    return Passage(
        key=source.label, document="", version_id="", version=0, knowledge_base="", title=source.title,
        heading_path=(), page_first=None, page_last=None, start=0, end=len(source.text), text=source.text, tokens=0,
        score=0.0,
    )  # fmt: skip
