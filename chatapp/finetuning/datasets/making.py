"""Make the rows of one piece of a build's work: of a question with its words, or of a passage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chatapp.conversations.access import visible_assistants
from chatapp.conversations.retrieval import profile_of
from chatapp.conversations.verifying import thresholds_of
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.lengths import Limits
from chatapp.finetuning.datasets.models import TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.questions import case_of
from chatapp.finetuning.datasets.raft import ABSENT, Case, LeftOut, Setting, raft_row
from chatapp.finetuning.datasets.shapes import Proposal
from chatapp.finetuning.datasets.synthesis import by_rule, instructions, read_reply
from chatapp.language_models.budgets import ensure_within
from chatapp.language_models.models import LanguageModel, UsageEntry
from chatapp.language_models.services import model_settings
from chatapp.language_models.usage import Ledger
from knowledge.documents.access import scope_of, visible_knowledge_bases
from knowledge.documents.models import Chunk, KnowledgeBase
from knowledge.llm import Completion, complete, run_apart
from knowledge.retrieval.base import DEFAULT
from knowledge.tenants.access import Actor

__all__ = ["Made", "Maker", "bases_of", "setting_of"]

NO_CASE = "A passage without a heading, or without whole sentences, gives no question without a language model."
NOT_IN_PASSAGE = "The language model quoted what does not stand in the passage, or wrote no such list."
GONE = "A passage is gone from the index: its document was changed or deleted."


@dataclass(slots=True)
class Made:
    """Rows of ``taken`` pieces of work; why others are none, in sentences; and what else is counted, by name."""

    proposals: list[Proposal] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    taken: int = 1


def bases_of(dataset: TrainingDataset, *, actor: Actor) -> list[KnowledgeBase]:
    """Return the knowledge bases of a dataset that the actor may read: all of theirs where it names none."""
    visible = visible_knowledge_bases(actor=actor).order_by("name", "pk")
    if not dataset.knowledge_bases.exists():
        return list(visible)
    return list(visible.filter(pk__in=dataset.knowledge_bases.values("pk")))


def setting_of(
    dataset: TrainingDataset, *, actor: Actor, origin: str, seed: int, options: dict[str, Any]
) -> Setting:  # fmt: skip
    """Return how rows of a dataset are made: as the named assistant searches and is instructed, where one is named."""
    assistant = visible_assistants(actor=actor).filter(slug=options.get("assistant", "")).first()
    version = dataset.versions.order_by("-number").first()
    limits = Limits.of((version.checks.get("limits") or {}) if version is not None else {})
    bases = bases_of(dataset, actor=actor)
    return Setting(
        scope=scope_of(actor=actor, bases=bases), origin=origin, thresholds=thresholds_of(actor.tenant_id).pair,
        window=limits.window, output=limits.output, seed=seed, absent=float(options.get("absent", ABSENT)),
        profile=profile_of(assistant.retrieval) if assistant else DEFAULT,
        system_prompt=(assistant.system_prompt or None) if assistant else None,
    )  # fmt: skip


class Maker:
    """Makes rows for one build."""

    def __init__(self, build: DatasetBuild, *, actor: Actor, seed: int) -> None:
        self._build, self._actor = build, actor
        asked = build.kind == DatasetBuild.Kind.QUESTIONS
        origin = TrainingRow.Origin.CASE if asked else TrainingRow.Origin.SYNTHESISED
        self._setting = setting_of(build.dataset, actor=actor, origin=origin, seed=seed, options=build.options)
        self._model = _model_of(build)

    def make(self, item: Any) -> Made:
        """Return the rows of a piece of work: a question, or the id of a passage.

        :raises LanguageModelError: the model did not answer; the build tries again later.
        """
        made = Made()
        for case in self._cases(item, made):
            try:
                made.proposals.append(raft_row(case, self._setting))
            except LeftOut as why:
                made.left_out.append(str(why))
        return made

    def _cases(self, item: Any, made: Made) -> Iterable[Case]:
        if self._build.kind == DatasetBuild.Kind.QUESTIONS:
            try:
                return [case_of(item, actor=self._actor)]
            except LeftOut as why:
                made.left_out.append(str(why))
                return []
        chunk = self._chunk(item)
        if chunk is None:
            made.left_out.append(GONE)
            return []
        if self._model is None:
            cases = list(by_rule(chunk))
            made.left_out += [] if cases else [NO_CASE]
            return cases
        return self._asked(chunk, made)

    def _chunk(self, pk: Any) -> Chunk | None:
        rows = Chunk.objects.select_related("version__document__knowledge_base")
        chunk = rows.filter(pk=pk, version__document__tenant_id=self._actor.tenant_id).first()
        alive = chunk is not None and chunk.version.document.current_version_id == chunk.version_id
        if chunk is None or not alive:
            return None
        base = str(chunk.version.document.knowledge_base_id)
        return (
            chunk
            if self._setting.scope.includes(knowledge_base=base, document=str(chunk.version.document_id))
            else None
        )

    def _asked(self, chunk: Chunk, made: Made) -> list[Case]:
        assert self._model is not None
        count = int(self._build.options.get("per_passage", 1))
        ensure_within(self._actor)
        reply = self._complete(chunk, count)
        cases, none = read_reply(reply, chunk, per_passage=count)
        made.left_out += [NOT_IN_PASSAGE] * none
        return cases

    def _complete(self, chunk: Chunk, count: int) -> Completion:
        assert self._model is not None
        ledger = Ledger(self._actor)
        meter = ledger.meter(UsageEntry.Purpose.SYNTHESIS)
        asked = instructions(chunk, per_passage=count)
        try:
            return run_apart(partial(complete, model_settings(self._model), asked, meter=meter))
        finally:
            ledger.write()


def _model_of(build: DatasetBuild) -> LanguageModel | None:
    slug = build.options.get("model", "")
    rows = LanguageModel.objects.of_tenant(build.tenant_id).filter(slug=slug, enabled=True)
    return rows.order_by("-tenant").first() if slug else None
