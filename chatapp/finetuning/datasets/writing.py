"""Writes: a row of one's own."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chatapp.finetuning.datasets import questions
from chatapp.finetuning.datasets.making import bases_of, setting_of
from chatapp.finetuning.datasets.models import TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.queueing import check_soon
from chatapp.finetuning.datasets.raft import LeftOut, raft_row
from chatapp.finetuning.datasets.reviewing import LONGEST_COMPLETION
from chatapp.finetuning.datasets.shapes import Proposal
from chatapp.finetuning.datasets.storing import propose
from chatapp.finetuning.datasets.versions import open_draft
from knowledge.documents.access import access_version
from knowledge.tenants.access import Actor

__all__ = ["add_curated"]


def add_curated(
    *, actor: Actor, dataset: TrainingDataset, question: str, answer: str, document: object = "", quote: str = ""
) -> Counter[str]:  # fmt: skip
    """Propose a row that somebody wrote: over the passages that the search brings where it names the words of a
    document that answer, else as an instruction.

    :raises NotAllowed: the actor may only read. :raises QuestionsRefused: something is missing, or the quote does not
    stand in the document. :raises DocumentNotFound: the actor has no such document.
    """
    version = open_draft(dataset, actor=actor)
    question, answer = question.strip(), answer.strip()
    if not question or (not answer and not quote):
        raise questions.QuestionsRefused("A row needs a question, and an answer or the words that answer it.")
    if len(question) > 8_000 or len(answer) > LONGEST_COMPLETION:
        raise questions.QuestionsRefused("A question may have 8,000 characters, and an answer 32,000.")
    if document:
        source = access_version(actor=actor, document_id=document)
        if source.document.knowledge_base not in bases_of(dataset, actor=actor):
            raise questions.QuestionsRefused("This document is in none of the knowledge bases of the dataset.")
        proposal = _over_passages(actor, dataset, question, answer, source, quote, seed=version.seed)
    elif dataset.kind == TrainingDataset.Kind.RAFT:
        raise questions.QuestionsRefused("Name the document whose words answer, and quote them.")
    else:
        prompt = [{"role": "user", "content": question}]
        proposal = Proposal(origin=TrainingRow.Origin.CURATED, prompt=prompt, completion=answer)
    counts = propose(version, [proposal])
    if counts["proposed"]:
        check_soon(actor=actor, dataset=dataset)  # beside all others, which takes too long here
    return counts


def _over_passages(
    actor: Actor, dataset: TrainingDataset, question: str, answer: str, source: Any, quote: str, *, seed: int
) -> Proposal:  # fmt: skip
    start, end = questions.span_of(source, quote)
    # Somebody wrote this one to be answered: it is no row of a refusal.
    setting = setting_of(
        dataset, actor=actor, origin=TrainingRow.Origin.CURATED, seed=seed, options={"absent": 0.0}
    )  # fmt: skip
    item = {
        "question": question, "document": str(source.document_id), "start": start, "end": end, "answer": answer
    }  # fmt: skip
    try:
        return raft_row(questions.case_of(item, actor=actor), setting)
    except LeftOut as why:
        raise questions.QuestionsRefused(str(why)) from why
