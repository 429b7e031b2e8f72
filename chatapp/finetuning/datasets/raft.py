"""Rows as production would ask: the passages that the own search brings, and among them the one that answers.

After Zhang et al. 2024, RAFT (arXiv 2403.10131), with two differences: distractors are what the own search ranks high,
not random ones; and where the passage that answers is left out, the completion is the refusal of the contract.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from chatapp.answering.evidence import locate
from chatapp.answering.prompt import LabelledPassage, build_messages, fit_to_window, label_passages
from chatapp.answering.sentences import split_text
from chatapp.conversations.retrieval import PASSAGES, chat_query
from chatapp.finetuning.datasets.completions import marked, refusal
from chatapp.finetuning.datasets.shapes import Proposal, SourceOf
from chatapp.finetuning.datasets.verifying import held_by
from knowledge.documents import selectors
from knowledge.documents.models import DocumentVersion
from knowledge.documents.searching import search
from knowledge.retrieval.base import DEFAULT, RetrievalProfile
from knowledge.types import Passage, Scope

__all__ = ["ABSENT", "Case", "LeftOut", "Oracle", "Setting", "fence_of", "is_absent", "raft_row"]

ABSENT = 0.18
"""Share of the questions whose passage is left out: 15 to 20 % (reference §2.5)."""


class LeftOut(Exception):
    """No row can be made of it; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """The words that answer: a range of a version's canonical text."""

    version: DocumentVersion
    start: int
    end: int

    def overlaps(self, passage: Passage) -> bool:
        same = passage.version_id == str(self.version.pk)
        return same and passage.start < self.end and self.start < passage.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question, what answers it, and the answer in words; without words the oracle's own are the answer."""

    question: str
    oracle: Oracle
    answer: str = ""
    name: str = ""  # where it came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What production has of a question beside its words, and how rows are drawn."""

    scope: Scope
    origin: str
    thresholds: tuple[float, float]
    profile: RetrievalProfile = DEFAULT
    system_prompt: str | None = None
    window: int = 8192
    output: int = 1024
    seed: int = 1
    absent: float = ABSENT


def is_absent(question: str, setting: Setting) -> bool:
    """Tell whether the passage that answers is left out of the row of a question: a draw by the seed."""
    return _number(setting.seed, "absent", question) / 2**64 < setting.absent


def fence_of(question: str, seed: int) -> str:
    """Return the fence of a row's sources. In production it is random; here the same row is made again."""
    return f"SOURCE-{_number(seed, 'fence', question):016x}"


def raft_row(case: Case, setting: Setting) -> Proposal:
    """Return the row of a question over the passages that the search brings for it.

    :raises LeftOut: nothing but the answer was found, or it does not fit the window.
    """
    oracles, distractors = _found(case, setting)
    if is_absent(case.question, setting):
        return _absent(case, setting, distractors)
    best = oracles[:1]  # it stays, whatever else must go
    given = _fitting(case.question, [*best, *oracles[1:], *distractors], setting)
    if not any(case.oracle.overlaps(each.passage) for each in given):
        raise LeftOut("The passage that answers does not fit the window beside the question.")
    answer = case.answer.strip() or _own_words(case.oracle)
    completion = marked(answer, lambda sentence: _label_for(sentence, case, given))
    return _proposal(case, setting, given, completion)


def _found(case: Case, setting: Setting) -> tuple[list[Passage], list[Passage]]:
    """Return the passages with the oracle and those without it, best first, as many in all as production takes."""
    query = chat_query(question=case.question, history=(), context_window=setting.window, limit=PASSAGES)
    # Below the least chance production would not ask the model at all; a row needs passages.
    found = search(query, scope=setting.scope, profile=replace(setting.profile, least_chance=0.0)).passages
    oracles = [passage for passage in found if case.oracle.overlaps(passage)]
    distractors = [passage for passage in found if not case.oracle.overlaps(passage)]
    if not oracles:
        oracles, distractors = [_chunk_of(case.oracle)], distractors[: PASSAGES - 1]
    return oracles, distractors


def _absent(case: Case, setting: Setting, distractors: Sequence[Passage]) -> Proposal:
    """Return the row that teaches to refuse, without any passage that holds the answer as well."""
    answer = case.answer.strip() or _own_words(case.oracle)
    statements = [answer[each.start : each.end] for each in split_text(answer) if each.kind == "statement"]
    texts = [passage.text for passage in distractors]
    holding: set[int] = set()
    for statement in statements:
        holding |= held_by(statement, texts, question=case.question, thresholds=setting.thresholds)
    left = [passage for at, passage in enumerate(distractors) if at not in holding]
    if not left:
        raise LeftOut("Nothing is left to read once the passages that answer are taken out.")
    return _proposal(case, setting, _fitting(case.question, left, setting), refusal(case.question))


def _fitting(question: str, passages: Sequence[Passage], setting: Setting) -> tuple[LabelledPassage, ...]:
    """Return what fits the window in an order of its own: where the answer stands must teach nothing."""
    fitting, _ = fit_to_window(
        question=question, passages=passages, history=(), system_prompt=setting.system_prompt,
        context_window=setting.window, max_output_tokens=setting.output,
    )  # fmt: skip
    shuffled = list(fitting)
    random.Random(_number(setting.seed, "order", question)).shuffle(shuffled)  # noqa: S311  nothing is kept secret
    return label_passages(shuffled)


def _label_for(sentence: str, case: Case, given: Sequence[LabelledPassage]) -> str:
    """Return the label of the passage that holds most of a sentence, of those with the oracle."""
    held = [each for each in given if case.oracle.overlaps(each.passage)]
    best = max(held, key=lambda each: locate(sentence, each.passage.text, question=case.question).score)
    return best.label


def _proposal(case: Case, setting: Setting, given: Sequence[LabelledPassage], completion: str) -> Proposal:
    prompt = build_messages(
        question=case.question, passages=given, system_prompt=setting.system_prompt,
        fence=fence_of(case.question, setting.seed),
    )  # fmt: skip
    document = case.oracle.version.document
    oracle = SourceOf(
        role="oracle", document=document.pk, base=document.knowledge_base_id, version=case.oracle.version.number,
        start=case.oracle.start, end=case.oracle.end, title=document.title, case=case.name[:100],
    )  # fmt: skip
    others = [_source_of(each.passage, case.oracle) for each in given]
    return Proposal(origin=setting.origin, prompt=prompt, completion=completion, sources=(oracle, *others))


def _source_of(passage: Passage, oracle: Oracle) -> SourceOf:
    role = "oracle" if oracle.overlaps(passage) else "distractor"
    return SourceOf(
        role=role, document=UUID(passage.document), base=UUID(passage.knowledge_base), version=passage.version,
        start=passage.start, end=passage.end, title=passage.title,
    )  # fmt: skip


def _own_words(oracle: Oracle) -> str:
    words = " ".join(selectors.text_of_version(str(oracle.version.pk))[oracle.start : oracle.end].split())
    return words if words[-1:] in ".!?…。！？" else f"{words}."


def _chunk_of(oracle: Oracle) -> Passage:
    """Return the indexed passage around the oracle, which the search did not bring.

    :raises LeftOut: the version is not in the index in use.
    """
    chunks = selectors.live_chunks(oracle.version, oracle.start, oracle.end)
    if not chunks:
        raise LeftOut("The words that answer are in no passage of the index.")
    chunk = max(chunks, key=lambda row: min(row.end, oracle.end) - max(row.start, oracle.start))
    document = oracle.version.document
    return Passage(
        key=str(chunk.pk), document=str(document.pk), version_id=str(oracle.version.pk),
        version=oracle.version.number, knowledge_base=str(document.knowledge_base_id), title=document.title,
        heading_path=tuple(chunk.heading_path), page_first=chunk.page_first, page_last=chunk.page_last,
        start=chunk.start, end=chunk.end, tokens=chunk.tokens, score=0.0,
        text=selectors.text_of_version(str(oracle.version.pk))[chunk.start : chunk.end],
    )  # fmt: skip


def _number(seed: int, what: str, question: str) -> int:
    """Return 64 bits that are the same for the same seed, purpose and question."""
    digest = hashlib.sha256(f"{seed}:{what}:{question}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
